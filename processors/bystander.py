"""Processors that stand beside the caller's audio, and are not in its way."""

from __future__ import annotations

from functools import partial
from typing import TypeGuard

from pipecat.frames.frames import Frame, InputAudioRawFrame, SystemFrame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.processors.frame_processor import FrameCallback, FrameDirection, FrameProcessor

DOWNSTREAM = FrameDirection.DOWNSTREAM


class Bystander(FrameProcessor):
    """Lets the caller's audio go by without queueing it, and overhears it on its way.

    Audio comes 50 times a second, and a processor's queue costs more than all that we make of it.
    It is queued only behind something that it must not overtake (a VAD frame that is not
    processed yet), so that the order of frames is what it would be.
    """

    _waiting = 0

    @property
    def idle(self) -> bool:
        """Whether nothing waits here that audio must not overtake."""
        return self._waiting == 0

    def overhear(self, frame: InputAudioRawFrame) -> None:
        """Take from the caller's audio what there is; it was passed on already."""

    async def queue_frame(
        self,
        frame: Frame,
        direction: FrameDirection = DOWNSTREAM,
        callback: FrameCallback | None = None,
    ) -> None:
        """Pass audio on at once, queue everything else."""
        if self.idle and self.next is not None and _goes_by(frame, direction, callback):
            await self.next.queue_frame(frame)
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
    """Bystanders in a row: audio that none of them has to queue goes by all of them at once."""

    def __init__(self, *parts: Bystander) -> None:
        super().__init__(parts)
        self._parts = parts

    async def queue_frame(
        self,
        frame: Frame,
        direction: FrameDirection = DOWNSTREAM,
        callback: FrameCallback | None = None,
    ) -> None:
        """Pass audio on at once if nothing in here waits."""
        idle = all(part.idle for part in self._parts)
        if idle and self.next is not None and _goes_by(frame, direction, callback):
            await self.next.queue_frame(frame)
            for part in self._parts:
                part.overhear(frame)
            return
        await super().queue_frame(frame, direction, callback)


def _goes_by(
    frame: Frame, direction: FrameDirection, callback: FrameCallback | None
) -> TypeGuard[InputAudioRawFrame]:
    """Whether this is the caller's audio on its usual way."""
    return isinstance(frame, InputAudioRawFrame) and direction is DOWNSTREAM and callback is None
