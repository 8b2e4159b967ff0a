"""The words of a recorded call, beside its turns: lines with start_s, end_s, text and speaker.

A bot's line may name its `dialog_state`; if it does not, prompts with the same words share a state.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Annotated, Self

from pydantic import BaseModel, Field, ValidationError, model_validator

from ...models.audio.recording import CallerChannel
from ...models.conversation import BARGE_IN_S
from ...models.errors import first_complaint
from ...models.reader import VoiceTurn
from ...models.readings import TurnReading
from .alignment import AlignedTranscript
from .speakers import Speaker, assign_speakers
from .turn_words import (
    PromptStates,
    Stretch,
    TranscriptError,
    TranscriptLike,
    TurnWords,
    unplaced,
)
from .vendor_transcripts import parse_transcript

NEAR_S = 3.0
"""Words at most this far from any turn belong to the nearest one."""

_EPOCH_S = 1e8
_LONG_LINE_S = 60.0
"""Nobody says a line for so long; lines in milliseconds look like that."""
_AROUND_LINE_S = 0.1
"""Recognisers cut lines a little short."""


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


def read_transcript(
    path: Path,
    *,
    caller_channel: CallerChannel | str | None = None,
    caller_speaker: str | None = None,
) -> TranscriptLike:
    """Read the transcript of one call, in any form that `vendor_transcripts` knows.

    The caller is whom the file calls so, the speaker on `caller_channel`, or `caller_speaker`.

    Raises:
        TranscriptError: the file cannot be read, a line is not a valid utterance, or nothing says
            who the caller is.
    """
    try:
        lines = parse_transcript(path.read_bytes())
        roles, warnings = assign_speakers(lines, caller_channel, caller_speaker)
    except OSError as error:
        raise TranscriptError(path, error.strerror or "cannot be read") from error
    except ValueError as error:
        raise TranscriptError(path, str(error)) from error
    known = [(line, role) for line, role in zip(lines, roles, strict=True) if role or line.is_ours]
    if lines and not any("start_s" in line.fields for line in lines):
        said = [(role, str(line.fields.get("text", ""))) for line, role in known if role]
        return AlignedTranscript(said, warnings)
    utterances = []
    for line, role in known:
        try:
            speaker = {"speaker": role or line.speaker}
            utterances.append(TranscriptLine.model_validate(line.fields | speaker))
        except ValidationError as error:
            raise TranscriptError(path, f"{line.where}: {first_complaint(error)}") from error
    return Transcript(utterances, warnings if lines else ("the transcript is empty",))


class Transcript:
    """Utterances with their times: each belongs to the turn that it overlaps, or to the nearest."""

    def __init__(
        self, utterances: Sequence[TranscriptLine] = (), warnings: Sequence[str] = ()
    ) -> None:
        self.lines = sorted(utterances, key=lambda utterance: utterance.start_s)
        self._caller = [u for u in self.lines if u.speaker == "caller"]
        self._bot = list(with_states(self.lines))
        self._warnings = tuple(warnings)

    @property
    def others(self) -> Mapping[Speaker, Sequence[Stretch]]:
        """When bot and agent speak and the caller does not."""
        own = [(line.start_s, line.end_s) for line in self._caller]
        found: dict[Speaker, list[Stretch]] = {}
        for line in self.lines:
            if line.speaker != "caller":
                around = (line.start_s - _AROUND_LINE_S, line.end_s + _AROUND_LINE_S)
                found.setdefault(line.speaker, []).extend(_without(around, own))
        return found

    def align(self, turns: Sequence[VoiceTurn | TurnReading]) -> list[TurnWords]:
        """The words of each turn, in order."""
        said: list[list[str]] = [[] for _ in turns]
        for utterance in self._caller:
            place = _turn_of(utterance, turns)
            if place is not None:
                said[place].append(utterance.text.strip())
        found, asked = [], 0
        for turn, lines in zip(turns, said, strict=True):
            before = [pair for pair in self._bot if pair[0].start_s < turn.started_at_s]
            text = " ".join(lines) or None
            if before:
                last, state = before[-1]
                barge_in = last.end_s - turn.started_at_s > BARGE_IN_S
                prompted = len(before) > asked
                found.append(TurnWords(text, state, prompted, barge_in, last.text.strip() or None))
            else:
                found.append(TurnWords(text))
            asked = len(before)
        return found

    def warnings(
        self,
        turns: Sequence[VoiceTurn | TurnReading],
        duration_s: float,
        *,
        channels: int | None = None,
    ) -> tuple[str, ...]:
        """What of these words is not used, and probably why."""
        unused = unplaced(
            [line.speaker for line in self.lines],
            sum(_turn_of(line, turns) is None for line in self._caller),
        )
        if unused is not None and self._caller:
            unused += f": {self._guess(duration_s)}"
        return self._warnings if unused is None else (*self._warnings, unused)

    def _guess(self, duration_s: float) -> str:
        """Why its lines fit no turn."""
        first_s, last_s = self.lines[0].start_s, max(line.end_s for line in self.lines)
        inside_s = duration_s + NEAR_S
        if first_s > _EPOCH_S:
            return "its times count from 1970; start_s and end_s count from the recording's start"
        usual_s = median(line.end_s - line.start_s for line in self._caller)
        if last_s > inside_s >= last_s / 1000 and usual_s >= _LONG_LINE_S:
            return "its times look like milliseconds; start_s and end_s are in seconds"
        if last_s > inside_s:
            return (
                f"its last line ends at {last_s:.0f} s, the recording at {duration_s:.0f} s; "
                "is it of another call?"
            )
        return "there is no speech at those times; is it of this call, and of the caller's channel?"


def _turn_of(line: TranscriptLine, turns: Sequence[VoiceTurn | TurnReading]) -> int | None:
    """The number of the turn that the line's middle is in, or near."""
    middle_s = (line.start_s + line.end_s) / 2
    away = [max(turn.started_at_s - middle_s, middle_s - turn.ended_at_s, 0.0) for turn in turns]
    return away.index(min(away)) if away and min(away) <= NEAR_S else None


def _without(stretch: Stretch, taken: Sequence[Stretch]) -> Iterator[Stretch]:
    """What is left of a stretch; `taken` is in order of time."""
    at_s, end_s = max(stretch[0], 0.0), stretch[1]
    for start_s, stop_s in taken:
        if start_s < end_s and stop_s > at_s:
            if start_s > at_s:
                yield at_s, start_s
            at_s = stop_s
    if at_s < end_s:
        yield at_s, end_s


def with_states(utterances: Sequence[TranscriptLine]) -> Iterator[tuple[TranscriptLine, str]]:
    """The bot's utterances, each with its dialog state; takes all utterances in order of time."""
    prompts = PromptStates()
    for utterance in utterances:
        if utterance.speaker == "bot":
            yield utterance, utterance.dialog_state or prompts.name(utterance.text)
