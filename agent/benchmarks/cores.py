"""Which cores a bot and its callers run on, where the system lets one choose."""

from __future__ import annotations

import os

BOTS = 2
"""A bot is measured on so many cores."""


def bots_cores() -> set[int]:
    """The first two cores that this process may use."""
    return set(sorted(_allowed())[:BOTS])


def callers_cores() -> set[int]:
    """The other cores; all of them if there are no others."""
    return _allowed() - bots_cores() or _allowed()


def shared() -> bool:
    """Whether callers take time from the bot, for want of other cores."""
    return bool(bots_cores() & callers_cores()) or not _allowed()


def keep_to(cores: set[int]) -> None:
    """Run this process on these cores only."""
    if cores:
        os.sched_setaffinity(0, cores)


def _allowed() -> set[int]:
    return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
