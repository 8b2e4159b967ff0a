"""Giving back what a call took.

A pipeline is full of reference cycles and holds a VAD model of its own, 10 MB in all: Python's
collector comes by much later, and the C library keeps what was freed in between.
"""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any


@contextmanager
def kept() -> Iterator[None]:
    """Take what is loaded now for something that stays: collecting after a call is quick then."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def release() -> None:
    """Collect what calls left behind, and give it back to the system where that is possible."""
    gc.collect()
    trim = _malloc_trim()
    if trim is not None:
        trim(0)


@lru_cache(maxsize=1)
def _malloc_trim() -> Any:
    """The function of glibc; None with another C library."""
    try:
        return ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):
        return None
