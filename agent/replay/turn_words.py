"""What a transcript says about each turn of a call, whatever the transcript's form."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from ...models.errors import UnreadableInputError
from ...models.reader import VoiceTurn
from ...models.readings import TurnReading
from .speakers import Speaker

UNPLACED_SHARE = 0.2
"""A warning says how many of the caller's lines found no turn, from this share on."""

NOTHING_SAID = "the transcript holds nothing that the caller said"


Stretch = tuple[float, float]
"""From when to when, in seconds."""


class TranscriptError(UnreadableInputError):
    """A transcript is missing, or a line of it is not valid; the message says which."""


@dataclass(frozen=True, slots=True)
class TurnWords:
    """What a transcript says about one caller turn.

    `text` is None if the caller has no words there; `prompt` is the bot's last line before it;
    `prompted` is whether the bot spoke since the previous turn; `barge_in` as in `CallReader.read`.
    """

    text: str | None = None
    dialog_state: str | None = None
    prompted: bool = False
    barge_in: bool = False
    prompt: str | None = None


class TranscriptLike(Protocol):
    """The words of one call, however they are aligned to its turns."""

    @property
    def others(self) -> Mapping[Speaker, Sequence[Stretch]]:
        """When bot and agent speak and the caller does not, if there are times."""

    def align(self, turns: Sequence[VoiceTurn | TurnReading]) -> list[TurnWords]:
        """The words of each turn, in order."""

    def warnings(
        self,
        turns: Sequence[VoiceTurn | TurnReading],
        duration_s: float,
        *,
        channels: int | None = None,
    ) -> tuple[str, ...]:
        """What of these words is not used, and probably why."""


class PromptStates:
    """Names for a bot's prompts; case and punctuation make no difference."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}

    def name(self, text: str) -> str:
        """`prompt-1`, `prompt-2` …, numbered by first use."""
        words = " ".join(re.findall(r"\w+", text.casefold()))
        return self._known.setdefault(words, f"prompt-{len(self._known) + 1}")


def unplaced(speakers: Sequence[Speaker], lost: int) -> str | None:
    """What to say if `lost` lines of the caller's found no turn; None if it is a small share."""
    count = speakers.count("caller")
    if speakers and not count:
        others = " and ".join(f"the {name}'s" for name in sorted(set(speakers)))
        return f"{NOTHING_SAID}; its {len(speakers)} lines are {others}"
    if lost < max(1.0, count * UNPLACED_SHARE):
        return None
    return f"{lost} of the caller's {count} lines in the transcript fit no turn and were left out"
