"""What a full disk does to a write, for this process alone."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager


def fill_up(size: int) -> None:
    """Let no file grow over so many bytes from now on; meant within `no_file_over`."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))


@contextmanager
def no_file_over(size: int) -> Iterator[None]:
    """Let no file grow over so many bytes, until the end of the block."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    fill_up(size)
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
