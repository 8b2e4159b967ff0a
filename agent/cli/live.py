"""Commands that run bots: `demo`, `bench`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ..console import require_extra
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


@app.command()
def bench(
    runs: Annotated[int, typer.Option(min=5, help="Runs per turn length.")] = 50,
    as_json: Json = False,
    out: Out = None,
) -> None:
    """Measure inference time on this machine, beside Smart Turn v3.2."""
    from ..lab.speed import run_bench

    run_bench(runs=runs, as_json=as_json, out=out)
