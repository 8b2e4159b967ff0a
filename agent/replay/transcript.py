"""The words of a recorded call, beside its turns: lines with start_s, end_s, text and speaker.

A bot's line may name its `dialog_state`; if it does not, prompts with the same words share a state.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Annotated, Protocol, Self

from pydantic import BaseModel, Field, ValidationError, model_validator

from ...models.audio.recording import CallerChannel
from ...models.conversation import BARGE_IN_S
from ...models.errors import UnreadableInputError, first_complaint
from ...models.reader import VoiceTurn
from ...models.readings import TurnReading
from .speakers import Speaker, Spoken, assign_speakers
from .vendor_transcripts import parse_transcript

NEAR_S = 3.0
"""Words at most this far from any turn belong to the nearest one."""

UNPLACED_SHARE = 0.2
"""A warning says how many of the caller's lines found no turn, from this share on."""

NOTHING_SAID = "the transcript holds nothing that the caller said"

_EPOCH_S = 1e8
_LONG_LINE_S = 60.0
"""Nobody says a line for so long; lines in milliseconds look like that."""
_AROUND_LINE_S = 0.1
"""Recognisers cut lines a little short."""

Stretch = tuple[float, float]
"""From when to when, in seconds."""


class TranscriptError(UnreadableInputError):
    """A transcript is missing, or a line of it is not valid; the message says which."""


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

    The caller is whom the file calls so, or else the speaker on `caller_channel`, or
    `caller_speaker`.

    Raises:
        TranscriptError: as `read_utterances`.
    """
    lines, roles, warnings = _read(path, caller_channel, caller_speaker)
    if not lines:
        warnings = ("the transcript is empty",)
    if lines and not any("start_s" in line.fields for line in lines):
        from .alignment import AlignedTranscript  # noqa: PLC0415 - it builds on this module

        said = [
            (role, str(line.fields.get("text", "")))
            for line, role in zip(lines, roles, strict=True)
            if role is not None
        ]
        return AlignedTranscript(said, warnings)
    return Transcript(_utterances(path, lines, roles), warnings)


def read_utterances(
    path: Path,
    *,
    caller_channel: CallerChannel | str | None = None,
    caller_speaker: str | None = None,
) -> list[TranscriptLine]:
    """Read the lines of a transcript with times.

    Raises:
        TranscriptError: the file cannot be read, a line is not a valid utterance, or nothing says
            who the caller is.
    """
    lines, roles, _ = _read(path, caller_channel, caller_speaker)
    return _utterances(path, lines, roles)


def _read(
    path: Path, caller_channel: CallerChannel | str | None, caller_speaker: str | None
) -> tuple[list[Spoken], list[Speaker | None], tuple[str, ...]]:
    try:
        lines = parse_transcript(path.read_bytes())
        return lines, *assign_speakers(lines, caller_channel, caller_speaker)
    except OSError as error:
        raise TranscriptError(path, error.strerror or "cannot be read") from error
    except ValueError as error:
        raise TranscriptError(path, str(error)) from error


def _utterances(
    path: Path, lines: Sequence[Spoken], roles: Sequence[Speaker | None]
) -> list[TranscriptLine]:
    utterances = []
    for line, role in zip(lines, roles, strict=True):
        try:
            checked = TranscriptLine.model_validate(line.fields | {"speaker": role or "agent"})
        except ValidationError as error:
            raise TranscriptError(path, f"{line.where}: {first_complaint(error)}") from error
        if role is not None:
            utterances.append(checked)
    return utterances


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


def unplaced(speakers: Sequence[Speaker], lost: int) -> str | None:
    """What to say if `lost` lines of the caller's found no turn; None if it is a small share."""
    count = speakers.count("caller")
    if speakers and not count:
        others = " and ".join(f"the {name}'s" for name in sorted(set(speakers)))
        return f"{NOTHING_SAID}; its {len(speakers)} lines are {others}"
    if lost < max(1.0, count * UNPLACED_SHARE):
        return None
    return f"{lost} of the caller's {count} lines in the transcript fit no turn and were left out"


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
