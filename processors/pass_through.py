"""Processors that let frequent frames pass without queueing them."""

from __future__ import annotations

from collections import deque
from functools import partial
from operator import attrgetter
from typing import ClassVar

from pipecat.frames.frames import (
    BotSpeakingFrame,
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    Frame,
    InputAudioRawFrame,
    OutputTransportMessageUrgentFrame,
    StartFrame,
    SystemFrame,
    UserSpeakingFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.processors.frame_processor import FrameCallback, FrameDirection, FrameProcessor
from pipecat.processors.frameworks.rtvi import RTVIServerMessageFrame

from .frames import CallerEmotionFrame
from .wiring import Wiring

DOWNSTREAM = FrameDirection.DOWNSTREAM

SPEECH: tuple[type[SystemFrame], ...] = (
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
)
TURNS: tuple[type[SystemFrame], ...] = (UserStartedSpeakingFrame, UserStoppedSpeakingFrame)
"""For the `BYPASS` of processors that ignore who speaks, or whose turn it is."""

_waiting = attrgetter("waiting")


class PassThroughProcessor(FrameProcessor):
    """Lets the caller's audio pass without queueing it, and sees a copy of it.

    Audio arrives 50 times a second, and a processor's queue costs more than all our work on it;
    so do the frames that repeat that somebody speaks, and messages to the client. They are queued
    only behind a frame that they must not overtake (a VAD frame that is not processed yet), so
    the order of frames does not change.

    `BYPASS` lists the frames that are not queued. A processor with `enable_direct_mode`, which has
    no queue, may list frames other than system frames.
    """

    BYPASS: ClassVar[tuple[type[Frame], ...]] = (
        InputAudioRawFrame,
        UserSpeakingFrame,
        BotSpeakingFrame,
        OutputTransportMessageUrgentFrame,
        RTVIServerMessageFrame,
        CallerEmotionFrame,
    )
    wiring: Wiring | None = None
    """Checks the pipeline when it starts, for parts that belong to a guard."""

    def __init__(self, *, name: str | None = None, enable_direct_mode: bool = False) -> None:
        super().__init__(name=name, enable_direct_mode=enable_direct_mode)
        self.waiting: deque[Frame] = deque()
        """The queued frames here that must not be overtaken."""

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Check the pipeline when it starts."""
        await super().process_frame(frame, direction)
        if isinstance(frame, StartFrame) and self.wiring is not None:
            self.wiring.check(self.pipeline_worker.pipeline)

    def on_bypass(self, frame: Frame) -> None:
        """See a frame that was not queued; it was pushed on already."""

    def on_enqueue(self, frame: Frame, direction: FrameDirection) -> None:
        """See a frame before it is queued; in the queue, system frames overtake it."""

    async def queue_frame(
        self,
        frame: Frame,
        direction: FrameDirection = DOWNSTREAM,
        callback: FrameCallback | None = None,
    ) -> None:
        """Push frames of `BYPASS` on at once, queue all others."""
        beyond = self.next if direction is DOWNSTREAM else self.previous
        if isinstance(frame, self.BYPASS) and not self.waiting and beyond and callback is None:
            await beyond.queue_frame(frame, direction)
            self.on_bypass(frame)
            return
        self.on_enqueue(frame, direction)
        if isinstance(frame, SystemFrame):
            self.waiting.append(frame)
            callback = partial(self._processed, callback)
        await super().queue_frame(frame, direction, callback)

    async def _processed(
        self,
        callback: FrameCallback | None,
        processor: FrameProcessor,
        frame: Frame,
        direction: FrameDirection,
    ) -> None:
        while self.waiting and self.waiting.popleft() is not frame:
            pass  # one before it raised an error, and was never reported as processed
        if callback is not None:
            await callback(processor, frame, direction)


class PassThroughChain(Pipeline):
    """Pass-through processors in a row; frames that none of them queues skip them all at once."""

    def __init__(self, *parts: PassThroughProcessor) -> None:
        super().__init__(parts)
        self._parts = parts

    async def queue_frame(
        self,
        frame: Frame,
        direction: FrameDirection = DOWNSTREAM,
        callback: FrameCallback | None = None,
    ) -> None:
        """Push frames of `BYPASS` on at once, unless a frame waits in here."""
        beyond = self.next if direction is DOWNSTREAM else self.previous
        passing = isinstance(frame, PassThroughProcessor.BYPASS) and callback is None
        if passing and beyond and not any(map(_waiting, self._parts)):
            await beyond.queue_frame(frame, direction)
            for part in self._parts:
                part.on_bypass(frame)
            return
        await super().queue_frame(frame, direction, callback)
