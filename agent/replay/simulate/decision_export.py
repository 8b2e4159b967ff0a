"""Each policy's decisions as Parquet: one file has a row per call, the other a row per turn."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from ....policies.types import Action, Level
from .statistics.call_labels import BatchLabels
from .statistics.tally import Outcomes
from .storage import create_file, join, make_folder
from .vectorized import CallBatch, Replay

CALLS, TURNS = "calls.parquet", "turns.parquet"
_ACTIONS = pa.array([action.value for action in Action])
_LEVELS = pa.array([level.value for level in Level])

_CALL = pa.schema(
    {
        "policy": pa.string(),
        "call_id": pa.string(),
        "duration_s": pa.float64(),
        "turns": pa.int32(),
        "highest_action": pa.string(),
        "first_action_turn": pa.int32(),
        "transfer_turn": pa.int32(),
        "transfer_on_request": pa.bool_(),
        "distressed": pa.bool_(),
        "answered_after_negative_turns": pa.int32(),
        "caught_after_negative_turns": pa.int32(),
    }
)
_TURN = pa.schema(
    {
        "policy": pa.string(),
        "call_id": pa.string(),
        "turn": pa.int32(),
        "started_at_s": pa.float64(),
        "ended_at_s": pa.float64(),
        "log_likelihood_ratio": pa.float64(),
        "negative": pa.bool_(),
        "belief": pa.float64(),
        "level": pa.string(),
        "action": pa.string(),
        "callback": pa.bool_(),
    }
)


class DecisionWriter:
    """Writes the decisions of one policy on one batch at a time."""

    def __init__(self, calls: pq.ParquetWriter, turns: pq.ParquetWriter) -> None:
        self._calls = calls
        self._turns = turns

    def add(
        self,
        policy: str,
        batch: CallBatch,
        found: Replay,
        outcomes: Outcomes,
        labels: BatchLabels | None,
    ) -> None:
        """Write a batch; turns are numbered from 0, and null stands for never."""
        size = len(batch.call_ids)
        call_ids = pa.array(batch.call_ids)
        known = labels.known if labels is not None else np.zeros(size, bool)
        truth = labels.distressed if labels is not None else known
        calls = {
            "policy": [policy] * size,
            "call_id": call_ids,
            "duration_s": batch.duration_s,
            "turns": np.diff(batch.offsets),
            "highest_action": _ACTIONS.take(pa.array(outcomes.highest)),
            "first_action_turn": _nullable(outcomes.first_action),
            "transfer_turn": _nullable(outcomes.transfer),
            "transfer_on_request": outcomes.on_request,
            "distressed": pa.array(truth, mask=~known),
            "answered_after_negative_turns": _nullable(outcomes.answered_after),
            "caught_after_negative_turns": _nullable(outcomes.caught_after),
        }
        self._calls.write_table(pa.Table.from_pydict(calls, _CALL))
        marked = labels.negative if labels is not None else np.zeros(batch.turns, bool)
        timed = labels.known[batch.call_of_turn] if labels is not None else marked
        turns = {
            "policy": [policy] * batch.turns,
            "call_id": call_ids.take(pa.array(batch.call_of_turn)),
            "turn": batch.turn_in_call,
            "started_at_s": batch.started_at_s,
            "ended_at_s": batch.ended_at_s,
            "log_likelihood_ratio": pa.array(
                batch.log_likelihood_ratio, mask=np.isnan(batch.log_likelihood_ratio)
            ),
            "negative": pa.array(marked, mask=~timed),
            "belief": found.belief,
            "level": _LEVELS.take(pa.array(found.level)),
            "action": _ACTIONS.take(pa.array(found.action)),
            "callback": found.callback,
        }
        self._turns.write_table(pa.Table.from_pydict(turns, _TURN))


@contextmanager
def decision_files(folder: str) -> Iterator[DecisionWriter]:
    """Both files in a folder; they appear when the block ends without an error.

    Raises:
        OutputError, UnreadableInputError: they cannot be written there.
    """
    make_folder(folder)
    with ExitStack() as stack:
        writers = []
        for name, schema in ((CALLS, _CALL), (TURNS, _TURN)):
            file = stack.enter_context(create_file(join(folder, name)))
            writers.append(stack.enter_context(pq.ParquetWriter(file, schema, compression="zstd")))
        yield DecisionWriter(*writers)


def _nullable(numbers: NDArray[np.int64]) -> pa.Array:
    return pa.array(numbers, mask=numbers < 0)
