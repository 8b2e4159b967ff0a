"""What to say to a caller who is having a hard time: from a phrase bank, or as LLM guidance.

Nothing here names an emotion: to be told how one sounds helps nobody.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, Self

from .types import Decision

Language = Literal["en", "es", "fr", "de", "pt", "it", "hi"]


class Cause(StrEnum):
    """What the trouble is, as far as the evidence tells."""

    REPEATED_REQUEST = "repeated_request"
    MISUNDERSTANDING = "misunderstanding"
    WAITING = "waiting"
    BILLING = "billing"
    GENERAL = "general"


class Moment(StrEnum):
    """When the bot has something to tell, beyond an acknowledgement."""

    OFFER_HUMAN = "offer_human"
    HAND_OVER = "hand_over"
    CALL_BACK = "call_back"
    TRANSFER_FAILED = "transfer_failed"


@dataclass(frozen=True, slots=True)
class Rewritten:
    """A prompt as it will be spoken.

    `phrase` is what was put before it, None if nothing was; `used` is what to pass the next time.
    """

    text: str
    phrase: str | None
    used: frozenset[str]


def cause_of(decision: Decision, text: str | None = None) -> Cause:
    """What the trouble is, from the cues, the dialog state and the caller's words if given."""
    raise NotImplementedError


def guidance(decision: Decision, text: str | None = None) -> str | None:
    """One developer message for an LLM's next reply; None if the reply needs no guidance."""
    raise NotImplementedError


class PhraseBook:
    """The sentences of one language."""

    language: Language

    @classmethod
    def load(cls, language: Language = "en") -> Self:
        """Load the bundled phrases of a language."""
        raise NotImplementedError

    def acknowledge(
        self,
        prompt: str,
        decision: Decision,
        *,
        call_id: str,
        used: frozenset[str] = frozenset(),
        text: str | None = None,
    ) -> Rewritten:
        """The prompt as this decision wants it said.

        PROCEED: unchanged. EMPATHIZE: a phrase, then the prompt. OFFER_HUMAN: a phrase, the offer
        (or the call back), then the prompt. TRANSFER: the hand-over sentence alone.
        """
        raise NotImplementedError

    def sentence(self, moment: Moment, *, call_id: str, used: frozenset[str] = frozenset()) -> str:
        """What to say at this moment; one not yet used, as long as there is one."""
        raise NotImplementedError
