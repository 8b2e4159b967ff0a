"""Finds the transcripts of recorded calls once, and looks them up for a batch of calls."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import duckdb
import pyarrow as pa

from ....models.errors import UnreadableInputError, shown
from ..alignment import ByteRange, read_untimed_lines
from .duckdb_io import create_table
from .storage import list_files, open_file

_TRANSCRIPT = pa.schema(
    {
        "call_id": pa.string(),
        "place": pa.string(),
        "line": pa.list_(pa.int64()),
    }
)


@dataclass(frozen=True, slots=True)
class TranscriptPlace:
    """Where one call's words are: a file of its own, or some `lines` of a file of many calls."""

    place: str | None
    lines: tuple[ByteRange, ...] | None = None


class TranscriptIndex:
    """A folder of `<call id>.jsonl`, or one file of lines without times.

    The table `transcripts` holds places, no words.
    """

    def __init__(self, database: duckdb.DuckDBPyConnection, place: str) -> None:
        """List the transcripts at a place.

        Raises:
            UnreadableInputError: there are none.
            TranscriptError: a line of the file is not valid.
        """
        self._database = database
        self._file = place if PurePosixPath(place).suffix.lower() == ".jsonl" else None
        rows = _files(place) if self._file is None else _lines(place)
        if not create_table(database, "transcripts", _TRANSCRIPT, rows) and self._file is None:
            raise UnreadableInputError(place, "holds no transcripts (<call id>.jsonl)")

    def of(self, call_ids: Sequence[str]) -> dict[str, TranscriptPlace]:
        """Where the words of these calls are, by call id."""
        found = self._database.execute(
            "SELECT call_id, max(place), list(line ORDER BY line) FROM transcripts "
            "WHERE call_id IN (SELECT unnest(?)) GROUP BY call_id",
            [call_ids],
        ).fetchall()
        if self._file is None:
            return {call_id: TranscriptPlace(place) for call_id, place, _ in found}
        lines = {call_id: tuple(map(tuple, ranges)) for call_id, _, ranges in found}
        return {
            call_id: TranscriptPlace(self._file, lines.get(call_id, ())) for call_id in call_ids
        }


def _files(place: str) -> Iterator[dict[str, Any]]:
    for file in list_files(place):
        name = PurePosixPath(file)
        if name.suffix.lower() == ".jsonl":
            yield {"call_id": shown(name.stem), "place": shown(file)}


def _lines(place: str) -> Iterator[dict[str, Any]]:
    with open_file(place) as file:
        for line, line_range in read_untimed_lines(file, place):
            yield {"call_id": line.call_id, "line": line_range}
