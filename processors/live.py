"""One call as its processors share it: the newest reading, the decisions, what went wrong."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

from ..models.hearing import CallHearing
from ..models.types import TurnReading
from ..policies.config import MitigationPolicy
from ..policies.decide import decide
from ..policies.empathy import Language, Moment, PhraseBook
from ..policies.record import TurnRecord
from ..policies.transfer import TransferRequest, Utterance, transfer_request
from ..policies.types import Action, CallState, Decision, Evidence
from .faults import Faults
from .frames import GuardSpeakFrame
from .turn import LiveTurn

HAND_OVER_LIMIT_S = 60.0


@lru_cache(maxsize=16)
def phrase_book(language: Language | Path) -> PhraseBook:
    """The sentences of a language, read once a process: a call must not wait for a file."""
    return PhraseBook.load(language)


@dataclass(frozen=True, slots=True)
class Preview:
    """What would be decided about a turn, which may not be over yet."""

    turn: LiveTurn
    state: CallState
    decision: Decision
    hearing: CallHearing | None


class LiveCall:
    """What the processors of one call have in common; belongs to one event loop.

    `hearing` reads the words beside the voice; without it the voice counts alone.
    `transfer_ready` is set while a transfer target waits at the end of the pipeline: without one
    no human counts as available.
    """

    def __init__(
        self,
        policy: MitigationPolicy,
        *,
        call_id: str,
        book: PhraseBook | None = None,
        hearing: CallHearing | None = None,
        agents_available: Callable[[], bool] | None = None,
        keep_text: bool = False,
    ) -> None:
        self.policy = policy
        self.call_id = call_id
        self.book = book or phrase_book("en")
        self.keep_text = keep_text
        self.dialog_state: str | None = None
        self.turn: LiveTurn | None = None
        self.turns: list[TurnRecord] = []
        self.used_phrases: frozenset[str] = frozenset()
        self.transfer_ready = False
        self._active = True
        self._transfer_failed = False
        self.faults = Faults(call_id)
        self._agents_available = agents_available
        self._hearing = hearing
        self._state = CallState()
        self._next_index = 0
        self._handing_over_since: float | None = None

    def new_turn(self) -> LiveTurn:
        """The caller began a turn; once something is to be read of it, it becomes `turn`."""
        turn = LiveTurn(self._next_index, self.dialog_state)
        self._next_index += 1
        return turn

    def preview(self, turn: LiveTurn) -> Preview:
        """What would be decided about this turn now; nothing is remembered."""
        hearing = None if self._hearing is None else self._hearing.fork()
        evidence = Evidence(
            self._read(turn, hearing),
            turn.dialog_state,
            agents_available=self._has_agents(),
            transfer_failed=self._transfer_failed,
        )
        return Preview(turn, *decide(self._state, evidence, self.policy), hearing)

    def commit(self, preview: Preview) -> None:
        """Make a preview the decision about its turn."""
        turn, decision = preview.turn, preview.decision
        self._state, self._hearing = preview.state, preview.hearing
        turn.decision = decision
        turn.due = False
        turn.decided.set()
        self.turns.append(TurnRecord(decision, turn.text if self.keep_text else None))
        if not turn.ready.is_set():
            self.faults.report("late", "reading not in time, the turn counts as unknown")
        if decision.action is Action.TRANSFER:
            self._handing_over_since = time.monotonic()

    @property
    def active(self) -> bool:
        """Whether turns are read and decided; switched off, the turn under way is forgotten."""
        return self._active

    @active.setter
    def active(self, on: bool) -> None:
        self._active = on
        if not on:
            self.turn = None

    @property
    def handing_over(self) -> bool:
        """Whether a hand-over was decided and its outcome is not known yet: the bot keeps still.

        Over after a minute at the latest, in case the hand-over got lost in the pipeline.
        """
        since = self._handing_over_since
        return since is not None and time.monotonic() - since < HAND_OVER_LIMIT_S

    def handed_over(self, *, ok: bool) -> None:
        """The hand-over ended; if it failed, no human counts as available from now on."""
        self._handing_over_since = None
        self.transfer_ready = self.transfer_ready and ok
        self._transfer_failed = self._transfer_failed or not ok

    def sentence(self, moment: Moment, *, interruptible: bool = True) -> GuardSpeakFrame:
        """A sentence of the phrase bank, ready to be spoken."""
        text = self.book.sentence(moment, call_id=self.call_id, used=self.used_phrases)
        self.used_phrases |= {text}
        frame = GuardSpeakFrame(text)
        frame.interruptible = interruptible
        return frame

    def request(self, transcript: tuple[Utterance, ...] = ()) -> TransferRequest:
        """What the human is told; words only where they are kept."""
        kept = transcript if self.keep_text else ()
        return transfer_request(self.call_id, self.turns, transcript=kept)

    def _read(self, turn: LiveTurn, hearing: CallHearing | None) -> TurnReading:
        """Voice and words together, in view of the call so far."""
        if hearing is None:
            return turn.reading
        try:
            return hearing.hear(turn.heard, turn.text)
        except Exception as error:  # noqa: BLE001 - the voice is left to go by
            self.faults.report("words", "no words were read, the voice counts alone", error)
            return turn.reading

    def _has_agents(self) -> bool:
        if not self.transfer_ready:
            return False
        hours = self.policy.opening_hours
        if hours is not None and not hours.is_open(datetime.now(UTC)):
            return False
        try:
            return self._agents_available is None or bool(self._agents_available())
        except Exception as error:  # noqa: BLE001 - the operator's own code must not stop the bot
            self.faults.report(
                "agents", "agents_available raised, nobody counts as available", error
            )
            return False
