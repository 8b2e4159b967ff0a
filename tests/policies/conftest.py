"""A fake server, and time that passes at once."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from ..fakes import FakeServer
from .vendors import Naps


@pytest.fixture
async def server() -> AsyncIterator[FakeServer]:
    async with FakeServer() as running:
        yield running


@pytest.fixture
def naps() -> Naps:
    return Naps()
