"""What a caller writes: text from a client, and keys."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Coroutine

from pipecat.frames.frames import (
    Frame,
    InputDTMFFrame,
    InterruptionFrame,
    LLMContextFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
)
from pipecat.processors.aggregators.dtmf_aggregator import DTMFAggregator
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.processors.frameworks.rtvi.frames import RTVISendTextFrame

from .context import last_user_text, parts_of
from .session.keypad import ENTRY_S, human_key
from .session.live_call import LiveCall

SOON_S = 1.0


class WrittenInput:
    """Tells what the caller wrote from the operator's messages, by the frames around it.

    RTVI names a client's text (`RTVISendTextFrame`). A text channel of the bot's own mostly does
    as RTVI does: it interrupts the bot, appends a message of the role `user`, and runs the LLM.
    What the operator appends (a kick-off, what a memory recalls, a nudge) interrupts nobody. An
    interruption in a caller's turn, or by a key, belongs to that.

    A keypad entry is complete after a pause, or with a `#`. Where a `DTMFAggregator` makes words
    of keys, those count instead.
    """

    def __init__(
        self,
        call: LiveCall,
        on_written: Callable[[str], None],
        on_key: Callable[[str], None],
        spawn: Callable[[Coroutine[None, None, None]], asyncio.Task[None]],
    ) -> None:
        self._call = call
        self._on_written = on_written
        self._on_key = on_key
        self._spawn = spawn
        self._in_turn = False
        self._interrupted_at = self._keyed_at = -math.inf
        self._taken: str | None = None
        self._keys = ""
        self._reads_keys = True
        self._entry: asyncio.Task[None] | None = None

    def started(self, pipeline: FrameProcessor) -> None:
        """See whether somebody makes words of keys."""
        self._reads_keys = not any(isinstance(one, DTMFAggregator) for one in parts_of(pipeline))

    def see(self, frame: Frame) -> None:
        """Take the next frame that comes down the pipeline."""
        if isinstance(frame, (UserStartedSpeakingFrame, UserStoppedSpeakingFrame)):
            self._in_turn = isinstance(frame, UserStartedSpeakingFrame)
            self._interrupted_at = -math.inf
        elif isinstance(frame, InterruptionFrame):
            alone = not self._in_turn and _now() - self._keyed_at > SOON_S
            self._interrupted_at = _now() if alone else -math.inf
            self._taken = None
        elif isinstance(frame, LLMContextFrame):
            if not frame.speculation:
                self._run(frame)
        elif isinstance(frame, RTVISendTextFrame):
            taken, self._taken = self._taken, None
            if frame.text.strip() != taken and frame.user_id not in self._call.others:
                self._on_written(frame.text)
        elif isinstance(frame, InputDTMFFrame):
            self._keyed_at = _now()
            if self._reads_keys:
                self._pressed(frame.button.value)

    def _run(self, frame: LLMContextFrame) -> None:
        """The LLM runs: on a client's text, if an interruption came just before."""
        at, self._interrupted_at = self._interrupted_at, -math.inf
        text = last_user_text(frame.context)
        if text is not None and _now() - at < SOON_S and self._call.words.waiting() is None:
            self._taken = text  # RTVI may name it only now
            self._on_written(text)

    def _pressed(self, key: str) -> None:
        if self._entry is not None:
            self._entry.cancel()
        if key == "#" and self._keys:
            self._entered()
        else:
            self._keys += key
            self._entry = self._spawn(self._pause())

    async def _pause(self) -> None:
        await asyncio.sleep(ENTRY_S)
        self._entered()

    def _entered(self) -> None:
        entry, self._keys = self._keys, ""
        call = self._call
        if human_key([entry], call.human_keys, call.prompt, call.dialog_state):
            self._on_key(f"DTMF: {entry}")


def _now() -> float:
    """By the loop's clock, which is that of its timers."""
    return asyncio.get_running_loop().time()
