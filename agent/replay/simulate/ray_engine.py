"""The evidence stage on a Ray cluster: actors that hold the models, back-pressure, retries.

Each actor runs the local engine's code on one chunk of calls at a time, so the evidence is the
same. An actor that dies is restarted and its calls are retried; those that kill it twice are
retried one by one, and a call that kills that process, too, is poisoned: reported and skipped.

Recordings, transcripts and custom models must be where every machine finds them: in a bucket, or
on a shared disk.
"""

from __future__ import annotations

import logging
import os
import pickle
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from .call_source import Task
from .engine import Chunk, Tasks, chunks, poisoned
from .recording_evidence import EvidenceSettings, Row, extract_all

_NETWORK = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"
"""If off, Ray listens on loopback only, on Linux as well; read once, at import."""
_CHUNKS_PER_ACTOR = 256
"""Ray gets this many at a time, some hours of work: all would fill the driver's memory."""


class _EvidenceActor:
    """One actor; the models are loaded with the first calls and stay loaded."""

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[bytes]]:
        tasks, settings = pickle.loads(batch["work"][0])  # noqa: S301 - written by us, below
        return {"rows": [pickle.dumps(extract_all(tasks, settings))]}


def extract_on_ray(
    tasks: Tasks, settings: EvidenceSettings, workers: int | None = None
) -> Iterator[list[Row]]:
    """Extract evidence on the cluster of `RAY_ADDRESS`, or on a local one on this machine.

    `workers` is the number of actors, one core each; it defaults to all cores of the cluster.
    """
    if not len(tasks):
        return
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    address = os.environ.get("RAY_ADDRESS") or "local"
    if address == "local":
        os.environ.setdefault(_NETWORK, "0")
    import ray  # noqa: PLC0415 - an extra, and slow to import

    if not ray.is_initialized():
        ray.init(address, log_to_driver=False, logging_level=logging.ERROR, include_dashboard=False)
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)  # lost calls are retried
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = context.print_on_execution_start = False
    context.max_errored_blocks = -1
    actors = workers or max(1, int(ray.cluster_resources()["CPU"]))  # type: ignore[no-untyped-call]
    todo = chunks(tasks, actors)
    while some := list(islice(todo, _CHUNKS_PER_ACTOR * actors)):
        lost = {task.evidence_key: task for chunk in some for task in chunk}
        for rows in _in_a_pool(some, settings, actors):
            for row in rows:
                del lost[row["evidence_key"]]
            yield rows
        yield from _one_by_one(lost.values(), settings)


def _in_a_pool(
    some: Sequence[Chunk], settings: EvidenceSettings, actors: int
) -> Iterator[list[Row]]:
    """Extract the evidence of these chunks, except those that killed an actor twice."""
    import ray  # noqa: PLC0415 - as above

    work = [{"work": pickle.dumps((chunk, settings))} for chunk in some]
    extracted = ray.data.from_items(work, override_num_blocks=len(work)).map_batches(
        _EvidenceActor,
        batch_size=1,
        compute=ray.data.ActorPoolStrategy(size=actors),
        num_cpus=1,
        max_task_retries=1,
    )
    for row in extracted.iter_rows():
        yield pickle.loads(row["rows"])  # noqa: S301 - written by us, above


def _one_by_one(tasks: Iterable[Task], settings: EvidenceSettings) -> Iterator[list[Row]]:
    import ray  # noqa: PLC0415 - as above
    from ray.exceptions import (  # noqa: PLC0415 - as above
        NodeDiedError,
        OutOfMemoryError,
        WorkerCrashedError,
    )

    isolated = ray.remote(num_cpus=1, max_retries=1)(extract_all)
    for task, rows in [(task, isolated.remote((task,), settings)) for task in tasks]:
        try:
            yield ray.get(rows)
        except (NodeDiedError, OutOfMemoryError, WorkerCrashedError):
            yield [poisoned(task)]
