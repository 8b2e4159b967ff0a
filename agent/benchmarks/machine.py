"""What a benchmark ran on, and how its times are summed up."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True, slots=True)
class Timing:
    """Milliseconds over `runs` runs."""

    median_ms: float
    p95_ms: float
    runs: int

    @classmethod
    def of(cls, samples: Sequence[float]) -> Timing:
        """The median and the 95th percentile of some milliseconds; NaN of none."""
        if not samples:
            return cls(float("nan"), float("nan"), 0)
        return cls(statistics.median(samples), float(np.quantile(samples, 0.95)), len(samples))


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
