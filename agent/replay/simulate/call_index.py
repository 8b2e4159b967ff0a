"""The calls of one run, sorted and without duplicates, in a database on disk."""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

import duckdb
import pyarrow as pa

from ....models.errors import shown
from .call_source import Task
from .duckdb_io import count_rows, create_table
from .find_calls import NoCallsError
from .label_files import LabelRow
from .statistics.call_labels import CallLabel

_CALL = pa.schema(
    {
        "call_id": pa.string(),
        "place": pa.string(),
        "started_at": pa.string(),
        "evidence_key": pa.string(),
        "turns_key": pa.string(),
        "source": pa.binary(),
    }
)
_LABEL = pa.schema(
    {
        "call_id": pa.string(),
        "distressed": pa.bool_(),
        "span": pa.list_(pa.float64()),
    }
)
_DUPLICATE = """
    SELECT min(place), max(place), call_id FROM unsorted_calls
    GROUP BY call_id HAVING min(place) <> max(place) ORDER BY call_id LIMIT 1
"""
_SORT_CALLS = """
    CREATE TABLE calls AS SELECT * FROM unsorted_calls
    QUALIFY row_number() OVER (PARTITION BY call_id ORDER BY rowid) = 1 ORDER BY call_id;
    DROP TABLE unsorted_calls
"""
_GROUP_LABELS = """
    CREATE TABLE labels AS
    SELECT call_id, bool_or(distressed) AS distressed,
        list(span ORDER BY span) FILTER (span IS NOT NULL) AS spans
    FROM label_rows GROUP BY call_id ORDER BY call_id;
    DROP TABLE label_rows
"""


class CallIndex:
    """The tables `calls`, sorted by call id (a call's `rowid` is its number), and `labels`."""

    def __init__(self, database: duckdb.DuckDBPyConnection, tasks: Iterable[Task]) -> None:
        """Take all calls; duplicates of a recording count once.

        Raises:
            NoCallsError: two recordings have the same call id.
        """
        self._database = database
        create_table(database, "unsorted_calls", _CALL, map(_call_row, tasks))
        duplicate = database.execute(_DUPLICATE).fetchone()
        if duplicate is not None:
            one, other, call_id = duplicate
            raise NoCallsError(
                f"{one} and {other} are both call {call_id}; "
                "give them ids in a manifest (call_id, path)"
            )
        database.execute(_SORT_CALLS)
        self.labelled: int | None = None

    def __len__(self) -> int:
        return count_rows(self._database, "calls")

    def label(self, rows: Iterable[LabelRow]) -> None:
        """Store the labels; `labelled` is the number of calls that they name."""
        create_table(self._database, "label_rows", _LABEL, map(asdict, rows))
        self._database.execute(_GROUP_LABELS)
        self.labelled = count_rows(self._database, "labels")

    def unmatched(self) -> list[str]:
        """The ids of labels that match no call."""
        if self.labelled is None:
            return []
        found = self._database.execute(
            "SELECT call_id FROM labels ANTI JOIN calls USING (call_id) ORDER BY call_id"
        )
        return [call_id for (call_id,) in found.fetchall()]

    def labels(self, call_ids: Sequence[str]) -> dict[str, CallLabel]:
        """The labels of some of the calls, by call id."""
        if self.labelled is None:
            return {}
        found = self._database.execute(
            "SELECT * FROM labels WHERE call_id IN (SELECT unnest(?))", [list(call_ids)]
        )
        return {
            call_id: CallLabel(distressed, tuple(map(tuple, spans or ())))
            for call_id, distressed, spans in found.fetchall()
        }

    def tasks(self, call_ids: Sequence[str]) -> dict[str, Task]:
        """Some of the calls, by call id."""
        found = self._database.execute(
            "SELECT * FROM calls WHERE call_id IN (SELECT unnest(?))", [list(call_ids)]
        )
        return {row[0]: task_of(row) for row in found.fetchall()}


def _call_row(task: Task) -> dict[str, Any]:
    source = task.source
    return {
        "call_id": source.call_id,
        "place": shown(source.place),
        "started_at": source.started_at.isoformat() if source.started_at else None,
        "evidence_key": task.evidence_key,
        "turns_key": task.turns_key,
        "source": pickle.dumps(source),
    }


def task_of(row: Sequence[Any], known_turns: Sequence[Sequence[float]] | None = None) -> Task:
    """The call of a row of the table `calls`."""
    _, _, _, evidence_key, turns_key, source = row
    known: Any = None if known_turns is None else tuple(map(tuple, known_turns))
    return Task(pickle.loads(source), evidence_key, turns_key, known)  # noqa: S301 - written above
