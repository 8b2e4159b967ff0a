"""Transcripts without times, aligned to the caller's turns by the Needleman-Wunsch algorithm.

Both sequences keep their order. A line matches a turn as well as the turn's length fits the text; a
gap costs a constant: lines without a turn (speech recognition heard what the VAD did not) and turns
without a line (noise, or a missed line).

S. B. Needleman, C. D. Wunsch: A general method applicable to the search for similarities in the
amino acid sequence of two proteins, 1970.
"""

from __future__ import annotations

from codecs import BOM_UTF8
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, BinaryIO

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, BeforeValidator, ValidationError

from ...models.errors import first_complaint
from ...models.reader import VoiceTurn
from ...models.readings import TurnReading
from .speakers import Speaker, role
from .turn_words import PromptStates, Stretch, TranscriptError, TurnWords, unplaced
from .vendor_transcripts import S_AROUND, S_PER_CHARACTER

_SKIP_LINE_COST = 1.0
_SKIP_TURN_COST = 0.7


class UntimedLine(BaseModel, frozen=True, extra="ignore"):
    """One line of a transcript file without times."""

    call_id: str
    order: int
    speaker: Annotated[Speaker, BeforeValidator(lambda name: role(name) or name)]
    text: str


class AlignedTranscript:
    """One call's lines in order, each (speaker, text)."""

    def __init__(self, lines: Sequence[tuple[Speaker, str]], warnings: Sequence[str] = ()) -> None:
        prompts, state, prompted, prompt = PromptStates(), None, False, None
        self._said: list[TurnWords] = []
        for speaker, text in lines:
            if speaker == "caller":
                self._said.append(TurnWords(text, state, prompted, prompt=prompt))
                prompted = False
            elif speaker == "bot":
                state, prompted, prompt = prompts.name(text), True, text
        self._speakers = [speaker for speaker, _ in lines]
        self._warnings = tuple(warnings)

    @property
    def others(self) -> Mapping[Speaker, Sequence[Stretch]]:
        """Unknown without times."""
        return {}

    def warnings(
        self,
        turns: Sequence[VoiceTurn | TurnReading],
        duration_s: float,
        *,
        channels: int | None = None,
    ) -> tuple[str, ...]:
        """What of these words is not used, and whether others may be on the caller's channel."""
        found = [*self._warnings]
        lost = len(self._said) - sum(line is not None for line in self._lines(turns))
        if unused := unplaced(self._speakers, lost):
            found.append(unused)
        if channels == 1 and self._said and "agent" in self._speakers:
            found.append(
                "the recording has one channel and the transcript holds an agent's lines, but no "
                "times: if the agent is on it too, their turns were read as the caller's"
            )
        return tuple(found)

    def align(self, turns: Sequence[VoiceTurn | TurnReading]) -> list[TurnWords]:
        """The words of each turn; a turn without a line keeps the dialog state before it."""
        found: list[TurnWords] = []
        state = None
        for line in self._lines(turns):
            said = TurnWords(None, state) if line is None else self._said[line]
            state = said.dialog_state
            found.append(said)
        return found

    def _lines(self, turns: Sequence[VoiceTurn | TurnReading]) -> list[int | None]:
        durations_s = [turn.ended_at_s - turn.started_at_s for turn in turns]
        return _needleman_wunsch(_match_costs(durations_s, self._said))


ByteRange = tuple[int, int]
"""The offset and the length of a line in a file, in bytes."""


def read_untimed(path: Path) -> dict[str, AlignedTranscript]:
    """Read JSON lines with call_id, order, speaker and text; return the transcripts by call id.

    Raises:
        TranscriptError: the file cannot be read, or a line is not valid.
    """
    calls: dict[str, list[tuple[int, Speaker, str]]] = defaultdict(list)
    with _opened(path) as file:
        for row, _ in read_untimed_lines(file, path):
            calls[row.call_id].append((row.order, row.speaker, row.text))
    return {
        call_id: AlignedTranscript([(speaker, text) for _, speaker, text in sorted(rows)])
        for call_id, rows in calls.items()
    }


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    try:
        with path.open("rb") as file:
            yield file
    except OSError as error:
        raise TranscriptError(path, f"cannot be read ({error})") from error


def read_untimed_lines(file: BinaryIO, path: str | Path) -> Iterator[tuple[UntimedLine, ByteRange]]:
    """Each line of such a file with its byte range; `path` is for messages.

    Raises:
        TranscriptError: a line is not valid.
    """
    at = 0
    for number, line in enumerate(file, 1):
        if line.removeprefix(BOM_UTF8).strip():
            yield _line(line, path, f"line {number}"), (at, len(line))
        at += len(line)


def read_untimed_at(
    file: BinaryIO, path: str | Path, ranges: Sequence[ByteRange]
) -> AlignedTranscript:
    """Read one call's transcript from the byte ranges of its lines.

    Raises:
        TranscriptError: a line is not valid.
    """
    rows = []
    for start, length in ranges:
        file.seek(start)
        row = _line(file.read(length), path, f"byte {start}")
        rows.append((row.order, row.speaker, row.text))
    return AlignedTranscript([(speaker, text) for _, speaker, text in sorted(rows)])


def _line(line: bytes, path: str | Path, where: str) -> UntimedLine:
    try:
        return UntimedLine.model_validate_json(line.removeprefix(BOM_UTF8))
    except ValidationError as error:
        raise TranscriptError(path, f"{where}: {first_complaint(error)}") from error


def _match_costs(durations_s: Sequence[float], said: Sequence[TurnWords]) -> NDArray[np.float64]:
    """For each turn (row) and line (column): how far the turn's length is from what the text takes.

    The absolute logarithm of the ratio.
    """
    lengths = np.array([len(words.text or "") for words in said], np.float64)
    expected_s = S_AROUND + S_PER_CHARACTER * lengths
    turns_s = np.array(durations_s, np.float64)[:, None]
    return np.abs(np.log((turns_s + 0.1) / (expected_s + 0.1)))


def _needleman_wunsch(match: NDArray[np.float64]) -> list[int | None]:
    """For each turn the number of its line, or None for a gap, at the least total cost."""
    turns, lines = match.shape
    cost = np.zeros((turns + 1, lines + 1))
    cost[0] = _SKIP_LINE_COST * np.arange(lines + 1)
    cost[:, 0] = _SKIP_TURN_COST * np.arange(turns + 1)
    for i in range(1, turns + 1):
        for j in range(1, lines + 1):
            cost[i, j] = min(
                cost[i - 1, j - 1] + match[i - 1, j - 1],
                cost[i - 1, j] + _SKIP_TURN_COST,
                cost[i, j - 1] + _SKIP_LINE_COST,
            )
    found: list[int | None] = [None] * turns
    i, j = turns, lines
    while i and j:
        if cost[i, j] == cost[i - 1, j - 1] + match[i - 1, j - 1]:
            i, j = i - 1, j - 1
            found[i] = j
        elif cost[i, j] == cost[i - 1, j] + _SKIP_TURN_COST:
            i -= 1
        else:
            j -= 1
    return found
