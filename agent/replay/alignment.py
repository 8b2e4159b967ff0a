"""Transcripts that say what was said in which order, but not when.

The caller's lines are put beside the turns that were heard by dynamic programming: in order, each
line to a turn of about the length that its words take; lines without a turn (the recogniser heard
something that we did not) and turns without a line (noise, or a line missed) cost a little.
"""

from __future__ import annotations

import math
from codecs import BOM_UTF8
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
from pydantic import BaseModel, ValidationError

from ...models.errors import first_complaint
from ...models.reader import VoiceTurn
from .transcript import PromptStates, Speaker, TranscriptError, TurnWords

_S_PER_CHARACTER = 0.07
_S_AROUND = 0.25
_SKIPPED_LINE = 1.0
_SKIPPED_TURN = 0.7


class UntimedLine(BaseModel, frozen=True, extra="ignore"):
    """One line of such a file."""

    call_id: str
    order: int
    speaker: Speaker
    text: str


class UntimedTranscript:
    """One call's lines in order, each (speaker, text) with speaker "caller" or "bot"."""

    def __init__(self, lines: Sequence[tuple[str, str]]) -> None:
        prompts, state, prompted = PromptStates(), None, False
        self._said: list[TurnWords] = []
        for speaker, text in lines:
            if speaker == "caller":
                self._said.append(TurnWords(text, state, prompted))
                prompted = False
            else:
                state, prompted = prompts.name(text), True
        self.has_caller = bool(self._said) or not lines

    def beside(self, turns: Sequence[VoiceTurn]) -> list[TurnWords]:
        """The words of each turn; a turn without a line keeps the dialog state before it."""
        durations_s = [turn.ended_at_s - turn.started_at_s for turn in turns]
        found: list[TurnWords] = []
        state = None
        for line in _aligned(durations_s, self._said):
            said = TurnWords(None, state) if line is None else self._said[line]
            state = said.dialog_state
            found.append(said)
        return found


Stretch = tuple[int, int]
"""Where in a file a line begins, in bytes, and how long it is."""


def read_untimed(path: Path) -> dict[str, UntimedTranscript]:
    """Read JSON lines with call_id, order, speaker and text; the transcripts by call id.

    Raises:
        TranscriptError: the file cannot be read, or a line is not such a line.
    """
    calls: dict[str, list[tuple[int, str, str]]] = defaultdict(list)
    with _opened(path) as file:
        for row, _ in untimed_lines(file, path):
            calls[row.call_id].append((row.order, row.speaker, row.text))
    return {
        call_id: UntimedTranscript([(speaker, text) for _, speaker, text in sorted(rows)])
        for call_id, rows in calls.items()
    }


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    try:
        with path.open("rb") as file:
            yield file
    except OSError as error:
        raise TranscriptError(path, f"cannot be read ({error})") from error


def untimed_lines(file: BinaryIO, path: str | Path) -> Iterator[tuple[UntimedLine, Stretch]]:
    """Each line of such a file, and where it is; `path` is for messages.

    Raises:
        TranscriptError: a line is not such a line.
    """
    at = 0
    for number, line in enumerate(file, 1):
        if line.removeprefix(BOM_UTF8).strip():
            yield _line(line, path, f"line {number}"), (at, len(line))
        at += len(line)


def untimed_at(file: BinaryIO, path: str | Path, stretches: Sequence[Stretch]) -> UntimedTranscript:
    """One call's transcript from where its lines are. Raises TranscriptError, as above."""
    rows = []
    for start, length in stretches:
        file.seek(start)
        row = _line(file.read(length), path, f"byte {start}")
        rows.append((row.order, row.speaker, row.text))
    return UntimedTranscript([(speaker, text) for _, speaker, text in sorted(rows)])


def _line(line: bytes, path: str | Path, where: str) -> UntimedLine:
    try:
        return UntimedLine.model_validate_json(line.removeprefix(BOM_UTF8))
    except ValidationError as error:
        raise TranscriptError(path, f"{where}: {first_complaint(error)}") from error


def _aligned(durations_s: Sequence[float], said: Sequence[TurnWords]) -> list[int | None]:
    """For each turn the number of its line, or None; the cheapest way to pair both in order."""
    turns, lines = len(durations_s), len(said)
    cost = np.full((turns + 1, lines + 1), math.inf)
    cost[0] = _SKIPPED_LINE * np.arange(lines + 1)
    cost[:, 0] = _SKIPPED_TURN * np.arange(turns + 1)
    pair = np.array([[_mismatch(d, w.text or "") for w in said] for d in durations_s])
    for i in range(1, turns + 1):
        for j in range(1, lines + 1):
            cost[i, j] = min(
                cost[i - 1, j - 1] + pair[i - 1, j - 1],
                cost[i - 1, j] + _SKIPPED_TURN,
                cost[i, j - 1] + _SKIPPED_LINE,
            )
    found: list[int | None] = [None] * turns
    i, j = turns, lines
    while i and j:
        if cost[i, j] == cost[i - 1, j - 1] + pair[i - 1, j - 1]:
            i, j = i - 1, j - 1
            found[i] = j
        elif cost[i, j] == cost[i - 1, j] + _SKIPPED_TURN:
            i -= 1
        else:
            j -= 1
    return found


def _mismatch(duration_s: float, text: str) -> float:
    expected_s = _S_AROUND + _S_PER_CHARACTER * len(text)
    return abs(math.log((duration_s + 0.1) / (expected_s + 0.1)))
