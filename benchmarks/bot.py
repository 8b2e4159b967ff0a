"""A scripted phone bot in a process of its own, with or without a guard, that logs what it does."""

from __future__ import annotations

import asyncio
import gc
import os
import resource
import time
import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from multiprocessing import Pipe, get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import WebSocket
from loguru import logger
from pipecat.audio.vad.silero import SileroVADAnalyzer
from pipecat.audio.vad.vad_analyzer import VADParams
from pipecat.frames.frames import (
    Frame,
    InputAudioRawFrame,
    TTSAudioRawFrame,
    TTSSpeakFrame,
    UserStoppedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.audio.vad_processor import VADProcessor
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.runner.utils import parse_telephony_websocket
from pipecat.serializers.twilio import TwilioFrameSerializer
from pipecat.services.settings import TTSSettings
from pipecat.services.tts_service import TTSService
from pipecat.transports.websocket.fastapi import FastAPIWebsocketParams, FastAPIWebsocketTransport
from pipecat.turns.user_start import VADUserTurnStartStrategy
from pipecat.turns.user_stop import SpeechTimeoutUserTurnStopStrategy
from pipecat.turns.user_turn_processor import UserTurnProcessor
from pipecat.turns.user_turn_strategies import UserTurnStrategies
from pipecat.workers.runner import WorkerRunner

from tests.telephony import RATE, FrameMark, answering

from .affinity import bots_cores, keep_to
from .frame_watermark import BLOCK, levels
from .inference_worker import import_from

if TYPE_CHECKING:
    from pipecat_deescalate import Deescalator

PROMPT = "And what else can I do for you?"
TURN_GAP_S = 0.3
WORD_S = 0.15


class Guard(StrEnum):
    """The guard in the bot's pipeline: none, or a `Deescalator` with this model."""

    NONE = "none"
    BUNDLED = "bundled"
    CRASHING = "crashing"
    HANGING = "hanging"
    ANGRY = "angry"


@dataclass(frozen=True, slots=True)
class Variant:
    """A bot to measure: its name in the report, and its guard.

    `package` is a folder to import `pipecat_deescalate` from; None for the installed one.
    """

    name: str
    guard: Guard
    package: Path | None = None


WITHOUT = Variant("without", Guard.NONE)
WITH = Variant("with", Guard.BUNDLED)


@dataclass
class CallNotes:
    """What the bot saw of one call.

    `frames` are the caller's audio as it left the pipeline, `stops` the times at which the VAD
    detected the end of speech, `said` the texts with their first block and the one after the last.
    `turns` has, for each turn that the guard decided, when it ended (seconds from the start of the
    call) and whether its reading came too late; `faults` counts the guard's failures by kind.
    """

    frames: list[FrameMark] = field(default_factory=list)
    stops: list[float] = field(default_factory=list)
    said: list[tuple[str, int, int]] = field(default_factory=list)
    turns: list[tuple[float, bool]] = field(default_factory=list)
    faults: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU time and memory that the bot's process has used so far."""

    cpu_s: float
    memory_mb: float
    at_s: float


class CountingTTS(TTSService):
    """Says each text as levels that count 10 ms blocks.

    So the other end of the line knows which block it hears, and which ones are missing.
    """

    def __init__(self, notes: CallNotes) -> None:
        settings = TTSSettings(model=None, voice=None, language=None)
        super().__init__(push_start_frame=True, push_stop_frames=True, settings=settings)
        self._notes = notes
        self._next_block = 0

    async def run_tts(self, text: str, context_id: str) -> AsyncGenerator[Frame | None, None]:
        """Yield the audio of a text."""
        first = self._next_block
        self._next_block += round(WORD_S * len(text.split()) * RATE / BLOCK)
        self._notes.said.append((text, first, self._next_block))
        pcm = levels(first, self._next_block).tobytes()

        async def chunks() -> AsyncIterator[bytes]:
            for at in range(0, len(pcm), 3200):
                yield pcm[at : at + 3200]

        async for frame in self._stream_audio_frames_from_iterator(
            chunks(), in_sample_rate=RATE, context_id=context_id
        ):
            if isinstance(frame, TTSAudioRawFrame):
                yield frame


class Dialogue(FrameProcessor):
    """Answers every turn with the same prompt."""

    def __init__(self, notes: CallNotes) -> None:
        super().__init__()
        self._notes = notes

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Pass every frame on."""
        await super().process_frame(frame, direction)
        await self.push_frame(frame, direction)
        if isinstance(frame, VADUserStoppedSpeakingFrame):
            self._notes.stops.append(time.monotonic())
        elif isinstance(frame, UserStoppedSpeakingFrame):
            await self.push_frame(TTSSpeakFrame(PROMPT))


class End(FrameProcessor):
    """Notes the caller's audio where the pipeline ends."""

    def __init__(self, notes: CallNotes) -> None:
        super().__init__(enable_direct_mode=True)
        self._notes = notes

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Pass every frame on."""
        await super().process_frame(frame, direction)
        if isinstance(frame, InputAudioRawFrame):
            self._notes.frames.append(FrameMark(time.monotonic(), zlib.crc32(frame.audio)))
        await self.push_frame(frame, direction)


class Bot:
    """Answers calls and notes what it sees of them."""

    def __init__(self, guard: Guard, twilio: str | None) -> None:
        self._notes: dict[str, CallNotes] = {}
        self._guard = guard
        self._guards: dict[str, Deescalator] = {}
        self._twilio = twilio

    def take_notes(self) -> dict[str, CallNotes]:
        """Return the notes of all calls by call id, and forget these calls."""
        for call_id, guard in self._guards.items():
            notes = self._notes[call_id]
            notes.faults = dict(guard.faults)
            notes.turns = [
                (turn.reading.ended_at_s, turn.reading.voice.reason == "not read in time")
                for turn in guard.record().turns
            ]
        taken, self._notes = self._notes, {}
        self._guards.clear()
        return taken

    async def __call__(self, websocket: WebSocket) -> None:
        """Run one call."""
        _, data = await parse_telephony_websocket(websocket)
        notes = self._notes[data["call_id"]] = CallNotes()
        serializer = TwilioFrameSerializer(
            stream_sid=data["stream_id"],
            call_sid=data["call_id"],
            params=TwilioFrameSerializer.InputParams(auto_hang_up=False),
        )
        transport = FastAPIWebsocketTransport(
            websocket,
            FastAPIWebsocketParams(
                audio_in_enabled=True, audio_out_enabled=True, serializer=serializer
            ),
        )
        worker = PipelineWorker(
            Pipeline(self._parts(transport, data["call_id"], notes)),
            params=PipelineParams(audio_in_sample_rate=RATE, audio_out_sample_rate=RATE),
            idle_timeout_secs=None,
        )

        async def hung_up(_transport: object, _client: object) -> None:
            await worker.cancel()

        transport.add_event_handler("on_client_disconnected", hung_up)
        runner = WorkerRunner(handle_sigint=False)
        await runner.add_workers(worker)
        await runner.run()

    def _parts(
        self, transport: FastAPIWebsocketTransport, call_id: str, notes: CallNotes
    ) -> list[FrameProcessor]:
        stop = SpeechTimeoutUserTurnStopStrategy(
            user_speech_timeout=TURN_GAP_S, wait_for_transcript=False
        )
        strategies = UserTurnStrategies(start=[VADUserTurnStartStrategy()], stop=[stop])
        turns = [
            VADProcessor(vad_analyzer=SileroVADAnalyzer(params=VADParams(min_volume=0.0))),
            UserTurnProcessor(user_turn_strategies=strategies),
        ]
        dialogue, tts, end = Dialogue(notes), CountingTTS(notes), End(notes)
        if self._guard is Guard.NONE:
            return [transport.input(), *turns, dialogue, tts, transport.output(), end]
        one = self._guards[call_id] = _guard(self._guard, call_id, self._twilio)
        heard = [transport.input(), *turns, one.listen(), dialogue, one.speak()]
        return [*heard, tts, transport.output(), one.hand_over(), end]


class RunningBot:
    """A bot in its own process; `url` is where it answers."""

    def __init__(self, variant: Variant, connection: Connection) -> None:
        self.variant = variant
        self.url = ""
        self._connection = connection

    def start(self) -> None:
        """Wait until it answers calls."""
        self.url = self._connection.recv()

    def usage(self) -> Usage:
        """What its process has used so far."""
        usage: Usage = self._ask("usage")
        return usage

    def take_calls(self) -> dict[str, CallNotes]:
        """What it saw of its calls, by call id; ask once they are over, as it then forgets them."""
        calls: dict[str, CallNotes] = self._ask("calls")
        return calls

    def _ask(self, what: str) -> Any:
        self._connection.send(what)
        return self._connection.recv()


@contextmanager
def running_bots(*variants: Variant, twilio: str | None = None) -> Iterator[list[RunningBot]]:
    """Run each bot in a process of its own until the block ends; they start at the same time."""
    with ExitStack() as stack:
        bots = [stack.enter_context(_launched(variant, twilio)) for variant in variants]
        for bot in bots:
            bot.start()
        yield bots


@contextmanager
def _launched(variant: Variant, twilio: str | None) -> Iterator[RunningBot]:
    here, there = Pipe()
    process = get_context("spawn").Process(
        target=_serve, args=(there, variant, twilio), daemon=True
    )
    process.start()
    there.close()
    try:
        yield RunningBot(variant, here)
    finally:
        process.terminate()
        process.join()


def _serve(connection: Connection, variant: Variant, twilio: str | None) -> None:
    logger.remove()
    keep_to(bots_cores())
    import_from(variant.package)
    if variant.guard is not Guard.NONE:
        _guard(variant.guard, "none", None)  # loads what all calls share
    gc.freeze()  # a full collection over everything that was loaded would stop every call
    asyncio.run(_answer(connection, Bot(variant.guard, twilio)))


async def _answer(connection: Connection, bot: Bot) -> None:
    async with answering(bot) as url:
        loop = asyncio.get_running_loop()
        connection.send(url)
        asked = asyncio.Event()
        loop.add_reader(connection.fileno(), asked.set)
        while True:
            await asked.wait()
            asked.clear()
            while connection.poll():
                what = connection.recv()
                connection.send(_usage() if what == "usage" else bot.take_notes())


def _usage() -> Usage:
    used = resource.getrusage(resource.RUSAGE_SELF)
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    memory_mb = pages * os.sysconf("SC_PAGE_SIZE") / 1e6
    return Usage(used.ru_utime + used.ru_stime, memory_mb, time.monotonic())


def _guard(model: Guard, call_id: str, twilio: str | None) -> Deescalator:
    from .bot_variants import guard  # noqa: PLC0415 - a bot without a guard must not pay for one

    return guard(model.value, call_id, twilio)
