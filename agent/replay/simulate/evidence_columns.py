"""The evidence of a run's calls, gathered from its parts into columns that a replay reads.

All of it lies in the roster's database, on disk; a block of calls at a time is in memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import duckdb
import numpy as np

from ....models.errors import UnreadableInputError, first_line
from ....models.readings import Cue
from .call_index import TASK, CallIndex, task_of
from .call_source import Task
from .duckdb_io import AT_ONCE, columns, count_rows, literal, streamed
from .evidence_cache import EvidenceCache
from .recording_evidence import Row
from .statistics.call_labels import BatchLabels, label_batch
from .vectorized import CallBatch

_PARTS_AT_ONCE = 64
"""Some thousand calls; all turns of theirs, and the parts' footers, are in memory."""

_TABLES = """
    CREATE TABLE heard (number BIGINT, duration_s DOUBLE, turns BIGINT, part VARCHAR);
    CREATE TABLE turns (
        number BIGINT, turn INTEGER, started_at_s DOUBLE, ended_at_s DOUBLE,
        log_likelihood_ratio DOUBLE, asks_for_human BOOLEAN, dialog_state VARCHAR
    );
    CREATE TABLE known (number BIGINT, spans DOUBLE[][]);
"""
_BLOCK = """
    CREATE OR REPLACE TEMP TABLE block AS
    SELECT calls.rowid AS number, found.duration_s, found.turns, found.filename
    FROM read_parquet($parts, union_by_name = true, filename = true) found
    JOIN calls USING (evidence_key) ANTI JOIN heard ON heard.number = calls.rowid
    WHERE found.duration_s IS NOT NULL
    QUALIFY row_number() OVER (PARTITION BY calls.rowid ORDER BY found.filename) = 1
"""
"""Each call once, though two runs at a time may both have heard it.

Older folders also hold calls that could not be heard, without a duration.
"""
_HEARD = "INSERT INTO heard SELECT number, duration_s, len(turns), filename FROM block"
_TURNS = f"""
    INSERT INTO turns SELECT number, turn, said.started_at_s, said.ended_at_s,
        coalesce(said.log_likelihood_ratio, 'nan'::DOUBLE),
        list_contains(said.cues, '{Cue.ASKS_FOR_HUMAN.name.lower()}'), said.dialog_state
    FROM (
        SELECT number, unnest(turns) AS said, generate_subscripts(turns, 1) AS turn FROM block
    )
"""  # noqa: S608 - ours
_KNOWN = """
    INSERT INTO known
    SELECT calls.rowid, list_transform(found.turns, lambda t: [t.started_at_s, t.ended_at_s])
    FROM read_parquet($parts, union_by_name = true) found
    JOIN calls USING (turns_key) ANTI JOIN heard ON heard.number = calls.rowid
    WHERE found.duration_s IS NOT NULL
"""
_MISSING = f"""
    SELECT {TASK}, before.spans FROM calls
    LEFT JOIN (SELECT number, any_value(spans) AS spans FROM known GROUP BY number) before
    ON before.number = calls.rowid
    ANTI JOIN heard ON heard.number = calls.rowid ORDER BY call_id
"""  # noqa: S608 - ours
_CALLS = """
    SELECT call_id, started_at, duration_s, turns
    FROM heard JOIN calls ON calls.rowid = heard.number
    WHERE heard.number BETWEEN ? AND ? ORDER BY heard.number
"""
_CALLS_TURNS = "SELECT * FROM turns WHERE number BETWEEN ? AND ? ORDER BY number, turn"
_PARTS = """
    SELECT DISTINCT part FROM heard JOIN calls ON calls.rowid = heard.number
    WHERE list_contains(?, call_id) ORDER BY part
"""
_IN_FULL = """
    SELECT found.* EXCLUDE (filename)
    FROM read_parquet($parts, union_by_name = true, filename = true) found
    JOIN calls USING (evidence_key)
    JOIN heard ON heard.number = calls.rowid AND heard.part = found.filename
    WHERE list_contains($wanted, calls.call_id) ORDER BY found.call_id
"""


@dataclass(frozen=True, slots=True)
class FailedCall:
    """A recording that could not be heard, and why in one line."""

    call_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Missing:
    """The calls still to be heard, with the turns that are known from an earlier hearing."""

    database: duckdb.DuckDBPyConnection
    size: int

    def __len__(self) -> int:
        return self.size

    def __iter__(self) -> Iterator[Task]:
        for *task, known in streamed(self.database, _MISSING):
            yield task_of(task, known)


