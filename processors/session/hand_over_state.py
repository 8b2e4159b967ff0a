"""Whether a human can take a live call, and whether a hand-over is under way."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

from ...policies.config import MitigationPolicy, within_opening_hours
from .faults import Faults

LIMIT_S = 60.0


class HandOver:
    """The hand-over of one call.

    `ready` is set while the pipeline has a transfer target and no transfer was tried; else no human
    counts as available. The bot is silent from the decision until the transfer failed, or until
    `resume`. While nobody knows the outcome, it is silent for `LIMIT_S` at most: the caller may
    still be here.
    """

    def __init__(self, faults: Faults, agents_available: Callable[[], bool] | None = None) -> None:
        self.ready = False
        self._faults = faults
        self._agents_available = agents_available
        self._silent_until: float | None = None  # None: no transfer was decided
        self._answered = False
        self._clock: Callable[[], float] = time.monotonic
        self._ended = asyncio.Event()
        self._ended.set()

    def begin(self) -> None:
        """A transfer was decided."""
        self._clock = asyncio.get_running_loop().time  # that of its timers
        self._silent_until = self._clock() + LIMIT_S
        self._answered = False
        self._ended.clear()

    def end(self, *, ok: bool, unknown: bool = False) -> None:
        """The target answered: a human has the call, may have it (`unknown`), or has not."""
        self.ready = False
        self._answered = ok or unknown
        self._silent_until = math.inf if ok else self._clock() + LIMIT_S * unknown
        self._ended.set()

    def resume(self) -> None:
        """The bot has the call back, if a human had it or may have had it."""
        if self.taken:
            self.end(ok=False)

    async def wait_until_ended(self) -> None:
        """Wait until the outcome of a hand-over is known, or is not to be expected any more."""
        with suppress(TimeoutError):
            async with asyncio.timeout_at(self._silent_until):
                await self._ended.wait()

    @property
    def failed(self) -> bool:
        """Whether the bot has the call although it was to be handed over."""
        return self._silent_until is not None and not self.under_way

    @property
    def under_way(self) -> bool:
        """Whether the bot is silent: a human was decided on, has the call, or may have it.

        A hand-over that got lost in the pipeline ends after `LIMIT_S`.
        """
        return self._silent_until is not None and self._clock() < self._silent_until

    @property
    def taken(self) -> bool:
        """Whether a human has the call, or may have it."""
        return self._answered and self.under_way

    def available(self, policy: MitigationPolicy) -> bool:
        """Whether a human could take the call now."""
        if self.failed or not self.ready or not within_opening_hours(policy, datetime.now(UTC)):
            return False
        try:
            return self._agents_available is None or bool(self._agents_available())
        except Exception as error:  # noqa: BLE001 - the operator's code must not stop the bot
            self._faults.report(
                "agents", "agents_available raised; nobody counts as available", error
            )
            return False
