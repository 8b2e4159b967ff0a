"""What the processors of one call share: its turns, the bot's speech, the hand-over, faults."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from ...models.reader import CallReader
from ...policies.config import MitigationPolicy
from ...policies.empathy import Moment, PhraseBook
from ...policies.record import TurnRecord
from .bot_speech import BotSpeechTracker
from .faults import Faults
from .hand_over_state import HandOver
from .turn_state import LiveTurn, PendingAcknowledgement


@lru_cache(maxsize=16)
def phrase_book(language: str | Path) -> PhraseBook:
    """The sentences of a language, read once a process: a call must not wait for a file."""
    return PhraseBook.load(language)


class LiveCall:
    """One call; belongs to one event loop.

    `reader` reads the words beside the voice; without it the voice counts alone.
    """

    def __init__(
        self,
        policy: MitigationPolicy,
        *,
        call_id: str,
        book: PhraseBook | None = None,
        reader: CallReader | None = None,
        agents_available: Callable[[], bool] | None = None,
        keep_text: bool = False,
    ) -> None:
        self.policy = policy
        self.call_id = call_id
        self.book = book or phrase_book("en")
        self.reader = reader
        self.keep_text = keep_text
        self.dialog_state: str | None = None
        self.turn: LiveTurn | None = None
        self.turns: list[TurnRecord] = []
        self.used_phrases: frozenset[str] = frozenset()
        self.faults = Faults(call_id)
        self.bot_speech = BotSpeechTracker()
        self.pending = PendingAcknowledgement()
        self.hand_over = HandOver(self.faults, agents_available)
        self._active = True
        self._next_index = 0
        self._begun: LiveTurn | None = None
        self._words: deque[str] = deque(maxlen=50)

    def begin_turn(self, at_s: float) -> LiveTurn:
        """The caller began a turn at this time; it may yet turn out to have no audio."""
        self.bot_speech.caller_began(at_s)
        prompted = self.bot_speech.prompted
        self._begun = LiveTurn(self._next_index, self.dialog_state, prompted=prompted)
        return self._begun

    def take_turn(self, at_s: float) -> LiveTurn:
        """The turn that began, or one without speech, at this time.

        It becomes `turn` once there is audio to classify.
        """
        turn, self._begun = self._begun or self.begin_turn(at_s), None
        self._next_index += 1
        return turn

    def bot_started(self, at_s: float) -> None:
        """The caller hears the bot from this time on."""
        self.bot_speech.bot_started(at_s)
        self.pending.bot_started()

    def add_words(self, text: str) -> None:
        """The caller said this; it counts in the next turn that is decided by `take_words`.

        That is the turn under way or, if speech recognition is late, the one after it.
        """
        if text.strip() and self._active:
            self._words.append(text)

    def take_words(self) -> str | None:
        """The words that did not count yet; None if there are none."""
        words = " ".join(self._words) or None
        self._words.clear()
        return words

    @property
    def active(self) -> bool:
        """Whether turns are read and decided; switching off drops the turn under way."""
        return self._active

    @active.setter
    def active(self, on: bool) -> None:
        self._active = on
        if on:
            return
        self._words.clear()
        if self.turn is not None:
            self.turn.drop()
            self.turn = None

    def sentence(self, moment: Moment) -> str:
        """A sentence of the phrase bank that was not used in this call, if one is left."""
        text = self.book.sentence(moment, call_id=self.call_id, used=self.used_phrases)
        self.used_phrases |= {text}
        return text
