"""Whether a human can take a live call, and whether a hand-over is under way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

from ...policies.config import MitigationPolicy, within_opening_hours
from .faults import Faults

LIMIT_S = 60.0


class HandOver:
    """The hand-over of one call.

    `ready` is set while the pipeline has a transfer target; without one, no human counts as
    available.
    """

    def __init__(self, faults: Faults, agents_available: Callable[[], bool] | None = None) -> None:
        self.ready = False
        self._failed = False
        self._faults = faults
        self._agents_available = agents_available
        self._since: float | None = None
        self._ended = asyncio.Event()

    def begin(self) -> None:
        """A transfer was decided."""
        self._since = _now()
        self._ended.clear()

    def end(self, *, ok: bool) -> None:
        """The hand-over ended; after a failure no human counts as available."""
        self._since = None
        self.ready = self.ready and ok
        self._failed = self._failed or not ok
        self._ended.set()

    async def wait_until_ended(self) -> None:
        """Wait while a hand-over is under way."""
        if self._since is None:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout_at(self._since + LIMIT_S):
                await self._ended.wait()

    @property
    def failed(self) -> bool:
        """Whether a transfer failed, or never reached the target."""
        return self._failed or (self._since is not None and not self.under_way)

    @property
    def under_way(self) -> bool:
        """Whether the bot is silent because the outcome of a hand-over is not known yet.

        False after `LIMIT_S` at the latest, in case the hand-over got lost in the pipeline.
        """
        return self._since is not None and _now() - self._since < LIMIT_S

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


def _now() -> float:
    """By the loop's clock, which is that of its timers."""
    return asyncio.get_running_loop().time()
