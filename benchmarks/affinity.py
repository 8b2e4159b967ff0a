"""Which cores what is measured runs on, where the system lets one choose."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

BOTS = 2
"""A bot is measured on so many cores."""


def bots_cores() -> set[int]:
    """The first two cores that this process may use."""
    return set(sorted(allowed())[:BOTS])


def callers_cores() -> set[int]:
    """The other cores; all of them if there are no others."""
    return allowed() - bots_cores() or allowed()


def shared() -> bool:
    """Whether callers take time from the bot, for want of other cores."""
    return bool(bots_cores() & callers_cores()) or not allowed()


def keep_to(cores: set[int]) -> None:
    """Run this process on these cores only; none leave it as it is."""
    if cores:
        os.sched_setaffinity(0, cores)


@contextmanager
def on_last_cores(count: int) -> Iterator[None]:
    """Keep this thread, and what it starts, on the last so many cores until the block ends."""
    before = allowed()
    keep_to(set(sorted(before)[-count:]))
    try:
        yield
    finally:
        keep_to(before)


def allowed() -> set[int]:
    """The cores that this thread may use; none where the system does not tell."""
    return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
