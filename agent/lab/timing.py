"""Timing helpers; imports no model, so that no measurement includes one."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ...models.readings import Samples

SAMPLE_RATE = 16_000
LENGTHS_S = (0.5, 1.0, 2.0, 4.0, 8.0)
SMART_TURN = "smart-turn-v3.2"


@dataclass(frozen=True, slots=True)
class Timing:
    """Milliseconds over `runs` runs."""

    median_ms: float
    p95_ms: float
    runs: int

    @classmethod
    def of(cls, samples: Sequence[float]) -> Timing:
        """The median and the 95th percentile of samples in ms; NaN without samples."""
        if not samples:
            return cls(float("nan"), float("nan"), 0)
        return cls(statistics.median(samples), float(np.quantile(samples, 0.95)), len(samples))


def elapsed_ms(run: Callable[[], object]) -> float:
    """How long a call takes."""
    started = time.perf_counter()
    run()
    return (time.perf_counter() - started) * 1000.0


def speech_like(length_s: float) -> Samples:
    """Noise with a syllable rhythm: inference time does not depend on the words."""
    generator = np.random.default_rng(0)
    at = np.arange(round(length_s * SAMPLE_RATE)) / SAMPLE_RATE
    envelope = 0.1 * (1.0 + np.sin(2 * np.pi * 4 * at))
    return (envelope * generator.standard_normal(at.size)).astype(np.float32)
