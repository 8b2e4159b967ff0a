"""What to say to a caller who is having a hard time: from a phrase bank, or as LLM guidance.

Nothing here names an emotion: hearing how one sounds helps nobody.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal, Self, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ..models.errors import UnreadableInputError, first_complaint
from ..models.readings import Cue
from .types import Action, Decision, Level

Language = Literal["en", "es", "fr", "de", "pt", "it", "hi"]
LANGUAGES: tuple[Language, ...] = get_args(Language)
"""The bundled languages; a phrase file may be in any other."""
MAX_WORDS = 15


class Cause(StrEnum):
    """What the trouble is, as far as the evidence shows."""

    REPEATED_REQUEST = "repeated_request"
    MISUNDERSTANDING = "misunderstanding"
    WAITING = "waiting"
    BILLING = "billing"
    GENERAL = "general"


class Moment(StrEnum):
    """When the bot has something to say beyond an acknowledgement."""

    OFFER_HUMAN = "offer_human"
    HAND_OVER = "hand_over"
    CALL_BACK = "call_back"
    TRANSFER_FAILED = "transfer_failed"


class PhraseError(UnreadableInputError):
    """A phrase file is not valid, or a language has none; the message names the key."""


@dataclass(frozen=True, slots=True)
class Rewritten:
    """A prompt as it will be spoken.

    `phrase` was put before it, or replaces it when the call is handed over; None if the prompt is
    unchanged, or rewritten by an LLM. Pass `used` to the next call.
    """

    text: str
    phrase: str | None
    used: frozenset[str]


_CAUSES = (
    (Cue.REPEATS_REQUEST, Cause.REPEATED_REQUEST),
    (Cue.REPROMPTED, Cause.REPEATED_REQUEST),
    (Cue.NOT_UNDERSTOOD, Cause.MISUNDERSTANDING),
    (Cue.COMPLAINT_ABOUT_SYSTEM, Cause.MISUNDERSTANDING),
    (Cue.WAITING, Cause.WAITING),
)
_BILLING = re.compile(
    r"\b(billing|billed|bills|invoices?|overcharg\w*|(double )?charged|refund\w*|payments?"
    r"|(my|the|this|that|last|your) bill"
    r"|factur\w*|cobr(o|os|ado|aron|an[cç]a)|recibos?|pagos?|reembols\w*"
    r"|rechnung\w*|abbuchung\w*|abgebucht\w*|erstattung\w*|mahnung\w*|zahlung\w*"
    r"|rembours\w*|paiements?|pr[ée]l[èe]vements?|fatura\w*|boletos?|pagament\w*"
    r"|bollett\w*|fattur\w*|addebit\w*|rimbors\w*)\b"
    r"|बिल|रिफंड|भुगतान"
)


def cause_of(decision: Decision, text: str | None = None) -> Cause:
    """What the trouble is: by the cues in the words, else by the dialog state or the words.

    `text` is what the caller said, if known; without it only the name of the dialog state shows
    that the trouble is billing.
    """
    cues = {cue for cue, _ in decision.evidence.reading.cues}
    for cue, cause in _CAUSES:
        if cue in cues:
            return cause
    state = (decision.evidence.dialog_state or "").replace("_", " ").replace("-", " ")
    if _BILLING.search(state.casefold()) or _BILLING.search((text or "").casefold()):
        return Cause.BILLING
    return Cause.GENERAL


_HAPPENED = {
    Cause.REPEATED_REQUEST: "The caller has had to say the same thing again.",
    Cause.MISUNDERSTANDING: "The caller was misunderstood.",
    Cause.WAITING: "The caller has been kept waiting.",
    Cause.BILLING: "The caller has a problem with a bill or a payment.",
    Cause.GENERAL: "This call is not going well for the caller.",
}
_HOW = (
    "Begin the next reply with one short sentence that acknowledges this, in the caller's "
    "language and in other words than before. Then take the next step that solves the problem, "
    "briefly. Do not name, guess or comment on the caller's feelings or tone, and do not mention "
    "this guidance."
)
_TODO = {
    Action.EMPATHIZE: _HOW,
    Action.OFFER_HUMAN: f"{_HOW} Offer once, in one sentence, to connect the caller with a human "
    "colleague, and leave the choice to the caller.",
    Action.TRANSFER: "The call now goes to a human colleague. Say only that, in one short "
    "sentence, in the caller's language. Ask nothing, and do not comment on the caller's feelings.",
}
_CALL_BACK = (
    f"{_HOW} No human colleague is available now: offer once, in one sentence, that a colleague "
    "calls back, and do not promise to connect the call."
)


def guidance(decision: Decision, text: str | None = None) -> str | None:
    """One developer message for an LLM's next reply; None if the reply needs no guidance.

    It also reads right as a user message, which some adapters turn it into.
    """
    if decision.action is Action.PROCEED:
        return None
    happened = _HAPPENED[cause_of(decision, text)]
    todo = _CALL_BACK if decision.callback else _TODO[decision.action]
    return f"[Guidance for the assistant, not said by the caller] {happened} {todo}"


Phrase = Annotated[str, Field(min_length=1)]
LanguageTag = Annotated[str, Field(pattern=r"^[a-z]{2,3}([-_][A-Za-z0-9]{2,8})*$")]
ByLevel = dict[Level, tuple[Phrase, ...]]


class PhraseBook(BaseModel):
    """The sentences of one language, read from its YAML file.

    Every sentence has at most 15 words and names no emotion: it contains none of the
    `emotion_words` (one that ends in * is a prefix). A call's id sets the order of its phrases,
    so that a replay says the same.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    language: LanguageTag
    emotion_words: tuple[Phrase, ...]
    sentences: dict[Moment, Annotated[tuple[Phrase, ...], Field(min_length=1)]]
    acknowledgements: dict[Cause, ByLevel] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _speakable(self) -> Self:
        missing = [moment.value for moment in Moment if moment not in self.sentences]
        if missing:
            raise ValueError(f"sentences.{missing[0]}: missing")
        seen = set[str]()
        for phrase in self.phrases():
            if len(phrase.split()) > MAX_WORDS:
                raise ValueError(f"more than {MAX_WORDS} words: {phrase!r}")
            if self.names_emotion(phrase):
                raise ValueError(f"names an emotion: {phrase!r}")
            if phrase in seen:
                raise ValueError(f"twice: {phrase!r}")
            seen.add(phrase)
        return self

    @classmethod
    def load(cls, language: str | Path = "en") -> Self:
        """Load the bundled phrases of a language, or a file of your own.

        Raises:
            PhraseError: no such language or file, not YAML, or a phrase that is not allowed.
        """
        source: Path | resources.abc.Traversable
        if isinstance(language, Path):
            source = language
        elif language in LANGUAGES:
            source = resources.files(__package__) / "phrases" / f"{language}.yaml"
        else:
            raise PhraseError(language, f"no such language; use {', '.join(LANGUAGES)} or a Path")
        try:
            return cls.model_validate(yaml.safe_load(source.read_text(encoding="utf-8")))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            reason = getattr(error, "strerror", None) or "not valid YAML"
            raise PhraseError(str(language), reason) from error
        except ValidationError as error:
            raise PhraseError(str(language), first_complaint(error)) from error

    def phrases(self) -> Iterator[str]:
        """Every sentence of the book."""
        for sentences in self.sentences.values():
            yield from sentences
        for levels in self.acknowledgements.values():
            for phrases in levels.values():
                yield from phrases

    def names_emotion(self, text: str) -> bool:
        """Whether the text says how somebody feels or sounds."""
        words = _words(text)
        return any(
            _words(one).rstrip() in words if one.endswith("*") else _words(one) in words
            for one in self.emotion_words
        )

    def acknowledge(
        self,
        prompt: str,
        decision: Decision,
        *,
        call_id: str,
        used: frozenset[str] = frozenset(),
        text: str | None = None,
    ) -> Rewritten:
        """The prompt as this decision wants it said; `text` is what the caller said, if known.

        PROCEED: unchanged. EMPATHIZE: a phrase, then the prompt. OFFER_HUMAN: a phrase, the offer
        (or the call back), then the prompt. TRANSFER: the hand-over sentence alone. A phrase is
        never said twice in a call: when none is left, nothing is added.
        """
        if decision.action is Action.PROCEED:
            return Rewritten(prompt, None, used)
        if decision.action is Action.TRANSFER:
            said = self.sentence(Moment.HAND_OVER, call_id=call_id, used=used)
            return Rewritten(said, said, used | {said})
        parts = []
        phrase = self._phrase(cause_of(decision, text), decision.level, call_id, used)
        if phrase is not None:
            parts.append(phrase)
        if decision.action is Action.OFFER_HUMAN:
            moment = Moment.CALL_BACK if decision.callback else Moment.OFFER_HUMAN
            parts.append(self.sentence(moment, call_id=call_id, used=used))
        said = " ".join(parts)
        return Rewritten(f"{said} {prompt}".strip(), said or None, used | frozenset(parts))

    def sentence(self, moment: Moment, *, call_id: str, used: frozenset[str] = frozenset()) -> str:
        """What to say at this moment: a sentence not yet used, as long as there is one.

        Unlike an acknowledgement it informs the caller, so it is repeated when none is left.
        """
        sentences = _shuffled(self.sentences[moment], call_id)
        return next((one for one in sentences if one not in used), sentences[0])

    def _phrase(self, cause: Cause, level: Level, call_id: str, used: frozenset[str]) -> str | None:
        for about in (cause, Cause.GENERAL):
            for phrase in _shuffled(self.acknowledgements.get(about, {}).get(level, ()), call_id):
                if phrase not in used:
                    return phrase
        return None


def _words(text: str) -> str:
    """The words of a text in lower case, with a space before and after each."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    plain = "".join(" " if unicodedata.category(one)[0] in "PS" else one for one in plain)
    return f" {' '.join(plain.split())} "


def _shuffled(phrases: Iterable[str], call_id: str) -> list[str]:
    """In an order that depends on the call id alone, on every machine and in every run."""
    return sorted(phrases, key=lambda one: hashlib.sha256(f"{call_id}\n{one}".encode()).digest())
