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
from ..transcript_names import ENDINGS, call_named, complaints, first_of, name_for
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
    """Where one call's words are: a file of its own, or some `lines` of a file of many calls.

    `beside` if nobody named it: it was found beside the recording.
    """

    place: str | None
    lines: tuple[ByteRange, ...] | None = None
    beside: bool = False


class TranscriptIndex:
    """A folder of transcripts named by call id, or one file of lines without times.

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
            endings = ", ".join(ENDINGS)
            raise UnreadableInputError(place, f"holds no transcripts (<call id>{endings})")
        self._several: list[list[str]] = []
        self._missing = 0
        database.execute("CREATE TABLE used_transcripts (call_id VARCHAR)")

    def of(self, call_ids: Sequence[str]) -> dict[str, TranscriptPlace]:
        """Where the words of these calls are, by call id."""
        found = self._database.execute(
            "SELECT call_id, list(place ORDER BY place), list(line ORDER BY line) FROM transcripts "
            "WHERE lower(call_id) IN (SELECT lower(unnest(?))) GROUP BY call_id",
            [call_ids],
        ).fetchall()
        named: dict[str, dict[str, tuple[list[str], list[ByteRange]]]] = {}
        for name, places, lines in found:
            named.setdefault(name.lower(), {})[name] = (places, lines)
        chosen, used = {}, []
        for call_id in call_ids:
            names = named.get(call_id.lower(), {})
            name = name_for(call_id, names, call_ids)
            if name is None:
                chosen[call_id] = TranscriptPlace(self._file, None if self._file is None else ())
                self._missing += 1
                continue
            used.append(name)
            places, lines = names[name]
            if self._file is not None:
                chosen[call_id] = TranscriptPlace(
                    self._file, tuple((at, length) for at, length in lines)
                )
                continue
            chosen[call_id] = TranscriptPlace(first_of(places))
            if len(places) > 1:
                self._several.append(places)
        self._database.execute("INSERT INTO used_transcripts SELECT unnest(?::VARCHAR[])", [used])
        return chosen

    def complaints(self) -> list[str]:
        """What to say about these transcripts once all calls were looked up."""
        unused = self._database.execute(
            "SELECT DISTINCT call_id FROM transcripts "
            "ANTI JOIN used_transcripts USING (call_id) ORDER BY call_id"
        ).fetchall()
        return complaints(self._several, [name for (name,) in unused], self._missing)


def _files(place: str) -> Iterator[dict[str, Any]]:
    for file in list_files(place):
        name = call_named(file)
        if name is not None:
            yield {"call_id": shown(name), "place": shown(file)}


def _lines(place: str) -> Iterator[dict[str, Any]]:
    with open_file(place) as file:
        for line, line_range in read_untimed_lines(file, place):
            yield {"call_id": line.call_id, "line": line_range}
