"""Limits on the demo's callers: how many, how long, how often."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

MAX_BODY_BYTES = 64 * 1024
"""Size of a request: an offer has 2 to 8 KiB, a packet about 1 KiB and 200 bytes per turn."""
_MAX_CLIENTS = 1024


class Ended(StrEnum):
    """Why a call is over."""

    HUNG_UP = "hung_up"
    SILENT = "silent"
    TOO_LONG = "too_long"
    TRANSFERRED = "transferred"
    SHUTDOWN = "shutdown"


@dataclass(frozen=True, slots=True)
class CallLimits:
    """When the demo ends a call; times in seconds.

    `connect_s` is for a caller who never connects, `silent_s` for one who says nothing; `calls`
    limits the concurrent calls.
    """

    max_call_s: float = 600.0
    silent_s: float = 60.0
    connect_s: float = 15.0
    calls: int = 8

    def overdue(self, *, call_s: float, silent_s: float) -> Ended | None:
        """The reason to end a call of this length and silence now; None to go on."""
        if call_s >= self.max_call_s:
            return Ended.TOO_LONG
        return Ended.SILENT if silent_s >= self.silent_s else None

    def message(self, reason: Ended) -> str:
        """The reason, for the caller."""
        return {
            Ended.HUNG_UP: "The caller hung up.",
            Ended.SILENT: f"Nobody spoke for {self.silent_s:g} seconds, so the bot hung up.",
            Ended.TOO_LONG: f"A call of the demo ends after {self.max_call_s / 60:g} minutes.",
            Ended.TRANSFERRED: "The call was handed over to a human.",
            Ended.SHUTDOWN: "The demo was stopped.",
        }[reason]


class RateLimiter:
    """Allows each client `burst` requests, and one more every `refill_s` seconds."""

    def __init__(
        self, *, burst: int, refill_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._burst = burst
        self._refill_s = refill_s
        self._clock = clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, client: str) -> bool:
        """Count one request; False if it is one too many. Forgets clients not seen for longest."""
        now = self._clock()
        left, since = self._left.pop(client, (float(self._burst), now))
        left = min(float(self._burst), left + (now - since) / self._refill_s)
        allowed = left >= 1
        self._left[client] = (left - 1 if allowed else left, now)
        if len(self._left) > _MAX_CLIENTS:
            self._left.popitem(last=False)
        return allowed
