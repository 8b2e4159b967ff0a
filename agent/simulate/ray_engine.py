"""The evidence stage on a Ray cluster: actors that hold the models, back-pressure, retries.

Each actor hears a handful of calls at a time with the very code of the local engine, so that the
evidence is the same. Recordings, transcripts and a model of one's own must be where every machine
finds them: in a bucket, or on a shared disk.
"""

from __future__ import annotations

import logging
import os
import pickle
from collections.abc import Iterator, Sequence
from typing import Any

from .engine import handfuls
from .hearing import HearingSettings, Row, Task, hear_all


class _Hearer:
    """One actor; the models are loaded with the first calls, and stay."""

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[bytes]]:
        tasks, settings = pickle.loads(batch["work"][0])  # noqa: S301 - written by us, below
        return {"rows": [pickle.dumps(hear_all(tasks, settings))]}


def hear_on_ray(
    tasks: Sequence[Task], settings: HearingSettings, workers: int | None = None
) -> Iterator[list[Row]]:
    """Hear calls on the cluster of `RAY_ADDRESS`, or on one of this machine's own.

    `workers` is the number of actors, each on one core; all cores of the cluster if not given. An
    actor that dies is started again, and its calls are heard again.
    """
    if not tasks:
        return
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import ray  # noqa: PLC0415 - an extra, and slow to import

    if not ray.is_initialized():
        ray.init(log_to_driver=False, logging_level=logging.ERROR, include_dashboard=False)
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = context.print_on_execution_start = False
    actors = workers or max(1, int(ray.cluster_resources()["CPU"]))  # type: ignore[no-untyped-call]
    work = [{"work": pickle.dumps((some, settings))} for some in handfuls(tasks, actors)]
    found = ray.data.from_items(work, override_num_blocks=len(work)).map_batches(
        _Hearer, batch_size=1, compute=ray.data.ActorPoolStrategy(size=actors), num_cpus=1
    )
    for row in found.iter_rows():
        yield pickle.loads(row["rows"])  # noqa: S301 - written by us, above
