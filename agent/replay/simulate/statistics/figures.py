"""A policy's figures from its counts, with bootstrap intervals, also at an expected base rate.

A labelled set never has the natural rate of distress: figures that depend on it (precision, all
transfers) are also given for the expected rate, from the rates within each class.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from .....policies.types import Action
from .tally import Tally

_ROUNDS = 2_000
_SEED = 0


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with the central 95 % of bootstrap draws over calls; NaN if unknown."""

    value: float
    low: float
    high: float

    def __mul__(self, factor: float) -> Self:
        return type(self)(self.value * factor, self.low * factor, self.high * factor)


class Share:
    """A share of calls, k of n, with bootstrap draws of it.

    If k is 0 or n, all draws would be equal; then the 95 % bound is the rule of three (Hanley and
    Lippman-Hand, 1983), 3 / n from there, and the draws are uniform up to it.
    """

    def __init__(self, part: int, whole: int, rng: np.random.Generator) -> None:
        self.value = part / whole if whole else float("nan")
        if not whole:
            self.draws = np.full(_ROUNDS, np.nan)
        elif 0 < part < whole:
            self.draws = rng.binomial(whole, self.value, _ROUNDS) / whole
        else:
            reach = min(1.0, 3.0 / whole) * rng.random(_ROUNDS)
            self.draws = reach if part == 0 else 1.0 - reach

    @property
    def estimate(self) -> Estimate:
        """The share with its interval."""
        return _estimate(self.value, self.draws)


@dataclass(frozen=True, slots=True)
class LabelledFigures:
    """A policy against labels. Shares are of calls in [0, 1] unless named otherwise.

    Answered: any action once there was distress; caught: a human offered, or a transfer; in time:
    by the end of the third negative turn. False transfers are those of calm callers who had not
    asked for a human. `precision` is the share of the distressed among all transfers but those that
    calm callers asked for, in the labelled set and at `base_rate`; `transfers_at_base_rate` counts
    the same transfers per 1,000 calls.
    """

    distressed: int
    calm: int
    answered: Estimate
    answered_in_time: Estimate
    caught: Estimate
    caught_in_time: Estimate
    negative_turns_before_answer: Estimate
    false_transfers_per_1000_calm: Estimate
    false_offers_per_1000_calm: Estimate
    needless_empathy_per_1000_calm: Estimate
    precision: float
    base_rate: float
    precision_at_base_rate: Estimate
    transfers_at_base_rate: Estimate


@dataclass(frozen=True, slots=True)
class PolicyFigures:
    """What a policy did in the calls as recorded."""

    policy: str
    calls: int
    turns: int
    calls_by_highest_action: dict[str, int]
    turns_by_action: dict[str, int]
    first_action_turn: float
    first_action_s: float
    transfers_per_1000: Estimate
    transfers_on_request_per_1000: float
    callbacks: int
    labelled: LabelledFigures | None


def figures_of(policy: str, counts: Tally, base_rate: float) -> PolicyFigures:
    """The figures of one policy; `first_action…` are medians, NaN if there was no action.

    Seeded: the same counts give the same figures.
    """
    rng = np.random.default_rng(_SEED)
    from_highest = _named(counts.calls_by_highest_action)
    return PolicyFigures(
        policy=policy,
        calls=counts.calls,
        turns=counts.turns,
        calls_by_highest_action=from_highest,
        turns_by_action=_named(counts.turns_by_action),
        first_action_turn=_median(counts.first_action_turn) + 1,
        first_action_s=_median(counts.first_action_s),
        transfers_per_1000=Share(counts.transferred, counts.calls, rng).estimate * 1000,
        transfers_on_request_per_1000=(
            1000 * counts.transferred_on_request / counts.calls if counts.calls else float("nan")
        ),
        callbacks=counts.callbacks,
        labelled=_labelled(counts, base_rate, rng) if counts.distressed + counts.calm else None,
    )


def _labelled(counts: Tally, base_rate: float, rng: np.random.Generator) -> LabelledFigures:
    def of_distressed(part: int) -> Share:
        return Share(part, counts.distressed, rng)

    def of_calm(part: int) -> Share:
        return Share(part, counts.calm, rng)

    right, wrong = of_distressed(counts.distressed_transferred), of_calm(counts.calm_transferred)
    transfers = counts.distressed_transferred + counts.calm_transferred
    return LabelledFigures(
        distressed=counts.distressed,
        calm=counts.calm,
        answered=of_distressed(counts.answered).estimate,
        answered_in_time=of_distressed(counts.answered_in_time).estimate,
        caught=of_distressed(counts.caught).estimate,
        caught_in_time=of_distressed(counts.caught_in_time).estimate,
        negative_turns_before_answer=_mean(counts.negative_before_action, rng),
        false_transfers_per_1000_calm=wrong.estimate * 1000,
        false_offers_per_1000_calm=of_calm(counts.calm_offered).estimate * 1000,
        needless_empathy_per_1000_calm=of_calm(counts.calm_touched).estimate * 1000,
        precision=counts.distressed_transferred / transfers if transfers else float("nan"),
        base_rate=base_rate,
        precision_at_base_rate=_estimate(
            _precision(right.value, wrong.value, base_rate),
            _precision(right.draws, wrong.draws, base_rate),
        ),
        transfers_at_base_rate=_estimate(
            base_rate * right.value + (1 - base_rate) * wrong.value,
            base_rate * right.draws + (1 - base_rate) * wrong.draws,
        )
        * 1000,
    )


def _precision(right: object, wrong: object, rate: float) -> NDArray[np.float64]:
    hits, misses = rate * np.asarray(right, float), (1 - rate) * np.asarray(wrong, float)
    with np.errstate(invalid="ignore"):
        return np.asarray(hits / (hits + misses))


def _named(counts: NDArray[np.int64]) -> dict[str, int]:
    return {action.value: int(n) for action, n in zip(Action, counts, strict=True)}


def _median(histogram: NDArray[np.int64]) -> float:
    """The bin of the middle call; NaN if there are no calls."""
    total = int(histogram.sum())
    return float(np.searchsorted(np.cumsum(histogram), (total + 1) // 2)) if total else float("nan")


def _mean(histogram: NDArray[np.int64], rng: np.random.Generator) -> Estimate:
    total = int(histogram.sum())
    if not total:
        return Estimate(float("nan"), float("nan"), float("nan"))
    values = np.arange(len(histogram))
    return _estimate(float(histogram @ values / total), bootstrap_mean(values, histogram, rng))


def bootstrap_mean(
    values: NDArray[Any], counts: NDArray[np.int64], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Bootstrap draws of the mean of values that occur `counts` times."""
    total = int(counts.sum())
    means: NDArray[np.float64] = rng.multinomial(total, counts / total, _ROUNDS) @ values / total
    return means


def _estimate(value: object, draws: NDArray[np.float64]) -> Estimate:
    """The value and the central 95 % of the draws, widened to include it (see `Share`)."""
    known, figure = draws[~np.isnan(draws)], float(np.asarray(value))
    if not known.size:
        return Estimate(float("nan"), float("nan"), float("nan"))
    low, high = np.quantile(known, [0.025, 0.975])
    return Estimate(figure, float(np.fmin(low, figure)), float(np.fmax(high, figure)))
