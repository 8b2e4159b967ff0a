"""Processors that stand beside what goes by all the time, and are not in its way."""

from __future__ import annotations

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

DOWNSTREAM = FrameDirection.DOWNSTREAM

SPEECH: tuple[type[SystemFrame], ...] = (
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
)
TURNS: tuple[type[SystemFrame], ...] = (UserStartedSpeakingFrame, UserStoppedSpeakingFrame)
"""For `BYPASS` of those that make nothing of who speaks, or of whose turn it is."""

_waiting = attrgetter("waiting")


class PassThroughProcessor(FrameProcessor):
    """Lets the caller's audio go by without queueing it, and overhears it on its way.

    Audio comes 50 times a second, and a processor's queue costs more than all that we make of it;
    so do the frames that say again and again that somebody speaks, and messages for the client.
    They are queued only behind something that they must not overtake (a VAD frame that is not
    processed yet), so that the order of frames is what it would be.

    `BYPASS` is what goes by; frames that are no system frames only where there is no queue
    (`enable_direct_mode`).
    """

    BYPASS: ClassVar[tuple[type[Frame], ...]] = (
        InputAudioRawFrame,
        UserSpeakingFrame,
        BotSpeakingFrame,
        OutputTransportMessageUrgentFrame,
        RTVIServerMessageFrame,
        CallerEmotionFrame,
    )
    waiting = 0
    """So many frames wait here that must not be overtaken."""

    def on_bypass(self, frame: Frame) -> None:
        """Take from a frame what there is; it was passed on already."""

    def on_enqueue(self, frame: Frame) -> None:
        """See a frame that is about to be queued, where system frames overtake others."""

    async def queue_frame(
        self,
        frame: Frame,
        direction: FrameDirection = DOWNSTREAM,
        callback: FrameCallback | None = None,
    ) -> None:
        """Pass on at once what goes by, queue everything else."""
        beyond = self.next if direction is DOWNSTREAM else self.previous
        if isinstance(frame, self.BYPASS) and not self.waiting and beyond and callback is None:
            await beyond.queue_frame(frame, direction)
            self.on_bypass(frame)
            return
        self.on_enqueue(frame)
        if isinstance(frame, SystemFrame):
            self.waiting += 1
            callback = partial(self._processed, callback)
        await super().queue_frame(frame, direction, callback)

    async def _processed(
        self,
        callback: FrameCallback | None,
        processor: FrameProcessor,
        frame: Frame,
        direction: FrameDirection,
    ) -> None:
        self.waiting -= 1
        if callback is not None:
            await callback(processor, frame, direction)


class PassThroughChain(Pipeline):
    """Pass-through processors in a row: what none of them queues goes by all of them at once."""

    def __init__(self, *parts: PassThroughProcessor) -> None:
        super().__init__(parts)
        self._parts = parts

    async def queue_frame(
        self,
        frame: Frame,
        direction: FrameDirection = DOWNSTREAM,
        callback: FrameCallback | None = None,
    ) -> None:
        """Pass on at once what goes by, if nothing in here waits."""
        beyond = self.next if direction is DOWNSTREAM else self.previous
        passing = isinstance(frame, PassThroughProcessor.BYPASS) and callback is None
        if passing and beyond and not any(map(_waiting, self._parts)):
            await beyond.queue_frame(frame, direction)
            for part in self._parts:
                part.on_bypass(frame)
            return
        await super().queue_frame(frame, direction, callback)
