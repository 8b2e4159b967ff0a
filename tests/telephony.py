"""A telephone network on loopback: Twilio's media streams and REST API, and a bot to call.

The tests and the benchmarks of live bots share it.
"""

from __future__ import annotations

import asyncio
import base64
import json
import random
import time
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import parse_qsl

import numpy as np
import uvicorn
from fastapi import FastAPI, Request, Response, WebSocket
from numpy.typing import NDArray
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

RATE = 8_000
FRAME = RATE // 50
"""Samples per frame of 20 ms, as a telephone line sends them."""

Pcm = NDArray[np.int16]

_NOISE = bytes(0x78 | code & 0x87 for code in range(256))
"""Maps any byte to one of the 16 quietest codes of mu-law."""


def to_mulaw(pcm: Pcm) -> bytes:
    """G.711 mu-law, by the segments of the standard."""
    magnitude = np.minimum(np.abs(pcm.astype(np.int32)), 32_635) + 132
    exponent = np.floor(np.log2(magnitude)).astype(np.int32) - 7
    mantissa = (magnitude >> (exponent + 3)) & 0x0F
    sign = np.where(pcm < 0, 0x80, 0)
    codes: NDArray[np.uint8] = (~(sign | (exponent << 4) | mantissa) & 0xFF).astype(np.uint8)
    return codes.tobytes()


def from_mulaw(data: bytes) -> Pcm:
    """Linear samples of mu-law codes."""
    code = ~np.frombuffer(data, np.uint8).astype(np.int32) & 0xFF
    magnitude = ((((code & 0x0F) << 3) + 132) << ((code & 0x70) >> 4)) - 132
    return np.where(code & 0x80, -magnitude, magnitude).astype(np.int16)


@asynccontextmanager
async def serving(app: FastAPI) -> AsyncIterator[str]:
    """Serve an application on a free port of this machine: host and port."""
    config = uvicorn.Config(
        app, port=0, log_level="error", lifespan="off", ws="websockets-sansio", loop="none"
    )
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await task


@dataclass(frozen=True, slots=True)
class FrameMark:
    """One frame of audio: when it passed (monotonic clock), and the CRC-32 of its samples."""

    at_s: float
    crc: int


@dataclass(slots=True)
class _Played:
    """A stretch of audio, and when the caller starts to hear it."""

    at_s: float
    pcm: Pcm


@dataclass
class Phone:
    """One caller who speaks and hears in real time, as Twilio plays its buffer.

    `clear` and the end of the stream drop what was not played yet. `sent` are the frames sent to
    the bot, if `noting`; `arrivals` the times at which audio came from it.
    """

    call_sid: str
    stream: ClientConnection
    noting: bool = False
    closed_at: float | None = None
    cleared: list[float] = field(default_factory=list)
    sent: list[FrameMark] = field(default_factory=list)
    arrivals: list[float] = field(default_factory=list)
    _spoken: asyncio.Queue[bytes] = field(default_factory=asyncio.Queue)
    _played: list[_Played] = field(default_factory=list)
    _received: list[Pcm] = field(default_factory=list)

    async def say(self, pcm: Pcm) -> None:
        """Speak, and return when it is said, or when the call is over."""
        if self.closed_at is not None:
            return
        line = to_mulaw(pcm)
        for at in range(0, len(line) - FRAME + 1, FRAME):
            self._spoken.put_nowait(line[at : at + FRAME])
        await self._spoken.join()

    async def hang_up(self) -> None:
        """End the call from this side."""
        await self.stream.close()

    def received(self) -> Pcm:
        """Everything that the bot sent, played or not."""
        return np.concatenate(self._received) if self._received else np.zeros(0, np.int16)

    def heard(self) -> Pcm:
        """Everything that was played to the caller so far."""
        now = min(time.monotonic(), self.closed_at or float("inf"))
        parts = [
            one.pcm[: max(0, round((now - one.at_s) * RATE))]
            for one in self._played
            if one.at_s < now
        ]
        return np.concatenate(parts) if parts else np.zeros(0, np.int16)

    async def speaks(self) -> None:
        """Send a frame every 20 ms: speech if there is any, else line noise."""
        due = time.monotonic()
        with suppress(ConnectionClosed):
            while True:
                said = not self._spoken.empty()
                line = (
                    self._spoken.get_nowait() if said else random.randbytes(FRAME).translate(_NOISE)  # noqa: S311 - it is only noise
                )
                if self.noting:
                    crc = zlib.crc32(from_mulaw(line).tobytes())
                    self.sent.append(FrameMark(time.monotonic(), crc))
                payload = base64.b64encode(line).decode()
                if said:
                    self._spoken.task_done()
                await self._send({"event": "media", "media": {"payload": payload}})
                due += 0.02
                await asyncio.sleep(max(0.0, due - time.monotonic()))
        self.closed_at = self.closed_at or time.monotonic()
        while not self._spoken.empty():
            self._spoken.get_nowait()
            self._spoken.task_done()

    async def hears(self) -> None:
        """Receive what the bot sends until the stream ends."""
        with suppress(ConnectionClosed):
            async for message in self.stream:
                event = json.loads(message)
                now = time.monotonic()
                if event["event"] == "media":
                    self.arrivals.append(now)
                    self._play(from_mulaw(base64.b64decode(event["media"]["payload"])), now)
                elif event["event"] == "clear":
                    self.cleared.append(now)
                    self._cut(now)
        self.closed_at = self.closed_at or time.monotonic()

    def _play(self, pcm: Pcm, now: float) -> None:
        self._received.append(pcm)
        last = self._played[-1] if self._played else None
        free = now if last is None else max(now, last.at_s + len(last.pcm) / RATE)
        self._played.append(_Played(free, pcm))

    def _cut(self, now: float) -> None:
        self._played = [one for one in self._played if one.at_s < now]
        if self._played:
            last = self._played[-1]
            last.pcm = last.pcm[: round((now - last.at_s) * RATE)]

    async def _send(self, message: dict[str, Any]) -> None:
        await self.stream.send(json.dumps({"streamSid": f"MZ{self.call_sid}", **message}))