class EvidenceColumns:
    """What a store of evidence holds of the calls of a roster."""

    def __init__(
        self, database: duckdb.DuckDBPyConnection, roster: CallIndex, store: EvidenceCache
    ) -> None:
        self._database = database
        self._roster = roster
        self._store = store
        self._gathered: set[str] = set()
        self._failed: list[FailedCall] = []
        database.execute(_TABLES)

    def gather(self) -> None:
        """Take what the store holds by now.

        Raises:
            UnreadableInputError: a part is damaged.
        """
        new = [part for part in self._store.parts() if part not in self._gathered]
        for parts in _some(new):
            with self._reading():
                self._database.execute(_BLOCK, {"parts": parts})
            self._database.execute(_HEARD)
            self._database.execute(_TURNS)
        self._gathered.update(new)

    def missing(self) -> Missing:
        """What is not heard yet, after `gather`."""
        size = len(self._roster) - count_rows(self._database, "heard")
        if size:
            for parts in _some(sorted(self._gathered)):
                with self._reading():
                    self._database.execute(_KNOWN, {"parts": parts})
        return Missing(self._database, size)

    def keep(self, rows: Sequence[Row]) -> None:
        """Store the calls that were heard; the others are `failed`, and missing in the next run.

        Raises:
            OutputError: the store cannot be written.
        """
        heard = [row for row in rows if "error" not in row]
        if heard:
            self._store.add(heard)
        self._failed += [FailedCall(row["call_id"], row["error"]) for row in rows if "error" in row]

    def settle(self) -> None:
        """Sort what was gathered, when all of it is there."""
        for table, order in (("heard", "number"), ("turns", "number, turn")):
            self._database.execute(f"ALTER TABLE {table} RENAME TO unsorted")
            self._database.execute(
                f"CREATE TABLE {table} AS SELECT * FROM unsorted ORDER BY {order}"  # noqa: S608
            )
            self._database.execute("DROP TABLE unsorted")

    def failed(self) -> list[FailedCall]:
        """The calls that this run could not hear, by call id."""
        return sorted(self._failed, key=lambda failed: failed.call_id)

    def batches(
        self, calls_at_once: int = AT_ONCE
    ) -> Iterator[tuple[CallBatch, BatchLabels | None]]:
        """The calls that could be heard, by call id, some thousand at a time, with their labels."""
        for first in range(0, len(self._roster), calls_at_once):
            last = first + calls_at_once - 1
            batch = self._batch(first, last)
            if not batch.call_ids:
                continue
            labels = self._roster.labels(first, last) if self._roster.labelled is not None else None
            yield batch, label_batch(batch, labels) if labels is not None else None

    def in_full(self, call_ids: Sequence[str]) -> dict[str, Row]:
        """All that is kept of these calls, by call id; for a few of them."""
        wanted = list(call_ids)
        parts = [literal(part) for (part,) in self._database.execute(_PARTS, [wanted]).fetchall()]
        if not parts:
            return {}
        with self._reading():
            found = columns(self._database, _IN_FULL, {"parts": parts, "wanted": wanted})
            rows = found.to_pylist()
        return {row["call_id"]: row for row in rows}

    def _batch(self, first: int, last: int) -> CallBatch:
        calls = columns(self._database, _CALLS, [first, last])
        turns = columns(self._database, _CALLS_TURNS, [first, last])
        states = turns["dialog_state"].combine_chunks().dictionary_encode()
        return CallBatch(
            call_ids=tuple(calls["call_id"].to_pylist()),
            offsets=np.concatenate([[0], np.cumsum(calls["turns"].to_numpy())]),
            duration_s=calls["duration_s"].to_numpy(),
            started_at=tuple(
                datetime.fromisoformat(text) if text else None
                for text in calls["started_at"].to_pylist()
            ),
            started_at_s=turns["started_at_s"].to_numpy(),
            ended_at_s=turns["ended_at_s"].to_numpy(),
            log_likelihood_ratio=turns["log_likelihood_ratio"].to_numpy(),
            asks_for_human=turns["asks_for_human"].to_numpy(),
            dialog_state=states.indices.fill_null(-1).to_numpy().astype(np.int64),
            state_names=tuple(states.dictionary.to_pylist()),
        )

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except duckdb.Error as error:
            raise UnreadableInputError(
                self._store.place, f"a part is damaged ({first_line(error)})"
            ) from error


def _some(parts: Sequence[str]) -> Iterator[list[str]]:
    for at in range(0, len(parts), _PARTS_AT_ONCE):
        yield [literal(part) for part in parts[at : at + _PARTS_AT_ONCE]]
