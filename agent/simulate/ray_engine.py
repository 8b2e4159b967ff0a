"""The evidence stage on a Ray cluster: actors that hold the models, back-pressure, retries.

Each actor hears a handful of calls at a time with the very code of the local engine, so that the
evidence is the same. Recordings, transcripts and a model of one's own must be where every machine
finds them: in a bucket, or on a shared disk.
"""

from __future__ import annotations

import logging
import os
import pickle
from collections.abc import Iterator
from itertools import islice
from typing import Any

from .engine import Tasks, handfuls
from .hearing import HearingSettings, Row, hear_all

_HANDFULS_AN_ACTOR = 256
"""How many are handed to Ray at a time, some hours of work: all would fill the driver's memory."""


class _Hearer:
    """One actor; the models are loaded with the first calls, and stay."""

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[bytes]]:
        tasks, settings = pickle.loads(batch["work"][0])  # noqa: S301 - written by us, below
        return {"rows": [pickle.dumps(hear_all(tasks, settings))]}


def hear_on_ray(
    tasks: Tasks, settings: HearingSettings, workers: int | None = None
) -> Iterator[list[Row]]:
    """Hear calls on the cluster of `RAY_ADDRESS`, or on one of this machine's own.

    `workers` is the number of actors, each on one core; all cores of the cluster if not given. An
    actor that dies is started again, and its calls are heard again.
    """
    if not len(tasks):
        return
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import ray  # noqa: PLC0415 - an extra, and slow to import

    if not ray.is_initialized():
        ray.init(log_to_driver=False, logging_level=logging.ERROR, include_dashboard=False)
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = context.print_on_execution_start = False
    actors = workers or max(1, int(ray.cluster_resources()["CPU"]))  # type: ignore[no-untyped-call]
    todo = handfuls(tasks, actors)
    while some := list(islice(todo, _HANDFULS_AN_ACTOR * actors)):
        work = [{"work": pickle.dumps((handful, settings))} for handful in some]
        heard = ray.data.from_items(work, override_num_blocks=len(work)).map_batches(
            _Hearer, batch_size=1, compute=ray.data.ActorPoolStrategy(size=actors), num_cpus=1
        )
        for row in heard.iter_rows():
            yield pickle.loads(row["rows"])  # noqa: S301 - written by us, above
