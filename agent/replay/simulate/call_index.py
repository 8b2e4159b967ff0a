"""The calls of one run, sorted and each once, in a database on disk instead of in memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import duckdb
import pyarrow as pa

from ....models.audio.recording import CallerChannel
from .call_source import CallSource, Task
from .duckdb_io import count_rows, fill
from .find_calls import NoCallsError
from .label_files import LabelRow
from .statistics.call_labels import CallLabel

_CALL = pa.schema(
    [
        ("call_id", pa.string()),
        ("place", pa.string()),
        ("recording", pa.string()),
        ("words", pa.string()),
        ("transcript", pa.string()),
        ("lines", pa.list_(pa.list_(pa.int64()))),
        ("caller_channel", pa.string()),
        ("started_at", pa.string()),
        ("evidence_key", pa.string()),
        ("turns_key", pa.string()),
    ]
)
TASK = ", ".join(f"calls.{name}" for name in _CALL.names)
"""The columns that `task_of` reads."""

_LABEL = pa.schema(
    [
        ("call_id", pa.string()),
        ("distressed", pa.bool_()),
        ("start_s", pa.float64()),
        ("end_s", pa.float64()),
    ]
)
_SORTED = """
    CREATE TABLE calls AS SELECT * FROM named
    QUALIFY row_number() OVER (PARTITION BY call_id ORDER BY rowid) = 1 ORDER BY call_id
"""
_TWICE = """
    SELECT min(place), max(place), call_id FROM named
    GROUP BY call_id HAVING min(place) <> max(place) ORDER BY call_id LIMIT 1
"""
_GATHERED = """
    CREATE TABLE labels AS
    SELECT calls.rowid AS number, said.* FROM (
        SELECT call_id, bool_or(distressed) AS distressed,
            list([start_s, end_s] ORDER BY start_s, end_s) FILTER (start_s IS NOT NULL) AS spans
        FROM labelled GROUP BY call_id
    ) said LEFT JOIN calls USING (call_id) ORDER BY number
"""


class CallIndex:
    """The table `calls`, by call id; a call's `rowid` is its number. With `labels` where known."""

    def __init__(self, database: duckdb.DuckDBPyConnection, tasks: Iterable[Task]) -> None:
        """Take all calls; one that is named twice counts once.

        Raises:
            NoCallsError: two recordings have the same call id.
        """
        self._database = database
        fill(database, "named", _CALL, map(_call_row, tasks))
        twice = database.execute(_TWICE).fetchone()
        if twice is not None:
            one, other, call_id = twice
            raise NoCallsError(
                f"{one} and {other} are both call {call_id}; "
                "give them ids in a manifest (call_id, path)"
            )
        database.execute(_SORTED)
        database.execute("DROP TABLE named")
        self.labelled: int | None = None

    def __len__(self) -> int:
        return count_rows(self._database, "calls")

    def label(self, rows: Iterable[LabelRow]) -> None:
        """Put labels beside the calls."""
        fill(self._database, "labelled", _LABEL, map(_label_row, rows))
        self._database.execute(_GATHERED)
        self._database.execute("DROP TABLE labelled")
        self.labelled = count_rows(self._database, "labels")

    def unmatched(self) -> list[str]:
        """The labels of none of the calls, by call id."""
        if self.labelled is None:
            return []
        found = self._database.execute(
            "SELECT call_id FROM labels WHERE number IS NULL ORDER BY call_id"
        ).fetchall()
        return [call_id for (call_id,) in found]

    def labels(self, first: int, last: int) -> dict[str, CallLabel]:
        """The labels of the calls from one number to another, both included, by call id."""
        return self._labels("number BETWEEN ? AND ?", [first, last])

    def labels_of(self, call_ids: Sequence[str]) -> dict[str, CallLabel]:
        """The labels of some of the calls, by call id."""
        if self.labelled is None:
            return {}
        return self._labels("list_contains(?, call_id)", [list(call_ids)])

    def _labels(self, which: str, values: list[Any]) -> dict[str, CallLabel]:
        found = self._database.execute(
            f"SELECT call_id, distressed, spans FROM labels WHERE {which}",  # noqa: S608 - ours
            values,
        ).fetchall()
        return {
            call_id: CallLabel(distressed, _pairs(spans) or ())
            for call_id, distressed, spans in found
        }

    def tasks(self, call_ids: Sequence[str]) -> dict[str, Task]:
        """Some of the calls, by call id."""
        found = self._database.execute(
            f"SELECT {TASK} FROM calls WHERE list_contains(?, call_id)",  # noqa: S608 - ours
            [list(call_ids)],
        ).fetchall()
        return {row[0]: task_of(row) for row in found}


def _call_row(task: Task) -> dict[str, Any]:
    source = task.source
    return {
        "call_id": source.call_id,
        "place": source.place,
        "recording": source.recording,
        "words": source.words,
        "transcript": source.transcript,
        "lines": source.lines,
        "caller_channel": source.caller_channel,
        "started_at": source.started_at.isoformat() if source.started_at else None,
        "evidence_key": task.evidence_key,
        "turns_key": task.turns_key,
    }


def task_of(row: Sequence[Any], known_turns: Sequence[Sequence[float]] | None = None) -> Task:
    """The call of a row with the columns `TASK`."""
    call_id, place, recording, words, transcript, lines, channel, started_at, evidence, turns = row
    source = CallSource(
        call_id=call_id,
        place=place,
        recording=recording,
        words=words,
        transcript=transcript,
        lines=_pairs(lines),
        caller_channel=CallerChannel(channel) if channel else None,
        started_at=datetime.fromisoformat(started_at) if started_at else None,
    )
    return Task(source, evidence, turns, _pairs(known_turns))


def _pairs(rows: Sequence[Sequence[Any]] | None) -> tuple[tuple[Any, Any], ...] | None:
    return tuple((one, other) for one, other in rows) if rows is not None else None


def _label_row(row: LabelRow) -> dict[str, Any]:
    start_s, end_s = row.span if row.span is not None else (None, None)
    return {
        "call_id": row.call_id,
        "distressed": row.distressed,
        "start_s": start_s,
        "end_s": end_s,
    }
