"""Every test of the processors ends clean."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pipecat_deescalate.processors import InferencePool

from ..hygiene import no_tasks_left, no_threads_left, pipecat_errors

__all__ = ["no_tasks_left", "no_threads_left", "pipecat_errors"]


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
