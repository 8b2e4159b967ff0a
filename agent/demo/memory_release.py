"""Returns the memory of a call to the system.

A pipeline is full of reference cycles and holds its own VAD model, 10 MB in all. Python's garbage
collector would run much later, and the C library keeps freed memory.
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
    """Exempt what is loaded now from garbage collection, which makes it quick after a call."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def release() -> None:
    """Collect what calls left behind, and return it to the system where possible."""
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
