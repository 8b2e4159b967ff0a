"""`python -m benchmarks`: which benchmark, on what, and where its figures go."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from pipecat_deescalate.agent.console import require_extra, results
from pipecat_deescalate.models.audio.recording import CallerChannel
from pipecat_deescalate.models.errors import DeescalateError

from .architectures import Architectures

SAY = partial(typer.echo, err=True)


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
    from .caller_audio import callers_turns  # noqa: PLC0415 - as above
    from .live import QUICK, Effort, bench_live, print_live_report  # noqa: PLC0415 - as above

    with results(as_json=as_json, out=out) as emit:
        speech = callers_turns(call, caller_channel)
        report = bench_live(speech, QUICK if quick else Effort(), say=say)
        emit(report.to_json(), partial(print_live_report, report))


app = typer.Typer(name="benchmarks", no_args_is_help=True, add_completion=False)


@app.command()
def speed(
    *,
    call: Annotated[Path | None, typer.Option(help="Also `analyze` this mono recording.")] = None,
    runs: Annotated[int, typer.Option(min=5, help="Runs per turn length.")] = 50,
    architectures: Annotated[
        Architectures,
        typer.Option(
            help="Larger models beside ours, with random weights (extra `hf`). small: BERT-base, "
            "WavLM-large; aero: and Aero-1-Audio; all: and Qwen2-Audio-7B (19 GB)."
        ),
    ] = Architectures.SMALL,
    seconds_per_model: Annotated[
        float, typer.Option(min=0, help="After that, no other turn length of such a model.")
    ] = 60,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    out: Annotated[Path | None, typer.Option(help="Also write the JSON to this file.")] = None,
) -> None:
    """Measure the bundled models beside Smart Turn v3.2 and larger architectures."""
    run_speed(
        call=call,
        runs=runs,
        architectures=architectures,
        seconds_per_model=seconds_per_model,
        as_json=as_json,
        out=out,
        say=SAY,
    )


@app.command()
def live(
    call: Annotated[Path, typer.Argument(help="A recording; its caller calls the bots.")],
    *,
    caller_channel: Annotated[
        CallerChannel | None, typer.Option(help="The caller's side of a stereo recording.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A minute, to see that it works.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    out: Annotated[Path | None, typer.Option(help="Also write the JSON to this file.")] = None,
) -> None:
    """Measure live phone bots on loopback, with and without a guard."""
    run_live(
        call=call, caller_channel=caller_channel, quick=quick, as_json=as_json, out=out, say=SAY
    )


@app.command()
def simulate(
    calls: Annotated[Path, typer.Argument(help="A folder of recorded calls.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    out: Annotated[Path | None, typer.Option(help="Also write the JSON to this file.")] = None,
) -> None:
    """Measure what simulating policies on recorded calls costs."""
    run_simulation(calls=calls, as_json=as_json, out=out, say=SAY)


if __name__ == "__main__":
    try:
        app()
    except DeescalateError as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        sys.exit(2)
