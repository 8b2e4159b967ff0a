"""Real pipelines for the tests: run frame by frame, with classifiers that do as they are told."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from pipecat.frames.frames import (
    Frame,
    InputAudioRawFrame,
    StartFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.workers.runner import WorkerRunner

from pipecat_deescalate.models.readings import EmotionReading
from pipecat_deescalate.policies.transfer.request import TransferOutcome, TransferRequest

from .audio import pcm16, speech_like

F = TypeVar("F", bound=Frame)


class Scripted:
    """A classifier whose answers are given one after the other; the last one is repeated.

    An answer is a probability, a reading, an exception to raise, or a function to call. `gate`,
    when set, holds every call until it is released.
    """

    name = "scripted"

    def __init__(self, *answers: object) -> None:
        self.answers = list(answers)
        self.heard: list[tuple[int, int]] = []
        self.gate = threading.Event()
        self.gate.set()

    def classify(self, audio: NDArray[np.generic], sample_rate: int) -> EmotionReading:
        answer = self.answers[min(len(self.heard), len(self.answers) - 1)]
        self.heard.append((len(audio), sample_rate))
        self.gate.wait(30)
        if isinstance(answer, Exception):
            raise answer
        if callable(answer):
            return answer()  # type: ignore[no-any-return]
        if isinstance(answer, EmotionReading):
            return answer
        assert isinstance(answer, float)
        return EmotionReading(answer, self.name, len(audio) / sample_rate, 0.1)


class Tap(FrameProcessor):
    """Notes every frame that passes."""

    def __init__(self) -> None:
        super().__init__(enable_direct_mode=True)
        self.down: list[Frame] = []
        self.up: list[Frame] = []

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if not isinstance(frame, StartFrame):
            (self.down if direction is FrameDirection.DOWNSTREAM else self.up).append(frame)
        await self.push_frame(frame, direction)

    def of(self, kind: type[F]) -> list[F]:
        return [frame for frame in self.down if isinstance(frame, kind)]


class Running:
    """A pipeline under way: `before` and `after` note what goes in and what comes out."""

    def __init__(self, worker: PipelineWorker, before: Tap, after: Tap) -> None:
        self.worker = worker
        self.before = before
        self.after = after

    async def send(self, *frames: Frame) -> None:
        for frame in frames:
            await self.worker.queue_frame(frame)
            await asyncio.sleep(0)

    async def until(self, condition: Callable[[], object], timeout_s: float = 3.0) -> None:
        """Wait for something to become true; the test fails if it does not."""
        async with asyncio.timeout(timeout_s):
            while not condition():
                await asyncio.sleep(0.005)

    async def sees(self, kind: type[F], count: int = 1, timeout_s: float = 3.0) -> F:
        """The count-th frame of a kind to come out."""
        await self.until(lambda: len(self.after.of(kind)) >= count, timeout_s)
        return self.after.of(kind)[count - 1]


@asynccontextmanager
async def running(
    *processors: FrameProcessor, rate: int = 16_000, end: str = "end", rtvi: bool = False
) -> AsyncIterator[Running]:
    """Run processors in a real worker; at the end, `end` or `cancel` it (or it did so itself)."""
    before, after = Tap(), Tap()
    worker = PipelineWorker(
        Pipeline([before, *processors, after]),
        params=PipelineParams(audio_in_sample_rate=rate, enable_metrics=True),
        enable_rtvi=rtvi,
        idle_timeout_secs=None,
    )
    started = asyncio.Event()

    @worker.event_handler("on_pipeline_started")
    async def _(_worker: PipelineWorker, _frame: Frame) -> None:
        started.set()

    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    run = asyncio.create_task(runner.run())
    try:
        await asyncio.wait_for(started.wait(), 5)
        yield Running(worker, before, after)
        if end == "end":
            await worker.stop_when_done()
        elif end == "cancel":
            await worker.cancel()
        await asyncio.wait_for(asyncio.shield(run), 10)
    finally:
        if not run.done():
            await worker.cancel()
            await run


def audio_frames(
    seconds: float, rate: int = 16_000, *, channels: int = 1, seed: int = 0
) -> list[InputAudioRawFrame]:
    """Frames of 20 ms."""
    samples = np.frombuffer(pcm16(speech_like(seconds, rate, seed=seed)), "<i2")
    step = rate // 50
    return [
        InputAudioRawFrame(np.repeat(samples[at : at + step], channels).tobytes(), rate, channels)
        for at in range(0, len(samples), step)
    ]


def speech(
    seconds: float = 1.0, rate: int = 16_000, *, opens: bool = True, closes: bool = True
) -> list[Frame]:
    """A stretch of speech with its VAD frames; `opens` and `closes` a turn, as aggregators do."""
    sound = audio_frames(seconds, rate)
    return [
        *sound[:10],
        VADUserStartedSpeakingFrame(start_secs=0.2),
        *([UserStartedSpeakingFrame()] if opens else []),
        *sound[10:],
        VADUserStoppedSpeakingFrame(stop_secs=0.2),
        *([UserStoppedSpeakingFrame()] if closes else []),
    ]


def kinds(frames: Iterable[Frame]) -> Sequence[str]:
    """The names of the frames' classes, in order."""
    return [type(frame).__name__ for frame in frames]


class Desk:
    """A transfer target that notes who is handed over, and answers as it is told."""

    def __init__(self, *, ok: bool = True, error: BaseException | None = None) -> None:
        self.requests: list[TransferRequest] = []
        self.cancelled = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self._ok = ok
        self._error = error

    async def transfer(self, request: TransferRequest) -> TransferOutcome:
        self.requests.append(request)
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self._error is not None:
            raise self._error
        return TransferOutcome(self._ok, "accepted" if self._ok else "no such number")
