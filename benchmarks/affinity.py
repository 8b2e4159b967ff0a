"""Which cores bots, callers and models run on, where the system allows a choice."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

BOTS = 2
"""Cores that bots are measured on."""


def bots_cores() -> set[int]:
    """The first two cores that this process may use."""
    return set(sorted(allowed())[:BOTS])


def callers_cores() -> set[int]:
    """The other cores, or all if there are no others."""
    return allowed() - bots_cores() or allowed()


def shared() -> bool:
    """Whether callers and bots share cores because there are no others."""
    return bool(bots_cores() & callers_cores()) or not allowed()


def keep_to(cores: set[int]) -> None:
    """Run this process on these cores only; an empty set changes nothing."""
    if cores:
        os.sched_setaffinity(0, cores)


@contextmanager
def on_last_cores(count: int) -> Iterator[None]:
    """Keep this thread and what it starts on the last `count` cores until the block ends."""
    before = allowed()
    keep_to(set(sorted(before)[-count:]))
    try:
        yield
    finally:
        keep_to(before)


def allowed() -> set[int]:
    """The cores that this thread may use; empty where the system does not say."""
    return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
