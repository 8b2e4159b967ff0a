"""What a benchmark ran on, and how its times are summed up."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .affinity import on_last_cores

_STEAL = 7
"""Its place among the kinds of time in the first line of /proc/stat (see proc_stat(5))."""


@contextmanager
def one_core() -> Iterator[None]:
    """Keep child processes on one core, where the system lets us, and their BLAS on one thread.

    Two BLAS threads on one core fight for it, which would be held against whoever uses more BLAS.
    """
    environment = dict(os.environ)
    os.environ.update({"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"})
    try:
        with on_last_cores(1):
            yield
    finally:
        os.environ.clear()
        os.environ.update(environment)


def free_memory_gb() -> float | None:
    """What new processes may take before the system runs short; None where it does not tell."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    free = next((line for line in lines if line.startswith("MemAvailable:")), None)
    return int(free.split()[1]) * 1024 / 1e9 if free else None


class StolenTime:
    """How much of the processors' time a virtual machine's host gave to others, since it was made.

    Zero where the system does not tell.
    """

    def __init__(self) -> None:
        self._before = _processor_ticks()

    @property
    def share(self) -> float:
        """Of all processors' time so far, from 0 to 1."""
        spent = _processor_ticks() - self._before
        return float(spent[_STEAL] / max(1, spent.sum()))


def stolen_moments(seconds: float, share: float) -> list[float]:
    """Wait; the ends (monotonic) of tenths of a second in which more than `share` was stolen.

    `share` is of all processors' time, from 0 to 1.
    """
    found = []
    for _ in range(round(seconds * 10)):
        stolen = StolenTime()
        time.sleep(0.1)
        if stolen.share > share:
            found.append(time.monotonic())
    return found


def machine() -> Mapping[str, str | int]:
    """The processor, the number of cores and the Python at hand."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count() or 0,
        "python": platform.python_version(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":")[1].strip() for line in lines if "model name" in line), "unknown")


def _processor_ticks() -> NDArray[np.int64]:
    """Time of all processors by kind: user, nice, system, idle, iowait, irq, softirq, steal."""
    try:
        line = Path("/proc/stat").read_text(encoding="ascii").splitlines()[0]
    except OSError:
        return np.zeros(_STEAL + 1, np.int64)
    return np.array(line.split()[1 : _STEAL + 2], np.int64)
