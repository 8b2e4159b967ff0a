"""The words of a recorded call: JSON lines with start_s, end_s, text and speaker.

A bot's line may name its `dialog_state`; if it does not, prompts with the same words share a state.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Protocol, Self

from pydantic import BaseModel, Field, ValidationError, model_validator

from ...models.conversation import BARGE_IN_S
from ...models.errors import UnreadableInputError, first_complaint
from ...models.reader import VoiceTurn
from ...models.readings import TurnReading

NEAR_S = 3.0
"""Words at most this far from any turn belong to the nearest one."""


class TranscriptError(UnreadableInputError):
    """A transcript is missing, or a line of it is not valid; the message says which."""


Speaker = Literal["caller", "bot", "agent"]


class TranscriptLine(BaseModel, frozen=True, extra="ignore"):
    """One line of a transcript; times in seconds from the start of the recording."""

    start_s: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    end_s: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    text: str
    speaker: Speaker
    dialog_state: str | None = None

    @model_validator(mode="after")
    def _ends_after_start(self) -> Self:
        if self.end_s < self.start_s:
            raise ValueError(f"end_s ({self.end_s}) is before start_s ({self.start_s})")
        return self


def read_transcript(path: Path) -> Transcript:
    """Read a transcript.

    Raises:
        TranscriptError: as `read_utterances`.
    """
    return Transcript(read_utterances(path))


def read_utterances(path: Path) -> list[TranscriptLine]:
    """Read the lines of a transcript.

    Raises:
        TranscriptError: the file cannot be read, or a line is not a valid utterance.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise TranscriptError(path, "is not UTF-8 text") from error
    except OSError as error:
        raise TranscriptError(path, error.strerror or "cannot be read") from error
    utterances = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            utterances.append(TranscriptLine.model_validate_json(line))
        except ValidationError as error:
            raise TranscriptError(path, f"line {number}: {first_complaint(error)}") from error
    return utterances


@dataclass(frozen=True, slots=True)
class TurnWords:
    """What a transcript says about one caller turn.

    `text` is None if the caller has no words there; `prompted` is whether the bot spoke since the
    previous turn; `barge_in` as in `CallReader.read`.
    """

    text: str | None = None
    dialog_state: str | None = None
    prompted: bool = False
    barge_in: bool = False


class TranscriptLike(Protocol):
    """The words of one call, however they are aligned to its turns."""

    @property
    def has_caller(self) -> bool:
        """False if there are words, but none of the caller's."""

    def align(self, turns: Sequence[VoiceTurn | TurnReading]) -> list[TurnWords]:
        """The words of each turn, in order."""


class Transcript:
    """Utterances with their times: each belongs to the turn that it overlaps, or to the nearest."""

    def __init__(self, utterances: Sequence[TranscriptLine] = ()) -> None:
        by_time = sorted(utterances, key=lambda utterance: utterance.start_s)
        self._caller = [u for u in by_time if u.speaker == "caller"]
        self._bot = list(with_states(by_time))
        self.has_caller = bool(self._caller) or not by_time

    def align(self, turns: Sequence[VoiceTurn | TurnReading]) -> list[TurnWords]:
        """The words of each turn, in order."""
        said: list[list[str]] = [[] for _ in turns]
        for utterance in self._caller:
            middle_s = (utterance.start_s + utterance.end_s) / 2
            away = [max(t.started_at_s - middle_s, middle_s - t.ended_at_s, 0.0) for t in turns]
            if away and min(away) <= NEAR_S:
                said[away.index(min(away))].append(utterance.text.strip())
        found, asked = [], 0
        for turn, lines in zip(turns, said, strict=True):
            before = [pair for pair in self._bot if pair[0].start_s < turn.started_at_s]
            text = " ".join(lines) or None
            if before:
                last, state = before[-1]
                barge_in = last.end_s - turn.started_at_s > BARGE_IN_S
                found.append(TurnWords(text, state, len(before) > asked, barge_in))
            else:
                found.append(TurnWords(text))
            asked = len(before)
        return found


class PromptStates:
    """Names for a bot's prompts; case and punctuation make no difference."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}

    def name(self, text: str) -> str:
        """`prompt-1`, `prompt-2` …, numbered by first use."""
        words = " ".join(re.findall(r"\w+", text.casefold()))
        return self._known.setdefault(words, f"prompt-{len(self._known) + 1}")


def with_states(utterances: Sequence[TranscriptLine]) -> Iterator[tuple[TranscriptLine, str]]:
    """The bot's utterances, each with its dialog state; takes all utterances in order of time."""
    prompts = PromptStates()
    for utterance in utterances:
        if utterance.speaker == "bot":
            yield utterance, utterance.dialog_state or prompts.name(utterance.text)
