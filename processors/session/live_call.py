"""One call as its processors share it: the newest reading, the decisions, what went wrong."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from ...models.reader import CallReader
from ...models.readings import TurnReading
from ...policies.config import MitigationPolicy
from ...policies.decide import decide
from ...policies.empathy import Language, Moment, PhraseBook
from ...policies.record import TurnRecord
from ...policies.transfer.request import TransferRequest, Utterance, transfer_request
from ...policies.types import Action, CallState, Evidence
from ..frames import GuardSpeakFrame
from .bot_speech import BotSpeechTracker
from .faults import Faults
from .hand_over_state import HandOver
from .owed import Owed
from .turn_state import LiveTurn, Preview


@lru_cache(maxsize=16)
def phrase_book(language: Language | Path) -> PhraseBook:
    """The sentences of a language, read once a process: a call must not wait for a file."""
    return PhraseBook.load(language)


class LiveCall:
    """What the processors of one call have in common; belongs to one event loop.

    `hearing` reads the words beside the voice; without it the voice counts alone.
    """

    def __init__(
        self,
        policy: MitigationPolicy,
        *,
        call_id: str,
        book: PhraseBook | None = None,
        hearing: CallReader | None = None,
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
        self._active = True
        self.faults = Faults(call_id)
        self.floor = BotSpeechTracker()
        self.owed = Owed()
        self.hand_over = HandOver(self.faults, agents_available)
        self._hearing = hearing
        self._state = CallState()
        self._next_index = 0
        self._begun: LiveTurn | None = None
        self._said: deque[str] = deque(maxlen=50)

    def turn_started(self, at_s: float) -> LiveTurn:
        """The caller began a turn at this time; whether anything can be read of it is open."""
        self.floor.turn_started(at_s)
        self._begun = LiveTurn(self._next_index, self.dialog_state, prompted=self.floor.prompted)
        return self._begun

    def new_turn(self, at_s: float) -> LiveTurn:
        """The turn that began, or one without speech, at this time.

        Once something is to be read of it, it becomes `turn`.
        """
        turn, self._begun = self._begun or self.turn_started(at_s), None
        self._next_index += 1
        return turn

    def said(self, text: str) -> None:
        """The caller said this; it counts in the next turn that is decided by `words`.

        That is the turn under way; or, where speech recognition is late, the one after it.
        """
        if text.strip() and self._active:
            self._said.append(text)

    def words(self) -> str | None:
        """What was said and did not count yet; from now on it did."""
        words = " ".join(self._said) or None
        self._said.clear()
        return words

    def preview(self, turn: LiveTurn) -> Preview:
        """What would be decided about this turn now; nothing is remembered."""
        hearing = None if self._hearing is None else self._hearing.fork()
        evidence = Evidence(
            self._read(turn, hearing),
            turn.dialog_state,
            agents_available=self.hand_over.available(self.policy.opening_hours),
            transfer_failed=self.hand_over.failed,
        )
        state, decision = decide(self._state, evidence, self.policy)
        highest = self.policy.rules_in(turn.dialog_state).highest_action
        return Preview(turn, state, decision, self.owed.over(decision, highest), hearing)

    def commit(self, preview: Preview) -> None:
        """Make a preview the decision about its turn."""
        turn, decision = preview.turn, preview.decision
        self._state, self._hearing = preview.state, preview.hearing
        turn.decision, turn.to_say = decision, preview.to_say
        self.owed.decided(turn)
        turn.due = False
        turn.decided.set()
        self.turns.append(TurnRecord(decision, turn.text if self.keep_text else None))
        if not turn.ready.is_set():
            self.faults.report("late", "reading not in time, the turn counts as unknown")
        if decision.action is Action.TRANSFER:
            self.hand_over.begin()

    @property
    def active(self) -> bool:
        """Whether turns are read and decided; switched off, the turn under way is forgotten."""
        return self._active

    @active.setter
    def active(self, on: bool) -> None:
        self._active = on
        if on:
            return
        self._said.clear()
        if self.turn is not None:
            self.turn.dropped = True
            self.turn = None

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
        manner = self._hearing.prosody_note if self._hearing else None
        return transfer_request(self.call_id, self.turns, transcript=kept, manner=manner)

    def _read(self, turn: LiveTurn, hearing: CallReader | None) -> TurnReading:
        """Voice and words together, in view of the call so far."""
        if hearing is None:
            return turn.reading
        try:
            return hearing.read(
                turn.heard,
                turn.text,
                dialog_state=turn.dialog_state if turn.prompted else None,
                barge_in=turn.barge_in,
            )
        except Exception as error:  # noqa: BLE001 - the voice is left to go by
            self.faults.report("words", "no words were read, the voice counts alone", error)
            return turn.reading
