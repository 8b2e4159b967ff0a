"""`python -m benchmarks`, from the repository root: which benchmark, and where its figures go."""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from pipecat_deescalate.agent.console import configure_logging, require_extra, results
from pipecat_deescalate.models.audio.recording import CallerChannel
from pipecat_deescalate.models.errors import DeescalateError

from .architectures import Architectures
from .baseline import checked

app = typer.Typer(name="benchmarks", no_args_is_help=True, add_completion=False)

Baseline = Annotated[
    Path | None,
    typer.Option(
        help="Also measure another version: a folder that holds its `pipecat_deescalate`."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Out = Annotated[Path | None, typer.Option(help="Also write the JSON to this file.")]


@app.callback()
def quiet() -> None:
    """Measure the models, live bots or a simulation."""
    configure_logging()
    os.environ["LOGURU_AUTOINIT"] = "False"  # for child processes, before they import Pipecat


@app.command()
def speed(
    *,
    call: Annotated[Path | None, typer.Option(help="Also `analyze` this mono recording.")] = None,
    runs: Annotated[int, typer.Option(min=5, help="Runs per turn length.")] = 50,
    architectures: Annotated[
        Architectures,
        typer.Option(
            help="Larger models beside ours, with random weights (extra `hf`). small: BERT-base, "
            "WavLM-large; aero: also Aero-1-Audio; all: also Qwen2-Audio-7B (19 GB)."
        ),
    ] = Architectures.SMALL,
    seconds_per_model: Annotated[
        float, typer.Option(min=0, help="Start no further turn length of a larger model after.")
    ] = 60,
    baseline: Baseline = None,
    as_json: AsJson = False,
    out: Out = None,
) -> None:
    """Measure the bundled models beside Smart Turn v3.2 and larger architectures."""
    if architectures is not Architectures.SMALL:
        require_extra("hf", "torch", "transformers")
    from .speed import bench, print_report  # noqa: PLC0415 - not needed by other benchmarks

    with results(as_json=as_json, out=out) as emit:
        report = bench(
            call=call,
            runs=runs,
            architectures=architectures,
            budget_s=seconds_per_model,
            baseline=checked(baseline),
            say=_say,
        )
        emit(report.to_json(), partial(print_report, report))


@app.command()
def live(
    call: Annotated[Path, typer.Argument(help="A recording whose caller calls the bots.")],
    *,
    caller_channel: Annotated[
        CallerChannel | None, typer.Option(help="The caller's side of a stereo recording.")
    ] = None,
    baseline: Baseline = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Take one minute, only to see that it works.")
    ] = False,
    as_json: AsJson = False,
    out: Out = None,
) -> None:
    """Measure live phone bots on loopback, with and without a guard; takes about 7 minutes."""
    require_extra("demo", "fastapi", "uvicorn", "websockets")
    from .caller_audio import callers_turns  # noqa: PLC0415 - as above
    from .live import QUICK, Effort, bench_live, print_live_report  # noqa: PLC0415 - as above

    with results(as_json=as_json, out=out) as emit:
        report = bench_live(
            callers_turns(call, caller_channel),
            QUICK if quick else Effort(),
            baseline=checked(baseline),
            say=_say,
        )
        emit(report.to_json(), partial(print_live_report, report))


@app.command()
def simulate(
    calls: Annotated[Path, typer.Argument(help="A folder of recorded calls.")],
    *,
    as_json: AsJson = False,
    out: Out = None,
) -> None:
    """Measure what it costs to simulate policies on recorded calls."""
    require_extra("simulate", "duckdb", "fsspec", "pyarrow")
    from .simulation import bench_simulation, print_simulation_report  # noqa: PLC0415 - as above

    with results(as_json=as_json, out=out) as emit:
        report = bench_simulation(calls, _say)
        emit(report.to_json(), partial(print_simulation_report, report))


def _say(line: str) -> None:
    typer.echo(line, err=True)


if __name__ == "__main__":
    try:
        app(prog_name="python -m benchmarks")
    except DeescalateError as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        sys.exit(2)
