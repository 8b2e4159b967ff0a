"""The command `deescalate`: one function a command, no logic."""

from __future__ import annotations

import sys
from datetime import datetime
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from ..models.audio import CallerChannel
from ..models.errors import DeescalateError
from .extras import require_extra

app = typer.Typer(
    name="deescalate",
    help="Hear a caller's frustration turn by turn, and do something about it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of the human view.")]
Out = Annotated[Path | None, typer.Option(help="Also write the JSON to this file.")]


@app.callback()
def _options(
    verbose: Annotated[bool, typer.Option(help="Log everything, Pipecat's log included.")] = False,
) -> None:
    from .telemetry import configure_logging

    configure_logging(verbose=verbose)


@app.command()
def analyze(
    calls: Annotated[list[Path], typer.Argument(metavar="CALL…", help="Recorded calls.")],
    policy: Annotated[str, typer.Option(help="gentle, balanced, eager or a file.")] = "balanced",
    caller_channel: Annotated[
        CallerChannel | None, typer.Option(help="The caller's side of a stereo recording.")
    ] = None,
    transcript: Annotated[
        Path | None, typer.Option(help="JSON lines: start_s, end_s, text, speaker.")
    ] = None,
    language: Annotated[str, typer.Option(help="The language of the transcript.")] = "en",
    show_text: Annotated[bool, typer.Option(help="Show and keep the caller's words.")] = False,
    started_at: Annotated[
        datetime | None, typer.Option(help="When the call began, for opening hours.")
    ] = None,
    model: Annotated[Path | None, typer.Option(help="A model of your own.")] = None,
    as_json: Json = False,
    out: Out = None,
) -> None:
    """Read recorded calls turn by turn and decide as a live bot would.

    Exit code 2 if any call could not be read; the others are analysed all the same.
    """
    from .analyze import analyze_files

    failed = analyze_files(
        calls,
        policy=policy,
        caller_channel=caller_channel,
        transcript=transcript,
        language=language,
        keep_text=show_text,
        started_at=started_at.astimezone() if started_at else None,
        model=model,
        as_json=as_json,
        out=out,
    )
    raise typer.Exit(2 if failed else 0)


@app.command()
def evaluate(
    data: Annotated[
        Path | None, typer.Option(help="A manifest of labelled clips (CSV), or its folder.")
    ] = None,
    calls: Annotated[
        Path | None, typer.Option(help="Mono recordings of mostly calm callers: false alarms.")
    ] = None,
    texts: Annotated[
        Path | None, typer.Option(help="Folder of texts: compare voice, words and both.")
    ] = None,
    words: Annotated[
        Path | None, typer.Option(help="Transcripts of --calls by call id (JSON lines, no times).")
    ] = None,
    policy: Annotated[str, typer.Option(help="The policy for --calls.")] = "balanced",
    model: Annotated[Path | None, typer.Option(help="A model of your own.")] = None,
    out_of_fold: Annotated[
        Path | None, typer.Option(help="out_of_fold.csv of the model's own training run.")
    ] = None,
    card: Annotated[
        Path | None, typer.Option(help="Put the figures of --data into this model card too.")
    ] = None,
    clean: Annotated[bool, typer.Option(help="Leave out the 8 kHz telephone band.")] = False,
    as_json: Json = False,
    out: Out = None,
) -> None:
    """Measure a model: accuracy by corpus, and false alarms on real calls."""
    from .evaluate import run_evaluation

    failed = run_evaluation(
        manifest=data / "manifest.csv" if data is not None and data.is_dir() else data,
        calls=calls,
        texts=texts,
        words=words,
        policy=policy,
        model=model,
        out_of_fold=out_of_fold,
        clean=clean,
        card=card,
        as_json=as_json,
        out=out,
    )
    raise typer.Exit(2 if failed else 0)


