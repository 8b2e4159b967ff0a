"""The evidence of a run's calls, gathered from the cache into columns that a replay reads.

All of it is in the database of the call index, on disk; one batch of calls at a time is in memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import duckdb
import numpy as np
import pyarrow as pa

from ....models.errors import UnreadableInputError, first_line
from ....models.readings import Cue
from .call_index import CallIndex, task_of
from .call_source import Task
from .duckdb_io import ROWS_AT_ONCE, count_rows, escape_pattern, query, stream_rows
from .evidence_cache import EvidenceCache
from .recording_evidence import Row
from .statistics.call_labels import BatchLabels, label_batch
from .vectorized import CallBatch

_PARTS_AT_ONCE = 64
"""About a thousand calls; all of their turns, and the footers of the parts, are in memory."""

_TABLES = """
    CREATE TABLE evidence (
        number BIGINT, duration_s DOUBLE, part VARCHAR, warnings VARCHAR[], turns STRUCT(
            started_at_s DOUBLE, ended_at_s DOUBLE, log_likelihood_ratio DOUBLE,
            asks_for_human BOOLEAN, dialog_state VARCHAR
        )[]
    );
    CREATE TABLE known (number BIGINT, turns DOUBLE[][]);
"""
_GATHER = f"""
    INSERT INTO evidence
    SELECT calls.rowid, found.duration_s, found.filename, found.warnings,
    list_transform(found.turns, lambda t: {{
        'started_at_s': t.started_at_s, 'ended_at_s': t.ended_at_s,
        'log_likelihood_ratio': t.log_likelihood_ratio,
        'asks_for_human': list_contains(t.cues, '{Cue.ASKS_FOR_HUMAN.name.lower()}'),
        'dialog_state': t.dialog_state
    }})
    FROM read_parquet($parts, union_by_name = true, filename = true) found
    JOIN calls USING (evidence_key) ANTI JOIN evidence ON evidence.number = calls.rowid
    WHERE found.duration_s IS NOT NULL
    QUALIFY row_number() OVER (PARTITION BY calls.rowid ORDER BY found.filename) = 1
"""  # noqa: S608 - ours
"""Takes each call once, even if two concurrent runs both stored it.

Older folders also hold calls that failed, without a duration.
"""
_GATHER_KNOWN_TURNS = """
    INSERT INTO known
    SELECT calls.rowid, list_transform(found.turns, lambda t: [t.started_at_s, t.ended_at_s])
    FROM read_parquet($parts, union_by_name = true) found
    JOIN calls USING (turns_key) ANTI JOIN evidence ON evidence.number = calls.rowid
    WHERE found.duration_s IS NOT NULL
"""
_MISSING = """
    SELECT calls.*, earlier.turns FROM calls
    LEFT JOIN (SELECT number, any_value(turns) AS turns FROM known GROUP BY number) earlier
    ON earlier.number = calls.rowid
    ANTI JOIN evidence ON evidence.number = calls.rowid ORDER BY call_id
"""
_SORT = """
    CREATE TABLE sorted AS SELECT * FROM evidence ORDER BY number;
    DROP TABLE evidence;
    ALTER TABLE sorted RENAME TO evidence
"""
_BATCH = """
    SELECT call_id, started_at, duration_s, turns FROM evidence JOIN calls ON calls.rowid = number
    WHERE number BETWEEN ? AND ? ORDER BY number
"""
_PARTS = """
    SELECT DISTINCT part FROM evidence JOIN calls ON calls.rowid = number
    WHERE list_contains(?, call_id) ORDER BY part
"""
_WARNED = """
    SELECT call_id, unnest(warnings) AS warning FROM evidence JOIN calls ON calls.rowid = number
    ORDER BY call_id, warning LIMIT 1000
"""
_IN_FULL = """
    SELECT found.* EXCLUDE (filename)
    FROM read_parquet($parts, union_by_name = true, filename = true) found
    JOIN calls USING (evidence_key)
    JOIN evidence ON evidence.number = calls.rowid AND evidence.part = found.filename
    WHERE list_contains($wanted, calls.call_id) ORDER BY found.call_id
