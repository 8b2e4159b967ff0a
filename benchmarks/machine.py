"""The machine that a benchmark runs on."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from .affinity import on_last_cores


@contextmanager
def one_core() -> Iterator[None]:
    """Keep child processes on one core, where the system allows it, and their BLAS on one thread.

    Two BLAS threads on one core compete for it, at the expense of models that use more BLAS.
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
    """Memory that new processes can use; None where the system does not say."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    free = next((line for line in lines if line.startswith("MemAvailable:")), None)
    return int(free.split()[1]) * 1024 / 1e9 if free else None


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