class Trainable(StrEnum):
    """What `deescalate train` can make."""

    VOICE = "voice"
    WORDING = "wording"
    REQUESTS = "requests"
    FUSION = "fusion"


@app.command()
def train(
    what: Annotated[Trainable, typer.Argument(help="Fusion needs the other two first.")] = (
        Trainable.VOICE
    ),
    *,
    data: Annotated[Path, typer.Option(help="Folder with speech/, noise/, unlabelled/, text/.")],
    out: Annotated[Path, typer.Option(help="Folder for what is made, and for the cache.")],
    recipe: Annotated[Path | None, typer.Option(help="A recipe of your own (YAML).")] = None,
) -> None:
    """Train a model; the same again from the same seed, and resumed if it was interrupted."""
    require_extra("train", "onnx", "scipy", "sklearn")
    from .training import run_training

    typer.echo(run_training(what.value, data=data, out=out, recipe=recipe))


class Benchmark(StrEnum):
    """What `deescalate bench` can measure."""

    SPEED = "speed"
    LIVE = "live"


@app.command()
def bench(
    what: Annotated[
        Benchmark, typer.Argument(help="The models alone, or bots with and without a guard.")
    ] = Benchmark.SPEED,
    *,
    call: Annotated[
        Path | None,
        typer.Option(help="speed: also `analyze` this mono recording; live: its caller calls."),
    ] = None,
    caller_channel: Annotated[
        CallerChannel | None, typer.Option(help="live: the caller's side of a stereo recording.")
    ] = None,
    runs: Annotated[int, typer.Option(min=5, help="speed: runs for each turn length.")] = 50,
    quick: Annotated[bool, typer.Option(help="live: a minute, to see that it works.")] = False,
    as_json: Json = False,
    out: Out = None,
) -> None:
    """Measure on this machine: the models beside Smart Turn v3.2, or live bots on loopback."""
    from .benchmarks.command import run_live, run_speed

    say = partial(typer.echo, err=True)
    if what is Benchmark.SPEED:
        run_speed(call=call, runs=runs, as_json=as_json, out=out, say=say)
        return
    if call is None:
        raise typer.BadParameter("live needs a recording of a caller", param_hint="--call")
    run_live(
        call=call, caller_channel=caller_channel, quick=quick, as_json=as_json, out=out, say=say
    )


class PhoneVendor(StrEnum):
    """Whose media streams `deescalate demo` answers."""

    TWILIO = "twilio"


@app.command()
def demo(
    host: Annotated[
        str, typer.Option(help="Where to listen; others than this machine need a token.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0 is a free one.")] = 7860,
    policy: Annotated[str, typer.Option(help="gentle, balanced, eager or a file.")] = "balanced",
    call: Annotated[
        Path | None, typer.Option(help="Play this recording to the bot; no browser needed.")
    ] = None,
    caller_channel: Annotated[
        CallerChannel | None, typer.Option(help="The caller's side of a stereo recording.")
    ] = None,
    phone: Annotated[
        PhoneVendor | None, typer.Option(help="Answer phone calls, too, at /phone.")
    ] = None,
) -> None:
    """Talk to a voice bot that notices, in the browser; it needs no keys."""
    require_extra("demo", "aiortc", "fastapi", "uvicorn", "espeakng_loader", "pocketsphinx")
    from .demo.command import run_demo

    run_demo(
        host=host,
        port=port,
        policy=policy,
        call=call,
        caller_channel=caller_channel,
        phone=phone is not None,
    )


def main() -> None:
    """Run the command; an error of ours is one line on stderr and exit code 2."""
    try:
        app()
    except DeescalateError as error:
        print(f"deescalate: {error}", file=sys.stderr)
        sys.exit(2)
    except OSError as error:  # such as a full disk, or a reader of our output that went away
        where = f"{error.filename}: " if error.filename else ""
        print(f"deescalate: {where}{error.strerror}", file=sys.stderr)
        sys.exit(2)
