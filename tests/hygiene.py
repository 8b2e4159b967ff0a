"""Fixtures for tests with pipelines: afterwards nothing runs on, and Pipecat logged no error."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from loguru import logger

from pipecat_deescalate.processors import shared_pool


@pytest_asyncio.fixture(autouse=True)
async def no_tasks_left() -> AsyncIterator[None]:
    tasks = {*asyncio.all_tasks()}
    yield
    deadline = time.monotonic() + 2
    tasks.add(asyncio.current_task())
    while (left := asyncio.all_tasks() - tasks) and time.monotonic() < deadline:
        await asyncio.sleep(0.01)
    assert not left, "tasks are still running"


@pytest.fixture(autouse=True)
def no_threads_left() -> Iterator[None]:
    asyncio.run(shared_pool().run(lambda: None))  # the process's own threads stay
    before = set(threading.enumerate())
    yield
    deadline = time.monotonic() + 3
    while (left := _ours(before)) and time.monotonic() < deadline:
        gc.collect()  # an executor that nobody holds lets its threads go
        time.sleep(0.01)
    assert not left, "threads are still running"


def _ours(before: set[threading.Thread]) -> list[threading.Thread]:
    return [
        thread
        for thread in threading.enumerate()
        if thread not in before and not thread.name.startswith("asyncio_")  # the loop's, it stays
    ]


@pytest.fixture(autouse=True)
def pipecat_errors() -> Iterator[list[str]]:
    errors: list[str] = []
    logger.remove()
    sink = logger.add(lambda message: errors.append(str(message)), level="ERROR")
    yield errors
    logger.remove(sink)
    assert not errors, "\n".join(errors)
