"""The words of a recorded call: JSON lines with start_s, end_s, text and speaker."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field, ValidationError, model_validator

from ..models.errors import UnreadableInputError


class TranscriptError(UnreadableInputError):
    """A transcript is missing or a line of it is not an utterance; the message says which line."""


class Utterance(BaseModel, frozen=True, extra="ignore"):
    """One line of a transcript; times in seconds from the start of the recording."""

    start_s: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    end_s: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    text: str
    speaker: Literal["caller", "bot", "agent"]

    @model_validator(mode="after")
    def _ends_after_start(self) -> Self:
        if self.end_s < self.start_s:
            raise ValueError(f"end_s ({self.end_s}) is before start_s ({self.start_s})")
        return self


def read_transcript(path: Path) -> tuple[Utterance, ...]:
    """Read a transcript, in order of time.

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
    return tuple(sorted(utterances, key=lambda utterance: utterance.start_s))


def caller_words(
    utterances: Sequence[Utterance], started_at_s: float, ended_at_s: float
) -> str | None:
    """What the caller said in a turn: each utterance goes where most of it lies.

    None when the transcript has nothing from the caller there.
    """
    said = [
        utterance.text.strip()
        for utterance in utterances
        if utterance.speaker == "caller"
        and started_at_s <= (utterance.start_s + utterance.end_s) / 2 <= ended_at_s
    ]
    return " ".join(said) or None
