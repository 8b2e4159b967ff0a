"""Every test of the processors ends clean."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import TypeVar

import pytest

from pipecat_deescalate.processors import InferencePool

from ..hygiene import no_tasks_left, no_threads_left, pipecat_errors
from ..virtual_time import VirtualTimeLoop, working

__all__ = ["no_tasks_left", "no_threads_left", "pipecat_errors"]

T = TypeVar("T")


def pytest_asyncio_loop_factories(
    item: pytest.Item,
) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Have these tests wait for nothing but work, unless a module gives a reason for REAL_TIME."""
    real = isinstance(item, pytest.Function) and hasattr(item.module, "REAL_TIME")
    return {"real": asyncio.new_event_loop} if real else {"virtual": VirtualTimeLoop}


@pytest.fixture(autouse=True)
def _wait_for_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have time be real while a pool works for the loop."""
    run = InferencePool.run

    async def watched(self: InferencePool, work: Callable[[], T]) -> T:
        with working():
            return await run(self, work)

    monkeypatch.setattr(InferencePool, "run", watched)


@pytest.fixture
def pool() -> Iterator[InferencePool]:
    """A pool of the test's own."""
    own = InferencePool()
    yield own
    own.close()


@pytest.fixture
def hasty_pool() -> Iterator[InferencePool]:
    """A pool that gives up after 0.3 s."""
    own = InferencePool(time_limit_s=0.3)
    yield own
    own.close()
