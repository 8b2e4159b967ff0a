"""Whose audio and words are the caller's, and what a user aggregator keeps from those behind it."""

from __future__ import annotations

from collections.abc import Callable
from itertools import takewhile

from pipecat.frames.frames import (
    Frame,
    InputAudioRawFrame,
    LLMContextUserTurnFrame,
    TranscriptionFrame,
    UserAudioRawFrame,
)
from pipecat.processors.aggregators.llm_response_universal import LLMUserAggregator
from pipecat.processors.frame_processor import FrameProcessor

from .context import parts_of
from .session.live_call import LiveCall

_BEFORE = "on_before_process_frame"


class CallerFilter:
    """Tells the caller from other participants of a room.

    The caller is `participant` or, without one, whoever is heard first. A user aggregator mixes
    everybody's words, and swallows the audio of a muted caller; there this sees them before, but
    only while it must: a handler costs every frame.
    """

    def __init__(
        self,
        call: LiveCall,
        on_muted: Callable[[InputAudioRawFrame], None],
        participant: str | None = None,
    ) -> None:
        self._call = call
        self._on_muted = on_muted
        self._participant = participant
        self._said_by_others: list[str] = []
        self._aggregator: FrameProcessor | None = None
        self._muted = self._attached = False

    def started(self, listener: FrameProcessor) -> None:
        """Find the user aggregator before this processor."""
        before = takewhile(
            lambda part: part is not listener, parts_of(listener.pipeline_worker.pipeline)
        )
        for part in before:
            if isinstance(part, LLMUserAggregator):
                self._aggregator = part

    def is_callers(self, frame: InputAudioRawFrame) -> bool:
        """Whether this is the caller's audio."""
        user = frame.user_id if isinstance(frame, UserAudioRawFrame) else ""
        if not user or user == self._participant:
            return True
        if self._participant is None:
            self._participant = user
            return True
        if user not in self._call.others:
            self._call.others.add(user)
            self._attach()
            self._call.faults.report(
                "participants",
                "a second participant is not read; name the caller: Deescalator(participant=...)",
            )
        return False

    def take_words(self, frame: TranscriptionFrame | LLMContextUserTurnFrame) -> None:
        """Keep what the caller said."""
        if isinstance(frame, LLMContextUserTurnFrame):
            text = frame.text
            for said in self._said_by_others:
                text = text.replace(said, " ", 1)
            self._said_by_others.clear()
            self._call.caller_said(text.strip(), whole=True)
        elif frame.user_id not in self._call.others:
            self._call.caller_said(frame.text)

    def mute(self, *, on: bool) -> None:
        """The user aggregator began or ended to swallow the caller's audio."""
        self._muted = on
        self._attach()

    def _attach(self) -> None:
        needed = self._muted or bool(self._call.others)
        if self._aggregator is None or needed is self._attached:
            return
        self._attached = needed
        if needed:
            self._aggregator.add_event_handler(_BEFORE, self._see)
        else:
            self._aggregator.remove_event_handler(_BEFORE, self._see)

    def _see(self, _aggregator: FrameProcessor, frame: Frame) -> None:
        if isinstance(frame, InputAudioRawFrame):
            if self._muted and self.is_callers(frame):
                self._on_muted(frame)
        elif isinstance(frame, TranscriptionFrame) and frame.user_id in self._call.others:
            self._said_by_others.append(frame.text.strip())
