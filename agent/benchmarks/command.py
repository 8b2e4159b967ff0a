"""`deescalate bench`: which benchmark, on what, and where its figures go."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

from ...models.audio import CallerChannel
from ..extras import require_extra
from ..files import results
from .architectures import Architectures


def run_speed(
    *,
    call: Path | None,
    runs: int,
    architectures: Architectures,
    seconds_per_model: float,
    as_json: bool,
    out: Path | None,
    say: Callable[[str], None],
) -> None:
    """Measure the models alone, and `analyze` on a recording if there is one."""
    if architectures is not Architectures.SMALL:
        require_extra("hf", "torch", "transformers")
    from .speed import bench, print_report  # noqa: PLC0415 - not what the other one needs

    with results(as_json=as_json, out=out) as emit:
        report = bench(
            call=call,
            runs=runs,
            architectures=architectures,
            budget_s=seconds_per_model,
            say=say,
        )
        emit(report.to_json(), partial(print_report, report))


def run_simulation(
    *, calls: Path, as_json: bool, out: Path | None, say: Callable[[str], None]
) -> None:
    """Measure what simulating on a folder of recorded calls costs."""
    require_extra("simulate", "duckdb", "fsspec", "pyarrow")
    from .simulation import bench_simulation, print_simulation_report  # noqa: PLC0415 - as above

    with results(as_json=as_json, out=out) as emit:
        report = bench_simulation(calls, say)
        emit(report.to_json(), partial(print_simulation_report, report))


def run_live(
    *,
    call: Path,
    caller_channel: CallerChannel | None,
    quick: bool,
    as_json: bool,
    out: Path | None,
    say: Callable[[str], None],
) -> None:
    """Measure bots with and without a guard, called with what the caller of a recording says."""
    require_extra("demo", "fastapi", "uvicorn", "websockets")
    os.environ["LOGURU_AUTOINIT"] = "False"  # for the bots' processes, before they import it
    from .live import QUICK, Effort, bench_live, print_live_report  # noqa: PLC0415 - as above
    from .speech import callers_turns  # noqa: PLC0415 - as above

    with results(as_json=as_json, out=out) as emit:
        speech = callers_turns(call, caller_channel)
        report = bench_live(speech, QUICK if quick else Effort(), say=say)
        emit(report.to_json(), partial(print_live_report, report))
