"""Says what the script has next whenever the caller's turn is over."""

from __future__ import annotations

from collections.abc import Callable

from pipecat.frames.frames import (
    Frame,
    TranscriptionFrame,
    TTSSpeakFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
)
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor

from .dialogue import Script, opening, reply


class ScriptedReplies(FrameProcessor):
    """Stands where an LLM would; `on_state` is told where the dialogue stands, then and now."""

    def __init__(self, script: Script, on_state: Callable[[str], None]) -> None:
        super().__init__()
        self._script = script
        self._place, self.greeting = opening(script)
        self._on_state = on_state
        self._heard: list[str] = []

    async def setup(self, setup: object) -> None:
        """Say where the dialogue begins."""
        await super().setup(setup)  # type: ignore[arg-type]
        self._on_state(self._place.state)

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Pass the frame on, then answer a turn that is over."""
        await super().process_frame(frame, direction)
        await self.push_frame(frame, direction)
        if isinstance(frame, UserStartedSpeakingFrame):
            self._heard.clear()
        elif isinstance(frame, TranscriptionFrame):
            self._heard.append(frame.text)
        elif isinstance(frame, UserStoppedSpeakingFrame) and direction is FrameDirection.DOWNSTREAM:
            await self._answer()

    async def _answer(self) -> None:
        self._place, said = reply(self._script, self._place, " ".join(self._heard))
        self._on_state(self._place.state)
        await self.push_frame(TTSSpeakFrame(said))
