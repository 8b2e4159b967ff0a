"""One piece of work, from the event loop that waits for it to the thread that does it and back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any


class WorkItem:
    """Work and its outcome: what it returned, or what it raised. Made on the loop that waits."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self.work = work
        self.loop = asyncio.get_running_loop()
        self.outcome: asyncio.Future[tuple[Any, BaseException | None]] = self.loop.create_future()
        self.started_at = 0.0

    def run(self) -> None:
        """Do the work, on any thread."""
        outcome: tuple[Any, BaseException | None]
        try:
            outcome = self.work(), None
        except BaseException as raised:  # noqa: BLE001 - it is handed to whoever waits
            outcome = None, raised
        with suppress(RuntimeError):  # the call's event loop is closed, nobody waits
            self.loop.call_soon_threadsafe(self._resolve, outcome)

    def _resolve(self, outcome: tuple[Any, BaseException | None]) -> None:
        if not self.outcome.done():
            self.outcome.set_result(outcome)
