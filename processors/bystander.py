"""Processors that stand beside what goes by all the time, and are not in its way."""

from __future__ import annotations

from functools import partial
from typing import ClassVar

from pipecat.frames.frames import (
    BotSpeakingFrame,
    Frame,
    InputAudioRawFrame,
    SystemFrame,
    UserSpeakingFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.processors.frame_processor import FrameCallback, FrameDirection, FrameProcessor

DOWNSTREAM = FrameDirection.DOWNSTREAM


class Bystander(FrameProcessor):
    """Lets the caller's audio go by without queueing it, and overhears it on its way.

    Audio comes 50 times a second, and a processor's queue costs more than all that we make of it;
    so do the frames that say again and again that somebody speaks. They are queued only behind
    something that they must not overtake (a VAD frame that is not processed yet), so that the
    order of frames is what it would be.

    `PASSING` is what goes by; frames that are no system frames only where there is no queue
    (`enable_direct_mode`).
    """

    PASSING: ClassVar[tuple[type[Frame], ...]] = (
        InputAudioRawFrame,
        UserSpeakingFrame,
        BotSpeakingFrame,
    )
    _waiting = 0

    @property
    def idle(self) -> bool:
        """Whether nothing waits here that must not be overtaken."""
        return self._waiting == 0

    def overhear(self, frame: Frame) -> None:
        """Take from a frame what there is; it was passed on already."""

    async def queue_frame(
        self,
        frame: Frame,
        direction: FrameDirection = DOWNSTREAM,
        callback: FrameCallback | None = None,
    ) -> None:
        """Pass on at once what goes by, queue everything else."""
        beyond = self.next if direction is DOWNSTREAM else self.previous
        if isinstance(frame, self.PASSING) and self.idle and beyond and callback is None:
            await beyond.queue_frame(frame, direction)
            self.overhear(frame)
            return
        if isinstance(frame, SystemFrame):
            self._waiting += 1
            callback = partial(self._processed, callback)
        await super().queue_frame(frame, direction, callback)

    async def _processed(
        self,
        callback: FrameCallback | None,
        processor: FrameProcessor,
        frame: Frame,
        direction: FrameDirection,
    ) -> None:
        self._waiting -= 1
        if callback is not None:
            await callback(processor, frame, direction)


class Bystanders(Pipeline):
    """Bystanders in a row: what none of them has to queue goes by all of them at once."""

    def __init__(self, *parts: Bystander) -> None:
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
        passing = isinstance(frame, Bystander.PASSING) and callback is None
        if passing and beyond and all(part.idle for part in self._parts):
            await beyond.queue_frame(frame, direction)
            for part in self._parts:
                part.overhear(frame)
            return
        await super().queue_frame(frame, direction, callback)
