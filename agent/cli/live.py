"""Commands that run bots: `demo`, `bench`."""

from __future__ import annotations

from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from ...models.audio import CallerChannel
from ..benchmarks.architectures import Architectures
from ..extras import require_extra
from .app import Json, Out, StereoCaller, app


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
    caller_channel: StereoCaller = None,
    phone: Annotated[
        PhoneVendor | None, typer.Option(help="Answer phone calls, too, at /phone.")
    ] = None,
) -> None:
    """Talk to a voice bot that notices, in the browser; it needs no keys."""
    require_extra("demo", "aiortc", "fastapi", "uvicorn", "espeakng_loader", "pocketsphinx")
    from ..demo.command import run_demo

    run_demo(
        host=host,
        port=port,
        policy=policy,
        call=call,
        caller_channel=caller_channel,
        phone=phone is not None,
    )


class Benchmark(StrEnum):
    """What `deescalate bench` can measure."""

    SPEED = "speed"
    LIVE = "live"
    SIMULATE = "simulate"


@app.command()
def bench(
    what: Annotated[
        Benchmark, typer.Argument(help="The models, bots with and without a guard, simulation.")
    ] = Benchmark.SPEED,
    *,
    call: Annotated[
        Path | None,
        typer.Option(
            help="speed: also `analyze` this; live: its caller calls; simulate: a folder."
        ),
    ] = None,
    caller_channel: Annotated[
        CallerChannel | None, typer.Option(help="live: the caller's side of a stereo recording.")
    ] = None,
    runs: Annotated[int, typer.Option(min=5, help="speed: runs for each turn length.")] = 50,
    architectures: Annotated[
        Architectures,
        typer.Option(
            help="speed: larger models beside ours, with random weights (extra `hf`). small: "
            "BERT-base, WavLM-large; aero: and Aero-1-Audio; all: and Qwen2-Audio-7B (19 GB)."
        ),
    ] = Architectures.SMALL,
    seconds_per_model: Annotated[
        float,
        typer.Option(min=0, help="speed: after that, no other turn length of such a model."),
    ] = 60,
    quick: Annotated[bool, typer.Option(help="live: a minute, to see that it works.")] = False,
    as_json: Json = False,
    out: Out = None,
) -> None:
    """Measure on this machine: the models beside Smart Turn v3.2, or live bots on loopback."""
    from ..benchmarks.command import run_live, run_simulation, run_speed

    say = partial(typer.echo, err=True)
    if what is Benchmark.SPEED:
        run_speed(
            call=call,
            runs=runs,
            architectures=architectures,
            seconds_per_model=seconds_per_model,
            as_json=as_json,
            out=out,
            say=say,
        )
        return
    if call is None:
        raise typer.BadParameter(f"{what.value} needs recordings", param_hint="--call")
    if what is Benchmark.SIMULATE:
        run_simulation(calls=call, as_json=as_json, out=out, say=say)
        return
    run_live(
        call=call, caller_channel=caller_channel, quick=quick, as_json=as_json, out=out, say=say
    )
