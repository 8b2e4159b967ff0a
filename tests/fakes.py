"""Servers on loopback that answer as they are told: what is tested goes over a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from aiohttp import web
from multidict import CIMultiDict


@dataclass(frozen=True)
class Reply:
    """What the server answers: at once, or after `delay_s`, whole or broken off.

    `cut` sends the headers and half of the body, then closes the connection; `drop` closes it
    without an answer.
    """

    status: int = 200
    body: str | bytes = ""
    headers: dict[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    cut: bool = False
    drop: bool = False


HANG = Reply(delay_s=3600)


@dataclass(frozen=True)
class Seen:
    """One request as it arrived. `path` is the raw one, escapes and query included."""

    method: str
    path: str
    headers: CIMultiDict[str]
    body: bytes


class FakeServer:
    """An HTTP server that plays its replies in order, the last one for ever, and notes requests.

    Use it with `async with`; `url` is its address.
    """

    def __init__(self, replies: Sequence[Reply] = (Reply(),)) -> None:
        self.replies = list(replies)
        self.seen: list[Seen] = []
        self.arrived = asyncio.Event()
        self.url = ""
        self._connections = set[asyncio.Transport]()

    async def all_closed(self, within_s: float = 1.0) -> bool:
        """Whether every connection that a request came over is closed before the time is up."""
        until = asyncio.get_running_loop().time() + within_s
        while any(not one.is_closing() for one in self._connections):
            if asyncio.get_running_loop().time() > until:
                return False
            await asyncio.sleep(0.005)
        return True

    async def __aenter__(self) -> Self:
        self._runner = web.ServerRunner(
            web.Server(self._handle, access_log=None), shutdown_timeout=0.1
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        port = self._runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{port}"
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._runner.cleanup()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.read()
        self.seen.append(Seen(request.method, request.raw_path, request.headers.copy(), body))
        self._connections.add(request.transport)
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        self.arrived.set()
        await self._wait(request, reply.delay_s)
        if reply.drop:
            request.transport.abort()
            return web.Response()
        payload = reply.body.encode() if isinstance(reply.body, str) else reply.body
        if not reply.cut:
            return web.Response(status=reply.status, body=payload, headers=reply.headers)
        response = web.StreamResponse(status=reply.status, headers=reply.headers)
        response.content_length = len(payload) + 100
        await response.prepare(request)
        await response.write(payload[: len(payload) // 2])
        await asyncio.sleep(0.01)
        request.transport.close()
        return response

    async def _wait(self, request: web.BaseRequest, delay_s: float) -> None:
        until = asyncio.get_running_loop().time() + delay_s
        while delay_s and asyncio.get_running_loop().time() < until:
            if request.transport is None or request.transport.is_closing():
                return
            await asyncio.sleep(0.005)
