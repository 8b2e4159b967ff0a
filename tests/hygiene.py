"""Fixtures for tests with event loops: afterwards nothing runs on, and nobody complained."""

from __future__ import annotations

import asyncio
import gc
import logging
import threading
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
import pytest_asyncio
from loguru import logger

from pipecat_deescalate.processors import shared_pool


@pytest_asyncio.fixture(autouse=True)
async def no_tasks_left() -> AsyncIterator[None]:
    tasks = {*asyncio.all_tasks()}
    with _complaints_of_asyncio() as complaints:
        yield
        deadline = time.monotonic() + 2
        tasks.add(asyncio.current_task())
        while (left := asyncio.all_tasks() - tasks) and time.monotonic() < deadline:
            await asyncio.sleep(0.01)
        assert not left, "tasks are still running"
    assert not complaints, "\n".join(complaints)


class _Heard(logging.Handler):
    """Keeps the texts of warnings and errors, and nothing that they are about."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(self.format(record))


@contextmanager
def _complaints_of_asyncio() -> Iterator[list[str]]:
    """What asyncio says of tasks that were dropped and of exceptions that nobody asked for.

    It says so when they are collected as garbage: at the end of the block everything that was
    made in it is, and nothing older.
    """
    heard = _Heard()
    logging.getLogger("asyncio").addHandler(heard)
    gc.freeze()
    try:
        yield heard.texts
        gc.collect()
    finally:
        gc.unfreeze()
        logging.getLogger("asyncio").removeHandler(heard)


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
    sink = logger.add(lambda message: errors.append(str(message)), level="WARNING", filter=_counts)
    yield errors
    logger.remove(sink)
    assert not errors, "\n".join(errors)


def _counts(record: Mapping[str, Any]) -> bool:
    """Errors do, and the warning that tasks outlived their pipeline."""
    return record["level"].name != "WARNING" or "dangling tasks" in record["message"]
