"""A fake server, and time that passes at once; every test of the policies ends clean."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from ..fakes import FakeServer
from ..hygiene import no_tasks_left, no_threads_left, pipecat_errors
from .fake_vendors import Naps

__all__ = ["no_tasks_left", "no_threads_left", "pipecat_errors"]


@pytest.fixture
async def server() -> AsyncIterator[FakeServer]:
    async with FakeServer() as running:
        yield running


@pytest.fixture
def naps() -> Naps:
    return Naps()
