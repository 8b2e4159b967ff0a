"""Selective classification: figures when only the most certain turns are decided.

Certainty is the distance of p(negative) from one half. El-Yaniv and Wiener, "On the foundations
of noise-free selective classification", 2010; the area is that of Geifman and El-Yaniv, 2017.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

COVERAGES = (1.0, 0.9, 0.75, 0.5)

_Floats = NDArray[np.float64]
_Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Decided:
    """Figures at p = 0.5 over the most certain share `coverage` of turns; NaN where undefined."""

    coverage: float
    accuracy: float
    negative_precision: float


@dataclass(frozen=True, slots=True)
class Selective:
    """`risk_coverage_area` is the mean error rate over all coverages: 0 is best."""

    decided: tuple[Decided, ...]
    risk_coverage_area: float


def selective(truth: _Bools, p_negative: _Floats) -> Selective:
    """Return the figures by coverage; equally certain rows share their weight."""
    if not truth.size or truth.shape != p_negative.shape:
        raise ValueError(f"expected two equal rows of values, got {truth.shape}")
    called = p_negative >= 0.5
    wrong = (called != truth).astype(np.float64)
    _, place, count = np.unique(-np.abs(p_negative - 0.5), return_inverse=True, return_counts=True)
    decided = tuple(_decided(coverage, truth, called, place, count) for coverage in COVERAGES)
    alike = np.bincount(place, wrong) / count
    errors = np.cumsum(np.repeat(alike, count))
    risk = errors / np.arange(1, truth.size + 1)
    return Selective(decided, float(risk.mean()))


def _decided(
    coverage: float,
    truth: _Bools,
    called: _Bools,
    place: NDArray[np.intp],
    count: NDArray[np.intp],
) -> Decided:
    """Weigh the rows of the most certain groups fully, the last group by the share that is left."""
    before = np.cumsum(count) - count
    weight = np.clip((coverage * truth.size - before) / count, 0.0, 1.0)[place]
    right = weight[called == truth].sum()
    found = weight[called].sum()
    precision = weight[called & truth].sum() / found if found else float("nan")
    return Decided(coverage, float(right / weight.sum()), float(precision))
