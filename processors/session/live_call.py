"""What the processors of one call share: its turns, the bot's speech, the hand-over, faults."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Literal

from ...models.logs import get_logger
from ...models.reader import CallReader
from ...policies.config import MitigationPolicy
from ...policies.empathy import Moment, PhraseBook
from ...policies.record import TurnRecord
from ...policies.transfer.request import Utterance
from .bot_speech import BotSpeechTracker
from .caller_words import CallerWords
from .faults import Faults
from .hand_over_state import HandOver
from .keypad import HUMAN_KEYS
from .turn_state import LiveTurn, PendingAcknowledgement

PROMPT_CHARS = 1_000

log = get_logger("call")


@lru_cache(maxsize=16)
def phrase_book(language: str | Path) -> PhraseBook:
    """The sentences of a language, read once a process: a call must not wait for a file."""
    return PhraseBook.load(language)


class LiveCall:
    """One call; belongs to one event loop.

    `reader` reads the words beside the voice; without it the voice counts alone. `clock` is set by
    what hears the call: the seconds of it so far. `others` are participants who are not the caller,
    by their ids. `dialogue` is what caller and bot said, which is kept only with `keep_text`.
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
        human_keys: tuple[str, ...] = HUMAN_KEYS,
    ) -> None:
        self.policy = policy
        self.call_id = call_id
        self.book = book or phrase_book("en")
        self.reader = reader
        self.keep_text = keep_text
        self.human_keys = human_keys
        self.clock: Callable[[], float] = float
        self.others: set[str] = set()
        self.words = CallerWords()
        self.prompt_in_context: str | None = None
        self.dialogue: deque[Utterance] = deque(maxlen=500)
        self.dialog_state: str | None = None
        self.turn: LiveTurn | None = None
        self.turns: list[TurnRecord] = []
        self.warnings: list[str] = []
        self.used_phrases: frozenset[str] = frozenset()
        self.faults = Faults(call_id)
        self.bot_speech = BotSpeechTracker()
        self.pending = PendingAcknowledgement()
        self.hand_over = HandOver(self.faults, agents_available)
        self._active = True
        self._next_index = 0
        self._begun: LiveTurn | None = None
        self._before: LiveTurn | None = None
        self._said = ""
        self._prompt_answered = False

    def warn(self, text: str) -> None:
        """Tell the operator, in the log and the record, what keeps the guard from its work."""
        if text not in self.warnings:
            self.warnings.append(text)
            log.warning("the guard cannot do all its work", call_id=self.call_id, problem=text)

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
        return self._numbered(turn)

    def _numbered(self, turn: LiveTurn) -> LiveTurn:
        turn.voice_turn = replace(turn.voice_turn, index=self._next_index)
        self._next_index += 1
        self._prompt_answered = True
        return turn

    def hear(self, turn: LiveTurn) -> None:
        """This is the caller's turn from now on."""
        if turn is not self.turn:
            self._before, self.turn = self.turn, turn

    def forget_turn(self, turn: LiveTurn | None) -> None:
        """The turn that began last was none: a cough, or a "mm-hmm"."""
        self.bot_speech.caller_did_not_begin()
        self._begun = None
        if turn is not None and turn is self.turn and turn.decision is None:
            turn.drop()
            self.turn = self._before

    def typed(self, text: str, *, in_turn: bool) -> LiveTurn | None:
        """The caller wrote this: a turn of its own; None if it belongs to a spoken one."""
        if not self.active or not text.strip():
            return None
        self.caller_said(text)
        waits = self.turn is not None and self.turn.undecided and self.turn.is_over
        return None if in_turn or waits else self.turn_of_words()

    def turn_of_words(self) -> LiveTurn:
        """A turn that was not heard: its words are all there is."""
        at_s = self.clock()
        self.bot_speech.caller_began(at_s)
        prompted = self.bot_speech.prompted
        turn = self._numbered(LiveTurn(0, self.dialog_state, prompted=prompted))
        turn.was_not_spoken(at_s)
        self.hear(turn)
        return turn

    def caller_said(self, text: str, *, whole: bool = False) -> None:
        """The caller said this; `whole` if parts of it may have been said here before."""
        if not text.strip() or not self.active:
            return
        (self.words.add_whole if whole else self.words.add)(text)
        self._note("caller", text)

    def bot_said(self, text: str) -> None:
        """The bot said this; what it says without an answer in between is one prompt."""
        text = text.strip()
        if text:
            said = text if self._prompt_answered else f"{self._said} {text}".strip()
            self._said, self._prompt_answered = said[-PROMPT_CHARS:], False
            self._note("bot", text)

    @property
    def prompt(self) -> str | None:
        """What the bot said last or, where nobody hears that, what its context has of it."""
        return self._said or self.prompt_in_context

    def _note(self, speaker: Literal["caller", "bot"], text: str) -> None:
        if self.keep_text:
            self.dialogue.append(Utterance(speaker, text))

    def bot_started(self, at_s: float) -> None:
        """The caller hears the bot from this time on."""
        self.bot_speech.bot_started(at_s)
        if self.turn is not None and not self.turn.calls_function:
            self.turn.mark_answered()
        self.pending.bot_started()

    @property
    def active(self) -> bool:
        """Whether turns are read and decided: not while a human has the call, or may have it.

        Switching off drops the turn under way.
        """
        return self._active and not self.hand_over.taken

    @active.setter
    def active(self, on: bool) -> None:
        self._active = on
        if on:
            return
        self.words.count()
        if self.turn is not None:
            self.turn.drop()
            self.turn = None

    def sentence(self, moment: Moment) -> str:
        """A sentence of the phrase bank that was not used in this call, if one is left."""
        text = self.book.sentence(moment, call_id=self.call_id, used=self.used_phrases)
        self.used_phrases |= {text}
        return text