class FakeTwilio:
    """Twilio's side of a call. `requests` are the requests to its REST API, as (call, form).

    New TwiML ends the media stream of its call, as on the real network. If `answer` is set, it
    makes the response instead.
    """

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.answer: Callable[[], Awaitable[Response]] | None = None
        self.base_url = ""
        self._phones: dict[str, Phone] = {}
        self._server: Any = None
        app = FastAPI()
        app.post("/2010-04-01/Accounts/{account}/Calls/{sid}.json")(self._update)
        self._app = app

    async def __aenter__(self) -> Self:
        """Open the REST API."""
        self._server = serving(self._app)
        self.base_url = f"http://{await self._server.__aenter__()}"
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Close it."""
        await self._server.__aexit__(*exc)

    @asynccontextmanager
    async def dial(
        self, url: str, call_sid: str = "CA1", *, noting: bool = False
    ) -> AsyncIterator[Phone]:
        """Call a bot whose media stream is at this address."""
        async with connect(url, compression=None) as stream:
            phone = self._phones[call_sid] = Phone(call_sid, stream, noting)
            await stream.send(json.dumps({"event": "connected", "protocol": "Call"}))
            start = {
                "streamSid": f"MZ{call_sid}",
                "callSid": call_sid,
                "accountSid": "AC1",
                "customParameters": {},
                "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": RATE, "channels": 1},
            }
            await stream.send(
                json.dumps({"event": "start", "streamSid": f"MZ{call_sid}", "start": start})
            )
            tasks = [asyncio.create_task(phone.speaks()), asyncio.create_task(phone.hears())]
            try:
                yield phone
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def _update(self, account: str, sid: str, request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode()))
        self.requests.append((sid, form))
        if self.answer is not None:
            return await self.answer()
        phone = self._phones[sid]
        if "Twiml" in form:
            phone.closed_at = time.monotonic()
            await phone.stream.close()
        body = {"sid": sid, "account_sid": account, "status": "in-progress"}
        return Response(json.dumps(body), media_type="application/json")


@asynccontextmanager
async def answering(bot: Callable[[WebSocket], Awaitable[None]]) -> AsyncIterator[str]:
    """Let a bot answer calls to the address that this yields."""
    app = FastAPI()

    @app.websocket("/ws")
    async def _(websocket: WebSocket) -> None:
        await websocket.accept()
        await bot(websocket)

    async with serving(app) as address:
        yield f"ws://{address}/ws"