"""


@dataclass(frozen=True, slots=True)
class FailedCall:
    """A recording that could not be analysed, or is odd, and why in one line."""

    call_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Missing:
    """The calls without evidence, with their turns where an earlier run found them."""

    database: duckdb.DuckDBPyConnection
    size: int

    def __len__(self) -> int:
        return self.size

    def __iter__(self) -> Iterator[Task]:
        for *row, known_turns in stream_rows(self.database, _MISSING):
            yield task_of(row, known_turns)


class EvidenceColumns:
    """What the cache holds for the calls of an index."""

    def __init__(
        self, database: duckdb.DuckDBPyConnection, index: CallIndex, cache: EvidenceCache
    ) -> None:
        self._database = database
        self._index = index
        self._cache = cache
        self._gathered: set[str] = set()
        self._failed: list[FailedCall] = []
        database.execute(_TABLES)

    def gather(self) -> None:
        """Take what is new in the cache.

        Raises:
            UnreadableInputError: a part is damaged.
        """
        new = [part for part in self._cache.parts() if part not in self._gathered]
        self._read(_GATHER, new)
        self._gathered.update(new)

    def missing(self) -> Missing:
        """The calls without evidence, after `gather`."""
        size = len(self._index) - count_rows(self._database, "evidence")
        if size:
            self._read(_GATHER_KNOWN_TURNS, sorted(self._gathered))
        return Missing(self._database, size)

    def keep(self, rows: Sequence[Row]) -> None:
        """Store the evidence; rows with an error are `failed`, and missing in the next run.

        Raises:
            OutputError: the cache cannot be written.
        """
        stored = [row for row in rows if "error" not in row]
        if stored:
            self._cache.add(stored)
        self._failed += [FailedCall(row["call_id"], row["error"]) for row in rows if "error" in row]

    def sort(self) -> None:
        """Sort the evidence once all of it is gathered."""
        self._database.execute(_SORT)

    def failed(self) -> list[FailedCall]:
        """The calls that failed in this run, by call id."""
        return sorted(self._failed, key=lambda failed: failed.call_id)

    def warned(self) -> list[FailedCall]:
        """What is odd about the recordings, by call id; the first thousand warnings."""
        found = self._database.execute(_WARNED).fetchall()
        return [FailedCall(call_id, warning) for call_id, warning in found]

    def batches(
        self, calls_at_once: int = ROWS_AT_ONCE
    ) -> Iterator[tuple[CallBatch, BatchLabels | None]]:
        """The calls that have evidence, by call id, some thousand at a time, with their labels."""
        labelled = self._index.labelled is not None
        for first in range(0, len(self._index), calls_at_once):
            found = query(self._database, _BATCH, [first, first + calls_at_once - 1])
            if len(found):
                batch = _batch(found)
                labels = self._index.labels(batch.call_ids) if labelled else None
                yield batch, label_batch(batch, labels) if labels is not None else None

    def in_full(self, call_ids: Sequence[str]) -> dict[str, Row]:
        """All that the cache holds of a few calls, by call id."""
        wanted = list(call_ids)
        parts = [
            escape_pattern(part) for (part,) in self._database.execute(_PARTS, [wanted]).fetchall()
        ]
        if not parts:
            return {}
        with self._reading():
            found = query(self._database, _IN_FULL, {"parts": parts, "wanted": wanted})
            return {row["call_id"]: row for row in found.to_pylist()}

    def _read(self, statement: str, parts: Sequence[str]) -> None:
        for at in range(0, len(parts), _PARTS_AT_ONCE):
            some = [escape_pattern(part) for part in parts[at : at + _PARTS_AT_ONCE]]
            with self._reading():
                self._database.execute(statement, {"parts": some})

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except duckdb.Error as error:
            raise UnreadableInputError(
                self._cache.place, f"a part is damaged ({first_line(error)})"
            ) from error


def _batch(found: pa.Table) -> CallBatch:
    lists = found["turns"].combine_chunks()
    turns = pa.Table.from_struct_array(lists.flatten())
    states = turns["dialog_state"].combine_chunks().dictionary_encode()
    return CallBatch(
        call_ids=tuple(found["call_id"].to_pylist()),
        offsets=np.concatenate([[0], np.cumsum(lists.value_lengths())]),
        duration_s=found["duration_s"].to_numpy(),
        started_at=tuple(
            datetime.fromisoformat(text) if text else None
            for text in found["started_at"].to_pylist()
        ),
        started_at_s=turns["started_at_s"].to_numpy(),
        ended_at_s=turns["ended_at_s"].to_numpy(),
        log_likelihood_ratio=turns["log_likelihood_ratio"].to_numpy(),
        asks_for_human=turns["asks_for_human"].to_numpy(),
        dialog_state=states.indices.fill_null(-1).to_numpy().astype(np.int64),
        state_names=tuple(states.dictionary.to_pylist()),
    )
