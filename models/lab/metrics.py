"""Metrics of binary classification, in numpy. Labels: 1 negative, 0 not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

_Floats = NDArray[np.float64]
_Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class ClassFigures:
    """Precision and recall of one class, each in [0, 1]; NaN where its denominator is 0."""

    precision: float
    recall: float


@dataclass(frozen=True, slots=True)
class Interval:
    """Bounds of a bootstrap interval."""

    low: float
    high: float


def roc_auc(labels: ArrayLike, scores: ArrayLike) -> float:
    """Return the area under the ROC curve, ties counted half; NaN if one class is missing.

    This is the Mann-Whitney statistic: the share of pairs in the right order.
    """
    truth, values = _checked(labels, scores)
    positives, negatives = int(truth.sum()), int((~truth).sum())
    if not positives or not negatives:
        return float("nan")
    pairs = float(_ranks(values)[truth].sum()) - positives * (positives + 1) / 2
    return pairs / (positives * negatives)


def accuracy(labels: ArrayLike, scores: ArrayLike, threshold: float = 0.5) -> float:
    """Return the share of correct rows; a score at the threshold counts as negative."""
    truth, values = _checked(labels, scores)
    return float(np.mean((values >= threshold) == truth))


def class_figures(
    labels: ArrayLike, scores: ArrayLike, threshold: float = 0.5
) -> tuple[ClassFigures, ClassFigures]:
    """Return the figures of "negative" and of "not negative" at a threshold."""
    truth, values = _checked(labels, scores)
    called = values >= threshold
    return _figures(truth, called), _figures(~truth, ~called)


def false_positive_rate(labels: ArrayLike, scores: ArrayLike, threshold: float) -> float:
    """Return the share of non-negative rows classified as negative; NaN without such rows."""
    truth, values = _checked(labels, scores)
    return _ratio(float((values[~truth] >= threshold).sum()), float((~truth).sum()))


def rank_correlation(first: ArrayLike, second: ArrayLike) -> float:
    """Return Spearman's correlation, ties sharing their rank; NaN if one side is constant."""
    ranks = [_ranks(np.asarray(values, np.float64)) for values in (first, second)]
    if not all(np.ptp(values) for values in ranks):
        return float("nan")
    return float(np.asarray(np.corrcoef(ranks))[0, 1])


def calibration_error(labels: ArrayLike, probabilities: ArrayLike, bins: int = 10) -> float:
    """Return the expected calibration error over equally wide bins, classes weighted equally.

    Equally, because the probabilities assume balanced priors. Naeini et al., 2015.
    """
    truth, values = _checked(labels, probabilities)
    if not truth.any() or truth.all():
        return float("nan")
    weight = np.where(truth, 0.5 / truth.sum(), 0.5 / (~truth).sum())
    place = np.clip((values * bins).astype(int), 0, bins - 1)
    gap = np.bincount(place, weight * (values - truth), bins)
    return float(np.abs(gap).sum())


def bootstrap(
    labels: ArrayLike,
    scores: ArrayLike,
    figure: Callable[[_Bools, _Floats], float] = roc_auc,
    *,
    rounds: int = 300,
    seed: int = 0,
) -> _Floats:
    """Return a metric over `rounds` stratified bootstrap samples of the rows.

    All are NaN if one class is missing. Efron and Tibshirani, 1993.
    """
    truth, values = _checked(labels, scores)
    rng = np.random.default_rng(seed)
    classes = [np.flatnonzero(truth), np.flatnonzero(~truth)]
    if not all(rows.size for rows in classes):
        return np.full(rounds, np.nan)
    drawn = np.empty(rounds)
    for index in range(rounds):
        rows = np.concatenate([rng.choice(rows, rows.size) for rows in classes])
        drawn[index] = figure(truth[rows], values[rows])
    return drawn


def interval(drawn: _Floats) -> Interval:
    """Return the central 95 % of bootstrap values."""
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Interval(float(low), float(high))


def _figures(truth: _Bools, called: _Bools) -> ClassFigures:
    right = float((truth & called).sum())
    return ClassFigures(_ratio(right, float(called.sum())), _ratio(right, float(truth.sum())))


def _ranks(values: _Floats) -> _Floats:
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    ranks: _Floats = (np.cumsum(count) - (count - 1) / 2)[place]
    return ranks


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else float("nan")


def _checked(labels: ArrayLike, scores: ArrayLike) -> tuple[_Bools, _Floats]:
    truth = np.asarray(labels).astype(bool)
    values = np.asarray(scores, np.float64)
    if truth.shape != values.shape or truth.ndim != 1 or not truth.size:
        raise ValueError(f"expected two equal rows of values, got {truth.shape} and {values.shape}")
    if np.isnan(values).any():
        raise ValueError("scores must be numbers")
    return truth, values
