"""Starts the demo: sockets, secrets, the server."""

from __future__ import annotations

import asyncio
import base64
import secrets
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import uvicorn
from pydantic import SecretStr

from ...models.errors import DeescalateError
from ...policies.config import load_policy
from .bot import DemoBot
from .calls import Calls
from .limits import CallLimits
from .security import Door, is_loopback
from .server import DemoServer

_LOOPBACK = "127.0.0.1"


class AddressError(DeescalateError):
    """The demo cannot be served at the address asked for; choose another with --host, --port."""


@dataclass(frozen=True, slots=True)
class Demo:
    """A demo that is being served: where, and with which token in the page's address."""

    host: str
    port: int
    policy: str
    token: str | None = field(repr=False)

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
) -> AsyncIterator[tuple[Demo, asyncio.Task[None]]]:
    """Serve the demo while the block lasts: the demo, and the task of its server.

    Port 0 is a free one. Whoever reaches it from another machine needs the token.

    Raises:
        AddressError: the address is taken, or is not one of this machine.
        DeescalateError: the policy or a model cannot be read.
    """
    sockets = _bound(host, port)
    try:
        bot = DemoBot(load_policy(policy), limits or CallLimits())
        demo = Demo(
            host,
            sockets[0].getsockname()[1],
            bot.policy.name,
            None if is_loopback(host) else secrets.token_urlsafe(24),
        )
        secret = SecretStr("whsec_" + base64.b64encode(secrets.token_bytes(32)).decode())
        calls = Calls(bot, secret=secret)
        calls.hand_over_url = f"http://{_LOOPBACK}:{demo.port}/api/hand-over"
        app = DemoServer(calls, door=Door(demo.token), secret=secret).app
        server = uvicorn.Server(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                server_header=False,
                ws="websockets-sansio",
                ws_max_size=64 * 1024,
                timeout_graceful_shutdown=5,
            )
        )
        task = asyncio.create_task(server.serve(sockets))
        while not server.started and not task.done():
            await asyncio.sleep(0.01)
        try:
            yield demo, task
        finally:
            server.should_exit = True
            await task
    finally:
        for one in sockets:
            one.close()


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
