"""Where the words of recorded calls are: found once, looked up a block of calls at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import duckdb
import pyarrow as pa

from ....models.errors import UnreadableInputError
from ..alignment import ByteRange, read_untimed_lines
from .duckdb_io import create_table
from .storage import found, reading

_FILES = pa.schema([("call_id", pa.string()), ("place", pa.string())])
_LINES = pa.schema([("call_id", pa.string()), ("start", pa.int64()), ("length", pa.int64())])


@dataclass(frozen=True, slots=True)
class Words:
    """Where one call's words are: in a file of its own, or in some `lines` of an untimed one."""

    place: str | None
    lines: tuple[ByteRange, ...] | None = None


class TranscriptIndex:
    """A folder of `<call id>.jsonl`, or one file of untimed lines.

    Places are kept in the table `transcripts`, no word of what is there.
    """

    def __init__(self, database: duckdb.DuckDBPyConnection, place: str) -> None:
        """Look at what lies at a place.

        Raises:
            UnreadableInputError: there is nothing.
            TranscriptError: a line is not one of an untimed transcript.
        """
        self._database = database
        self._untimed = place if PurePosixPath(place).suffix.lower() == ".jsonl" else None
        if self._untimed is not None:
            create_table(database, "transcripts", _LINES, _lines(place))
        elif not create_table(database, "transcripts", _FILES, _files(place)):
            raise UnreadableInputError(place, "holds no transcripts (<call id>.jsonl)")

    def of(self, call_ids: Iterable[str]) -> dict[str, Words]:
        """Where the words of these calls are, by call id."""
        wanted = [list(call_ids)]
        if self._untimed is None:
            files = self._database.execute(
                "SELECT call_id, max(place) FROM transcripts "
                "WHERE list_contains(?, call_id) GROUP BY call_id",
                wanted,
            ).fetchall()
            return {call_id: Words(place) for call_id, place in files}
        lines = dict(
            self._database.execute(
                "SELECT call_id, list([start, length] ORDER BY start) FROM transcripts "
                "WHERE list_contains(?, call_id) GROUP BY call_id",
                wanted,
            ).fetchall()
        )
        return {
            call_id: Words(
                self._untimed, tuple((start, length) for start, length in lines.get(call_id, ()))
            )
            for call_id in wanted[0]
        }


def _files(place: str) -> Iterator[dict[str, Any]]:
    for file in found(place):
        name = PurePosixPath(file)
        if name.suffix.lower() == ".jsonl":
            yield {"call_id": name.stem, "place": file}


def _lines(place: str) -> Iterator[dict[str, Any]]:
    with reading(place) as file:
        for line, (start, length) in read_untimed_lines(file, place):
            yield {"call_id": line.call_id, "start": start, "length": length}
