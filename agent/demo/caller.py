"""A caller without a browser: plays a recording into a call, and listens to the bot."""

from __future__ import annotations

import asyncio
import fractions
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx
import numpy as np
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from av import AudioFrame
from numpy.typing import NDArray

from ...models.errors import DeescalateError
from ...models.readings import Samples

RATE = 16_000
_FRAME = RATE // 50
_PING_S = 1.0
_QUIET = 0.01
_NOISE = 5e-4
"""Share of full scale, around the recording: digital silence misleads voice detection."""
_LEAD_S = 0.2


class CallError(DeescalateError):
    """The demo refused the call; the message holds its answer."""


class _Microphone(MediaStreamTrack):
    """Real-time audio: the recording once `play` was called, silence before and after."""

    kind = "audio"

    def __init__(self, samples: Samples) -> None:
        super().__init__()
        self._pcm = _pcm(_from_first_sound(samples))
        self._silence = _pcm(np.random.default_rng(0).normal(0, _NOISE, _FRAME))
        self._at: int | None = None
        self._sent = 0
        self._began_at: float | None = None
        self.over = False

    def play(self) -> None:
        self._at = self._at or 0

    async def recv(self) -> AudioFrame:
        if self._began_at is None:
            self._began_at = time.monotonic()
        due = self._began_at + self._sent / RATE
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        frame = AudioFrame.from_ndarray(self._next()[None, :], layout="mono")
        frame.sample_rate = RATE
        frame.pts = self._sent
        frame.time_base = fractions.Fraction(1, RATE)
        self._sent += _FRAME
        return frame

    def _next(self) -> NDArray[np.int16]:
        if self._at is None:
            return self._silence
        piece = self._pcm[self._at : self._at + _FRAME]
        self._at += _FRAME
        if self._at >= len(self._pcm):
            self.over = True
        return piece if len(piece) == _FRAME else np.append(piece, self._silence[len(piece) :])


class Caller:
    """One call. `next` returns the server's messages; `heard_s` is how long the bot spoke."""

    def __init__(self, samples: Samples) -> None:
        self.heard_s = 0.0
        self._connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._microphone = _Microphone(samples)
        self._messages: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._closed = False
        self._channel = self._connection.createDataChannel("messages", ordered=True)
        self._tasks: set[asyncio.Task[None]] = set()

    def play(self) -> None:
        """Play the recording from its first sound on."""
        self._microphone.play()

    @property
    def over(self) -> bool:
        """Whether the recording has played to its end."""
        return self._microphone.over

    @property
    def closed(self) -> bool:
        """Whether the line is closed and every message was read."""
        return self._closed and self._messages.empty()

    async def next(self, timeout_s: float) -> dict[str, Any] | None:
        """The server's next message; None after the timeout."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                return await self._messages.get()
        return None

    async def connect(self, origin: str, *, token: str | None, analysis: bool) -> None:
        """Call the demo.

        Raises:
            CallError: the demo refused, or did not answer.
        """
        self._connection.addTrack(self._microphone)
        self._listen()
        await self._connection.setLocalDescription(await self._connection.createOffer())
        offer = {
            "sdp": self._connection.localDescription.sdp,
            "type": "offer",
            "request_data": {"analysis": analysis},
        }
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        try:
            async with httpx.AsyncClient(timeout=20, trust_env=False) as web:
                answer = await web.post(f"{origin}/api/offer", json=offer, headers=headers)
        except httpx.HTTPError as error:
            raise CallError(f"{origin}: {type(error).__name__}") from error
        body = answer.json()
        if answer.status_code != 200:
            raise CallError(f"{origin}: {body.get('detail', answer.status_code)}")
        await self._connection.setRemoteDescription(
            RTCSessionDescription(body["sdp"], body["type"])
        )

    async def hang_up(self) -> None:
        """Close the line."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._connection.close()

    def send(self, kind: str, data: dict[str, Any]) -> None:
        """Send an RTVI message."""
        message = {"label": "rtvi-ai", "type": kind, "id": str(time.monotonic_ns()), "data": data}
        self._channel.send(json.dumps(message))

    def _listen(self) -> None:
        @self._channel.on("open")
        def on_open() -> None:
            self.send("client-ready", {"version": "1.2.0", "about": {"library": "deescalate"}})
            self._spawn(self._ping())

        @self._channel.on("message")
        def on_message(text: str | bytes) -> None:
            message = json.loads(text)
            if message.get("type") == "server-message":
                self._messages.put_nowait(message["data"])
            elif message.get("type") == "signalling":  # a server sends only one: its farewell
                self._closed = True

        @self._connection.on("track")
        def on_track(track: MediaStreamTrack) -> None:
            self._spawn(self._hear(track))

        @self._connection.on("connectionstatechange")
        def on_state() -> None:
            self._closed = self._connection.connectionState in {"failed", "closed"}

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _ping(self) -> None:
        while self._channel.readyState == "open":
            self._channel.send("ping")
            await asyncio.sleep(_PING_S)

    async def _hear(self, track: MediaStreamTrack) -> None:
        while True:
            try:
                frame = await track.recv()
            except MediaStreamError:
                return
            assert isinstance(frame, AudioFrame)
            samples = frame.to_ndarray()
            if np.abs(samples).max(initial=0) > _QUIET * 32_767:
                self.heard_s += frame.samples / frame.sample_rate


@asynccontextmanager
async def calling(
    samples: Samples, origin: str, *, token: str | None = None, analysis: bool = True
) -> AsyncIterator[Caller]:
    """Call the demo at an address with mono audio at `RATE`, and hang up afterwards."""
    caller = Caller(samples)
    try:
        await caller.connect(origin, token=token, analysis=analysis)
        yield caller
    finally:
        await caller.hang_up()


def _pcm(samples: NDArray[Any]) -> NDArray[np.int16]:
    pcm: NDArray[np.int16] = (np.clip(samples, -1, 1) * 32_767).astype(np.int16)
    return pcm


def _from_first_sound(samples: Samples) -> Samples:
    """The recording without the silence before it."""
    loud = np.flatnonzero(np.abs(samples) > _QUIET)
    first = int(loud[0]) if loud.size else 0
    return samples[max(0, first - round(_LEAD_S * RATE)) :]
