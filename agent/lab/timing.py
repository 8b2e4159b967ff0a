"""What benchmarks time, and how they summarise times; imports no model, as that takes memory."""

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
TURNS_OF_WORDS = (
    "I have called you three times now about the same charge and nobody is able to tell me why now",
    "no I want to change my address because I moved last month and the new card went to that place",
)


@dataclass(frozen=True, slots=True)
class Timing:
    """Milliseconds over `runs` runs."""

    median_ms: float
    p95_ms: float
    runs: int

    @classmethod
    def of(cls, samples: Sequence[float]) -> Timing:
        """The median and the 95th percentile of times in milliseconds; NaN without any."""
        if not samples:
            return cls(float("nan"), float("nan"), 0)
        return cls(statistics.median(samples), float(np.quantile(samples, 0.95)), len(samples))


def elapsed_ms(run: Callable[[], object]) -> float:
    """How long a function call takes, in milliseconds."""
    started = time.perf_counter()
    run()
    return (time.perf_counter() - started) * 1000.0


def speech_like(length_s: float) -> Samples:
    """Noise with the rhythm of syllables; inference time does not depend on the words."""
    generator = np.random.default_rng(0)
    at = np.arange(round(length_s * SAMPLE_RATE)) / SAMPLE_RATE
    envelope = 0.1 * (1.0 + np.sin(2 * np.pi * 4 * at))
    return (envelope * generator.standard_normal(at.size)).astype(np.float32)
