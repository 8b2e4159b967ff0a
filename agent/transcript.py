"""The words of a recorded call: JSON lines with start_s, end_s, text and speaker.

A bot's line may name its `dialog_state`; where it does not, a prompt that the bot says again in the
same words counts as the same state.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Protocol, Self

from pydantic import BaseModel, Field, ValidationError, model_validator

from ..models.errors import UnreadableInputError
from ..models.hearing import HeardTurn

BARGE_IN_S = 0.3
"""By how much a caller must speak over the bot for it to count."""


class TranscriptError(UnreadableInputError):
    """A transcript is missing or a line of it is not an utterance; the message says which line."""


class Utterance(BaseModel, frozen=True, extra="ignore"):
    """One line of a transcript; times in seconds from the start of the recording."""

    start_s: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    end_s: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    text: str
    speaker: Literal["caller", "bot", "agent"]
    dialog_state: str | None = None

    @model_validator(mode="after")
    def _ends_after_start(self) -> Self:
        if self.end_s < self.start_s:
            raise ValueError(f"end_s ({self.end_s}) is before start_s ({self.start_s})")
        return self


def read_transcript(path: Path) -> Transcript:
    """Read a transcript.

    Raises:
        TranscriptError: the file cannot be read, or a line is not a valid utterance.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise TranscriptError(path, "is not UTF-8 text") from error
    except OSError as error:
        raise TranscriptError(path, error.strerror or "cannot be read") from error
    utterances = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            utterances.append(Utterance.model_validate_json(line))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            key = ".".join(str(part) for part in first["loc"]) or "line"
            raise TranscriptError(path, f"line {number}: {key}: {first['msg']}") from error
    return Transcript(utterances)


@dataclass(frozen=True, slots=True)
class TurnWords:
    """What a transcript tells of one caller turn.

    `text` is None when it has nothing from the caller there; `dialog_state` and `barge_in` as in
    `CallHearing.hear`.
    """

    text: str | None = None
    dialog_state: str | None = None
    barge_in: bool = False


class TranscriptLike(Protocol):
    """The words of one call, by whatever means they are put beside its turns."""

    @property
    def has_caller(self) -> bool:
        """False if there are words, but none of the caller's."""

    def beside(self, turns: Sequence[HeardTurn]) -> list[TurnWords]:
        """The words of each turn, in order."""


class Transcript:
    """Utterances with their times: each goes to the turn in which its middle lies."""

    def __init__(self, utterances: Sequence[Utterance] = ()) -> None:
        by_time = sorted(utterances, key=lambda utterance: utterance.start_s)
        self._caller = [u for u in by_time if u.speaker == "caller"]
        self._bot = list(_with_states(by_time))
        self.has_caller = bool(self._caller) or not by_time

    def beside(self, turns: Sequence[HeardTurn]) -> list[TurnWords]:
        """The words of each turn, in order."""
        return [self._during(turn.started_at_s, turn.ended_at_s) for turn in turns]

    def _during(self, started_at_s: float, ended_at_s: float) -> TurnWords:
        said = [
            utterance.text.strip()
            for utterance in self._caller
            if started_at_s <= (utterance.start_s + utterance.end_s) / 2 < ended_at_s
        ]
        text = " ".join(said) or None
        before = [(u, state) for u, state in self._bot if u.start_s < started_at_s]
        if not before:
            return TurnWords(text)
        last, state = before[-1]
        return TurnWords(text, state, barge_in=last.end_s - started_at_s > BARGE_IN_S)


class PromptStates:
    """Names for a bot's prompts: the same words, whatever their case and marks, the same name."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}

    def name(self, text: str) -> str:
        """`prompt-1`, `prompt-2` … in the order in which they are first said."""
        words = " ".join(re.findall(r"\w+", text.casefold()))
        return self._known.setdefault(words, f"prompt-{len(self._known) + 1}")


def _with_states(utterances: Sequence[Utterance]) -> Iterator[tuple[Utterance, str]]:
    prompts = PromptStates()
    for utterance in utterances:
        if utterance.speaker == "bot":
            yield utterance, utterance.dialog_state or prompts.name(utterance.text)
