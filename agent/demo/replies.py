"""Answers each turn of the caller with the script's next sentence."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from pipecat.frames.frames import (
    Frame,
    TranscriptionFrame,
    TTSSpeakFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
)
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor

from .dialogue import Grammar, Script, opening, reply


class ScriptedReplies(FrameProcessor):
    """Takes the place of an LLM.

    Calls `on_state` with the dialogue's state, and `on_turn` with the text understood of each turn.
    """

    def __init__(
        self,
        script: Script,
        *,
        on_state: Callable[[str], None],
        on_turn: Callable[[str | None], Awaitable[None]],
    ) -> None:
        super().__init__()
        self._script = script
        self._place, self.greeting = opening(script)
        self._on_state = on_state
        self._on_turn = on_turn
        self._heard: list[str] = []

    async def setup(self, setup: object) -> None:
        """Report the first state."""
        await super().setup(setup)  # type: ignore[arg-type]
        self._on_state(self._place.state)

    @property
    def expects(self) -> Grammar | None:
        """The closed answer that the dialogue waits for."""
        return self._script.states[self._place.state].expects

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
        heard = ". ".join(filter(None, self._heard)) or None
        await self._on_turn(heard)
        self._place, said = reply(self._script, self._place, heard)
        self._on_state(self._place.state)
        await self.push_frame(TTSSpeakFrame(said))
