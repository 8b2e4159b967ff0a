"""Evidence on disk or in a bucket: Parquet parts in a folder, one row a call, written once.

Which calls are done is read off the parts; so a run that was killed goes on where it was, and parts
of other settings, or of calls that changed since, are simply not asked for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from ...models.errors import UnreadableInputError
from ...models.types import Cue
from ...policies.replay import CallBatch
from .hearing import Row, Task
from .places import join, listed, make_folder, writing
from .tables import connect

_TURN = pa.struct(
    [
        ("started_at_s", pa.float64()),
        ("ended_at_s", pa.float64()),
        ("loudness_db", pa.float64()),
        ("voice", pa.float64()),
        ("unknown", pa.string()),
        ("words", pa.float64()),
        ("log_likelihood_ratio", pa.float64()),
        ("cues", pa.list_(pa.string())),
        ("dialog_state", pa.string()),
        ("timeline", pa.list_(pa.float32())),
    ]
)
SCHEMA = pa.schema(
    [
        ("call_id", pa.string()),
        ("evidence_key", pa.string()),
        ("turns_key", pa.string()),
        ("error", pa.string()),
        ("duration_s", pa.float64()),
        ("sample_rate", pa.int32()),
        ("model", pa.string()),
        ("warnings", pa.list_(pa.string())),
        ("envelope", pa.binary()),
        ("turns", pa.list_(_TURN)),
    ]
)
_ASKS = Cue.ASKS_FOR_HUMAN.name.lower()
CALLS_AT_ONCE = 4_096


@dataclass(frozen=True, slots=True)
class FailedCall:
    """A recording that could not be heard, and why in one line."""

    call_id: str
    reason: str


class EvidenceStore:
    """A folder of evidence.

    Raises:
        UnreadableInputError: the folder cannot be made, or a part of it is damaged.
    """

    def __init__(self, place: str) -> None:
        self.place = place
        make_folder(place)

    def add(self, rows: Sequence[Row]) -> None:
        """Keep some calls, all of them or none. Raises OutputError."""
        name = hashlib.sha256(" ".join(row["evidence_key"] for row in rows).encode()).hexdigest()
        with writing(join(self.place, f"part-{name[:24]}.parquet")) as file:
            pq.write_table(pa.Table.from_pylist(list(rows), SCHEMA), file, compression="zstd")

    def missing(self, tasks: Sequence[Task]) -> list[Task]:
        """The calls still to be heard, with the turns that are known from an earlier hearing."""
        with self._opened(tasks) as found:
            if found is None:
                return list(tasks)
            done = found.execute(
                "SELECT DISTINCT evidence_key FROM evidence SEMI JOIN wanted USING (evidence_key)"
            ).fetchall()
            keys = {key for (key,) in done}
            left = [task for task in tasks if task.evidence_key not in keys]
            turns = _known_turns(found) if left else {}
        return [replace(task, known_turns=turns.get(task.turns_key)) for task in left]

    def failed(self, tasks: Sequence[Task]) -> list[FailedCall]:
        """The calls that could not be heard, by call id."""
        with self._opened(tasks) as found:
            if found is None:
                return []
            rows = found.execute(
                "SELECT call_id, error FROM once WHERE error IS NOT NULL ORDER BY call_id"
            ).fetchall()
        return [FailedCall(*row) for row in rows]

    def batches(
        self, tasks: Sequence[Task], calls_at_once: int = CALLS_AT_ONCE
    ) -> Iterator[CallBatch]:
        """The evidence of the calls that could be heard, by call id, some thousand at a time."""
        with self._opened(tasks) as found:
            if found is None:
                return
            query = (
                "SELECT call_id, duration_s, started_at, turns FROM once "
                "WHERE error IS NULL ORDER BY call_id"
            )
            for batch in found.sql(query).to_arrow_reader(calls_at_once):
                if batch.num_rows:
                    yield _call_batch(batch)

    def calls(self, tasks: Sequence[Task]) -> dict[str, Row]:
        """All that is kept of these calls, by call id; for a few of them."""
        with self._opened(tasks) as found:
            if found is None:
                return {}
            rows = found.sql("SELECT * FROM once ORDER BY call_id").to_arrow_table()
        return {row["call_id"]: row for row in rows.to_pylist()}

    @contextmanager
    def _opened(self, tasks: Sequence[Task]) -> Iterator[duckdb.DuckDBPyConnection | None]:
        """A database with `evidence`, `wanted` and `once`; None while there is no evidence."""
        parts = [part for part in listed(self.place) if part.endswith(".parquet")]
        if not parts:
            yield None
            return
        connection = connect(self.place)
        try:
            connection.register("wanted", _wanted(tasks))
            connection.read_parquet(parts, union_by_name=True).create_view("evidence")
            connection.execute(_ONCE)
            yield connection
        except duckdb.Error as error:
            reason = (str(error).splitlines() or ["cannot be read"])[0]
            raise UnreadableInputError(self.place, f"a part is damaged ({reason})") from error
        finally:
            connection.close()


_ONCE = """
    CREATE TEMP VIEW once AS
    SELECT evidence.*, wanted.started_at FROM evidence JOIN wanted USING (evidence_key)
    QUALIFY row_number() OVER (PARTITION BY evidence_key) = 1
"""
"""Each call once, though two runs at a time may both have heard it."""


def _wanted(tasks: Sequence[Task]) -> pa.Table:
    return pa.table(
        {
            "evidence_key": pa.array([task.evidence_key for task in tasks], pa.string()),
            "turns_key": pa.array([task.turns_key for task in tasks], pa.string()),
            "started_at": pa.array([_iso(task.source.started_at) for task in tasks], pa.string()),
        }
    )


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment is not None else None


def _known_turns(
    connection: duckdb.DuckDBPyConnection,
) -> dict[str, tuple[tuple[float, float], ...]]:
    found = connection.execute(
        "SELECT turns_key, list_transform(turns, lambda t: [t.started_at_s, t.ended_at_s]) "
        "FROM evidence SEMI JOIN wanted USING (turns_key) WHERE error IS NULL"
    )
    return {key: tuple((start, end) for start, end in turns) for key, turns in found.fetchall()}


def _call_batch(batch: pa.RecordBatch) -> CallBatch:
    turns = batch.column("turns")
    rows = turns.flatten()
    cues = rows.field("cues")
    asks = np.zeros(len(rows), bool)
    asked = pc.equal(cues.flatten(), _ASKS).to_numpy(zero_copy_only=False)
    asks[pc.list_parent_indices(cues).to_numpy()[asked.astype(bool)]] = True
    states = rows.field("dialog_state").dictionary_encode()
    return CallBatch(
        call_ids=tuple(batch.column("call_id").to_pylist()),
        offsets=np.concatenate([[0], np.cumsum(turns.value_lengths().to_numpy())]),
        duration_s=batch.column("duration_s").to_numpy(),
        started_at=tuple(
            datetime.fromisoformat(text) if text else None
            for text in batch.column("started_at").to_pylist()
        ),
        started_at_s=rows.field("started_at_s").to_numpy(zero_copy_only=False),
        ended_at_s=rows.field("ended_at_s").to_numpy(zero_copy_only=False),
        log_likelihood_ratio=_numbers(rows.field("log_likelihood_ratio")),
        asks_for_human=asks,
        dialog_state=states.indices.fill_null(-1).to_numpy().astype(np.int64),
        state_names=tuple(states.dictionary.to_pylist()),
    )


def _numbers(column: pa.Array) -> NDArray[np.float64]:
    return np.asarray(column.cast(pa.float64()).to_numpy(zero_copy_only=False), np.float64)
