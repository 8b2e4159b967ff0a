"""Demos that are served for tests, and callers who call them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import httpx
import numpy as np
from aiortc import RTCConfiguration, RTCPeerConnection

from pipecat_deescalate.agent.demo.caller import RATE, Caller
from pipecat_deescalate.agent.demo.speech import espeak
from pipecat_deescalate.models.audio.samples import resample
from pipecat_deescalate.models.readings import Samples
from pipecat_deescalate.policies import load_policy

from ...audio import noise

Messages = list[dict[str, Any]]

BALANCED = load_policy("balanced")
LEVELS = {"strained": BALANCED.strained.enter, "distressed": BALANCED.distressed.enter}
"""The thresholds that a demo tells its page."""


def spoken(*texts: str, pause_s: float = 5.0, rate: int = RATE) -> Samples:
    """What a synthetic caller says, with a pause after each sentence; their line is not silent."""
    parts = []
    for text in texts:
        samples = np.frombuffer(espeak().say(text), "<i2").astype(np.float32) / 32_768
        parts += [resample(samples, espeak().sample_rate, rate), np.zeros(round(pause_s * rate))]
    said = np.concatenate(parts)
    return (said + noise(len(said) / rate, rate, level=3e-4)[: len(said)]).astype(np.float32)


def web(origin: str, *, client: str = "127.0.0.1") -> httpx.AsyncClient:
    """A client of its own address on this machine, with a rate limit of its own therefore."""
    transport = httpx.AsyncHTTPTransport(local_address=client)
    return httpx.AsyncClient(base_url=origin, transport=transport, timeout=10)


async def an_offer() -> dict[str, Any]:
    """An offer of a caller who will never come."""
    connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    connection.addTransceiver("audio")
    connection.createDataChannel("messages")
    await connection.setLocalDescription(await connection.createOffer())
    sdp = connection.localDescription.sdp
    await connection.close()
    return {"sdp": sdp, "type": "offer"}


async def follow(
    caller: Caller,
    until: Callable[[Messages], object],
    *,
    on_message: Callable[[dict[str, Any]], None] = lambda _message: None,
    limit_s: float = 60.0,
) -> Messages:
    """What a caller is told until something is, playing the recording after the greeting."""
    told: Messages = []
    deadline = time.monotonic() + limit_s
    while not until(told) and not caller.closed:
        assert time.monotonic() < deadline, told
        message = await caller.next(0.1)
        if message is None:
            continue
        told.append(message)
        on_message(message)
        if message["type"] == "demo-speaking" and not message["speaking"]:
            caller.play()
    return told


def of(messages: Messages, kind: str) -> Messages:
    """The messages of one type."""
    return [message for message in messages if message["type"] == kind]


async def eventually(condition: Callable[[], object], limit_s: float = 5.0) -> None:
    """Wait for something to become true; the test fails if it does not."""
    async with asyncio.timeout(limit_s):
        while not condition():
            await asyncio.sleep(0.02)
