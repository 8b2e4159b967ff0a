"""A Twilio phone bot for the tests: Pipecat's own parts, with a synthesis whose words are tones."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr
from fastapi import FastAPI, Request, WebSocket
from fastapi.responses import JSONResponse, Response, StreamingResponse
from pipecat.audio.vad.silero import SileroVADAnalyzer
from pipecat.audio.vad.vad_analyzer import VADParams
from pipecat.frames.frames import (
    Frame,
    TranscriptionFrame,
    TTSAudioRawFrame,
    TTSSpeakFrame,
    UserStoppedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import (
    LLMContextAggregatorPair,
    LLMUserAggregatorParams,
)
from pipecat.processors.audio.vad_processor import VADProcessor
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.runner.types import CallData
from pipecat.runner.utils import parse_telephony_websocket
from pipecat.serializers.twilio import TwilioFrameSerializer
from pipecat.services.openai.llm import OpenAILLMService
from pipecat.services.settings import TTSSettings
from pipecat.services.tts_service import TTSService
from pipecat.transports.websocket.fastapi import (
    FastAPIWebsocketParams,
    FastAPIWebsocketTransport,
)
from pipecat.turns.user_start import VADUserTurnStartStrategy
from pipecat.turns.user_stop import SpeechTimeoutUserTurnStopStrategy
from pipecat.turns.user_turn_processor import UserTurnProcessor
from pipecat.turns.user_turn_strategies import UserTurnStrategies
from pipecat.workers.runner import WorkerRunner

from pipecat_deescalate.agent.deescalator import Deescalator

from ...telephony import RATE, Pcm

CALLS = Path(__file__).parents[3] / "examples" / "calls"
WORD_S = 0.1
HUM, HUM_S = 3_000, 0.5
CLOSE = {"Connection": "close"}  # Pipecat's services never close their clients


def callers_speech(start_s: float, end_s: float) -> Pcm:
    """What a caller says in the example call, as a telephone line carries it."""
    samples, rate = soundfile.read(CALLS / "synthetic_escalating.ogg", dtype="float32")
    heard = soxr.resample(samples[round(start_s * rate) : round(end_s * rate), 0], rate, RATE)
    pcm: Pcm = (np.clip(heard, -1, 1) * 32_767).astype(np.int16)
    return pcm


class ToneTTS(TTSService):
    """Says each text as a constant level of its own, so that it is known again on the line."""

    def __init__(self) -> None:
        settings = TTSSettings(model=None, voice=None, language=None)
        super().__init__(push_start_frame=True, push_stop_frames=True, settings=settings)
        self.said: list[str] = []

    async def run_tts(self, text: str, context_id: str) -> AsyncGenerator[Frame | None, None]:
        self.said.append(text)
        pcm = np.full(self.samples(text), self.level(text), np.int16).tobytes()

        async def chunks() -> AsyncIterator[bytes]:
            for at in range(0, len(pcm), 3200):
                yield pcm[at : at + 3200]

        async for frame in self._stream_audio_frames_from_iterator(
            chunks(), in_sample_rate=RATE, context_id=context_id
        ):
            assert isinstance(frame, TTSAudioRawFrame)
            yield frame

    def samples(self, text: str) -> int:
        return round(WORD_S * len(text.split()) * RATE)

    def level(self, text: str) -> int:
        return 1_000 * 2 ** (self.said.index(text) % 5)

    def heard_s(self, text: str, pcm: Pcm) -> float:
        """For how long the caller heard this text."""
        level = self.level(text)
        return float(np.count_nonzero(np.abs(pcm - level) < 0.1 * level)) / RATE


class Transcribes(FrameProcessor):
    """Speech recognition that knows beforehand what is said."""

    def __init__(self, *texts: str) -> None:
        super().__init__()
        self._texts = list(texts)

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        await self.push_frame(frame, direction)
        if isinstance(frame, VADUserStoppedSpeakingFrame):
            text = self._texts.pop(0) if len(self._texts) > 1 else self._texts[0]
            await self.push_frame(TranscriptionFrame(text, "caller", "", finalized=True))


class Asks(FrameProcessor):
    """A scripted dialogue of one question."""

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        await self.push_frame(frame, direction)
        if isinstance(frame, UserStoppedSpeakingFrame):
            await self.push_frame(TTSSpeakFrame("What is your account number?"))


class FakeOpenAI:
    """An endpoint that speaks OpenAI's protocol; `requests` is what the LLM was told on the wire.

    It always hears `hears`, and says everything as a hum of HUM_S seconds.
    """

    def __init__(self, *replies: str, hears: str = "") -> None:
        self.requests: list[dict[str, Any]] = []
        self.said: list[str] = []
        self.hears = hears
        self.app = FastAPI()
        self._replies = replies
        self.app.post("/v1/chat/completions")(self._complete)
        self.app.post("/v1/audio/transcriptions")(self._transcribe)
        self.app.post("/v1/audio/speech")(self._speak)

    async def _complete(self, request: Request) -> StreamingResponse:
        self.requests.append(await request.json())
        reply = self._replies[min(len(self.requests), len(self._replies)) - 1]

        async def stream() -> AsyncIterator[str]:
            for word in reply.split():
                delta = {"index": 0, "delta": {"content": f"{word} "}, "finish_reason": None}
                chunk = {"id": "1", "object": "chat.completion.chunk", "created": 0}
                yield f"data: {json.dumps({**chunk, 'model': 'm', 'choices': [delta]})}\n\n"
            yield "data: [DONE]\n\n"

        return StreamingResponse(stream(), headers=CLOSE, media_type="text/event-stream")

    async def _transcribe(self, request: Request) -> Response:
        await request.body()
        return JSONResponse({"text": self.hears}, headers=CLOSE)

    async def _speak(self, request: Request) -> Response:
        self.said.append((await request.json())["input"])
        return Response(bytes(np.full(round(HUM_S * 24_000), HUM, np.int16)), headers=CLOSE)


def a_transport(
    websocket: WebSocket, data: CallData, hang_up_at: str | None = None
) -> FastAPIWebsocketTransport:
    """The line to Twilio; at its end it hangs up by this REST API, as Pipecat does by default."""
    serializer = TwilioFrameSerializer(
        stream_sid=data["stream_id"],
        call_sid=data["call_id"],
        account_sid="AC1",
        auth_token="x",  # noqa: S106 - nobody's
        base_url=hang_up_at,
        params=TwilioFrameSerializer.InputParams(auto_hang_up=hang_up_at is not None),
    )
    params = FastAPIWebsocketParams(
        audio_in_enabled=True, audio_out_enabled=True, serializer=serializer
    )
    return FastAPIWebsocketTransport(websocket, params)


class PhoneBot:
    """Answers calls with a guard in the pipeline; with an LLM's address, or scripted without."""

    def __init__(
        self,
        guard: Callable[[str], Deescalator],
        *,
        llm: str | None = None,
        texts: tuple[str, ...] = ("something",),
        hang_up_at: str | None = None,
    ) -> None:
        self.context = LLMContext()
        self.guards: list[Deescalator] = []
        self.tts: list[ToneTTS] = []
        self.ended = asyncio.Event()
        self._guard = guard
        self._llm = llm
        self._texts = texts
        self._hang_up_at = hang_up_at

    async def __call__(self, websocket: WebSocket) -> None:
        _, data = await parse_telephony_websocket(websocket)
        transport = a_transport(websocket, data, self._hang_up_at)
        guard, tts = self._guard(data["call_id"]), ToneTTS()
        self.guards.append(guard)
        self.tts.append(tts)
        worker = PipelineWorker(
            Pipeline(self._parts(transport, guard, tts)),
            params=PipelineParams(
                audio_in_sample_rate=RATE, audio_out_sample_rate=RATE, enable_metrics=True
            ),
            idle_timeout_secs=None,
        )

        @transport.event_handler("on_client_disconnected")
        async def _(_transport: object, _client: object) -> None:
            await worker.cancel()

        runner = WorkerRunner(handle_sigint=False)
        await runner.add_workers(worker)
        await runner.run()
        self.ended.set()

    def _parts(
        self, transport: FastAPIWebsocketTransport, guard: Deescalator, tts: ToneTTS
    ) -> list[FrameProcessor]:
        strategies = UserTurnStrategies(
            start=[VADUserTurnStartStrategy()],
            stop=[
                SpeechTimeoutUserTurnStopStrategy(
                    user_speech_timeout=0.3, wait_for_transcript=self._llm is not None
                )
            ],
        )
        vad = SileroVADAnalyzer(params=VADParams(min_volume=0.0))
        voice = [guard.speak(), tts, transport.output(), guard.hand_over()]
        if self._llm is None:
            turns = [VADProcessor(vad_analyzer=vad)]
            turns.append(UserTurnProcessor(user_turn_strategies=strategies))
            return [transport.input(), *turns, guard.listen(), Asks(), *voice]
        pair = LLMContextAggregatorPair(
            self.context,
            user_params=LLMUserAggregatorParams(vad_analyzer=vad, user_turn_strategies=strategies),
        )
        llm = OpenAILLMService(
            api_key="none",
            base_url=f"http://{self._llm}/v1",
            settings=OpenAILLMService.Settings(model="m", system_instruction="You help."),
        )
        listening = [transport.input(), Transcribes(*self._texts), pair.user(), guard.listen()]
        return [*listening, llm, *voice, pair.assistant()]
