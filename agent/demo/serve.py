"""Starts the demo: sockets, secrets, the server."""

from __future__ import annotations

import asyncio
import base64
import os
import secrets
import socket
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field

import uvicorn
from pydantic import SecretStr

from ...models.errors import DeescalateError
from ...models.voice import load_classifier
from ...policies.config import load_policy
from .bot import DemoBot
from .connections import ActiveCalls
from .dialogue import load_script
from .keyword_stt import Spotter
from .limits import MAX_BODY_BYTES, CallLimits
from .memory_release import kept
from .parts import KeyedKit, KeylessKit
from .security import Door, is_loopback
from .server import DemoServer

_LOOPBACK = "127.0.0.1"


class AddressError(DeescalateError):
    """The demo cannot be served at the address asked for; choose another with --host, --port."""


@dataclass(frozen=True, slots=True)
class Demo:
    """A running demo: its address, and the token that is part of the page's address."""

    host: str
    port: int
    token: str | None = field(repr=False)
    bot: DemoBot = field(repr=False)

    @property
    def origin(self) -> str:
        """The address without the token."""
        return f"http://{_shown(self.host)}:{self.port}"

    @property
    def address(self) -> str:
        """The address to open; the part behind # never leaves the browser."""
        return self.origin + (f"/#token={self.token}" if self.token else "")


@asynccontextmanager
async def serving(
    *,
    host: str = _LOOPBACK,
    port: int = 7860,
    policy: str = "balanced",
    limits: CallLimits | None = None,
    keyless: bool = False,
    phone: bool = False,
) -> AsyncIterator[tuple[Demo, asyncio.Task[None]]]:
    """Serve the demo while the block lasts; yields the demo and the task of its server.

    Port 0 takes a free port. Clients on other machines need the token. `keyless` ignores keys in
    the environment; `phone` also answers Twilio's media streams.

    Raises:
        AddressError: the address is taken, or is not one of this machine.
        DeescalateError: the policy or a model cannot be read.
    """
    with ExitStack() as open_sockets:
        sockets = [open_sockets.enter_context(one) for one in _bound(host, port)]
        async with _bot(policy, limits or CallLimits(), keyless=keyless) as bot:
            demo = Demo(
                host,
                sockets[0].getsockname()[1],
                None if is_loopback(host) else secrets.token_urlsafe(24),
                bot,
            )
            server = _server(demo, phone=phone)
            task = asyncio.create_task(server.serve(sockets))
            while not server.started and not task.done():
                await asyncio.sleep(0.01)
            try:
                with kept():
                    yield demo, task
            finally:
                server.should_exit = True
                await task


@asynccontextmanager
async def _bot(policy: str, limits: CallLimits, *, keyless: bool) -> AsyncIterator[DemoBot]:
    """The bot, with everything loaded, so that no caller waits."""
    rules, script = load_policy(policy), load_script()
    if not keyless and os.environ.get("OPENAI_API_KEY"):
        yield DemoBot(KeyedKit(script.greeting), rules, limits)
        return
    starting = asyncio.create_task(Spotter.start(script.phrases))
    try:
        load_classifier()  # meanwhile
    finally:
        spotter = await starting
    try:
        yield DemoBot(KeylessKit(script, spotter), rules, limits)
    finally:
        await spotter.close()


def _server(demo: Demo, *, phone: bool) -> uvicorn.Server:
    secret = SecretStr("whsec_" + base64.b64encode(secrets.token_bytes(32)).decode())
    hand_over_url = f"http://{_LOOPBACK}:{demo.port}/api/hand-over"
    calls = ActiveCalls(demo.bot, hand_over_url=hand_over_url, secret=secret)
    app = DemoServer(calls, door=Door(demo.token), secret=secret, phone=phone).app
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws="websockets-sansio",
        ws_max_size=MAX_BODY_BYTES,
        timeout_graceful_shutdown=5,
    )
    return uvicorn.Server(config)


def _bound(host: str, port: int) -> list[socket.socket]:
    """Sockets on the address and, for the server's own webhook, on this machine's loopback."""
    first = _listening(host, port)
    if host in {_LOOPBACK, "localhost", "0.0.0.0"}:  # noqa: S104 - only compared
        return [first]
    try:
        return [first, _listening(_LOOPBACK, first.getsockname()[1])]
    except AddressError:
        first.close()
        raise


def _listening(host: str, port: int) -> socket.socket:
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        one = socket.socket(family, socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise AddressError(f"{host} is not an address of this machine") from error
    try:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        one.bind(address)
        one.listen(128)
    except (OSError, OverflowError) as error:
        one.close()
        raise AddressError(_reason(host, port, error)) from error
    return one


def _reason(host: str, port: int, error: Exception) -> str:
    if getattr(error, "errno", None) == 98:
        return f"port {port} is in use; stop what uses it, or choose another with --port"
    if getattr(error, "errno", None) == 13:
        return f"port {port} needs more rights; choose one above 1023 with --port"
    return f"{_shown(host)}:{port} cannot be served; is it an address of this machine?"


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host
