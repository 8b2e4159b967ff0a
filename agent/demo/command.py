"""The `demo` command."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path

from loguru import logger
from rich.console import Console

from ...models.audio.recording import CallerChannel, read_audio
from .caller import RATE
from .phone import PATH as PHONE_PATH
from .serve import serving
from .terminal import play_call

_WARN_OF_NORMAL_EVENTS = (  # no video, a hang-up, a pause unlike the one in STT benchmarks
    "transports.smallwebrtc.connection",
    "transports.smallwebrtc.transport",
    "turns.user_stop.speech_timeout_user_turn_stop_strategy",
)


def run_demo(
    *,
    host: str,
    port: int,
    policy: str,
    call: Path | None,
    caller_channel: CallerChannel | None,
    phone: bool,
) -> None:
    """Serve the demo until it is stopped, or play one recording to it.

    Raises:
        AudioError: the recording cannot be read.
        DeescalateError: the demo cannot be served.
    """
    for module in _WARN_OF_NORMAL_EVENTS:
        logger.disable(f"pipecat.{module}")
    console = Console()
    if call is not None:
        samples = read_audio(call, caller_channel=caller_channel, sample_rate=RATE)
        asyncio.run(play_call(call, samples, policy=policy, console=console))
    else:
        with suppress(KeyboardInterrupt):
            asyncio.run(_serve(host, port, policy, phone, console))


async def _serve(host: str, port: int, policy: str, phone: bool, console: Console) -> None:
    async with serving(host=host, port=port, policy=policy, phone=phone) as (demo, server):
        console.print(f"Open [bold]{demo.address}[/bold] and call the bot; Ctrl+C stops it.")
        console.print(f"[dim]{demo.bot.kit.name}, policy {demo.bot.policy.name}[/dim]")
        if phone:
            stream = demo.origin.replace("http", "ws", 1) + PHONE_PATH
            console.print(f"Twilio media streams: [bold]{stream}[/bold]")
        if demo.token:
            console.print("Other machines can reach it; they need the token in the address.")
        await server
