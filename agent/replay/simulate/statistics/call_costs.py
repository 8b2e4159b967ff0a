"""What each labelled call costs under each policy, and whether the calls tell two policies apart.

All policies meet the same calls, so costs are compared call by call: what is the same under both
says nothing, and only calls that differ can tell.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..vectorized import CallBatch
from .call_labels import BatchLabels
from .figures import Estimate, bootstrap_mean
from .sweep import Costs
from .tally import IN_TIME, Outcomes

FEWEST_LABELLED = 100
"""A winner needs this many distressed and this many calm calls with a label.

A sweep chooses on one half and checks on the other, so about 50 of each kind decide. If six of 50
callers fare differently, all of them better, that is not chance (`FEWEST_DIFFERENT`): differences
of 12 percentage points can be told, smaller ones need more calls. And if no calm caller of 50 is
transferred needlessly, 6 % still may be (rule of three).
"""
FEWEST_DIFFERENT = 6
"""Fewer calls, all in favour of one policy, may be chance: 2 / 2^5 > 5 % (exact sign test)."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A difference of two costs, and the number of calls that cost differently."""

    cost: Estimate
    calls: int

    @property
    def told(self) -> bool:
        """Whether it is more than chance."""
        return self.calls >= FEWEST_DIFFERENT and not self.cost.low <= 0 <= self.cost.high


def difference(*kinds: NDArray[np.float64]) -> Difference:
    """The difference from those of the single calls; the means of several kinds add up."""
    rng = np.random.default_rng(0)
    means = [bootstrap_mean(*np.unique(values, return_counts=True), rng) for values in kinds]
    value = sum(float(values.mean()) for values in kinds)
    low, high = np.quantile(np.sum(means, axis=0), [0.025, 0.975])
    calls = sum(int(np.count_nonzero(values)) for values in kinds)
    return Difference(Estimate(value, float(low), float(high)), calls)


def least_cost(
    costs: Sequence[float], compare: Callable[[int, int], Difference]
) -> tuple[int, int | None]:
    """The policy to keep, and the one that costs least, if all others are told apart from it.

    Kept is the first one that is not told apart from the cheapest.
    """
    best = min(range(len(costs)), key=lambda index: (costs[index], index))
    ties = [index for index in range(len(costs)) if index != best and not compare(index, best).told]
    return min([*ties, best]), None if ties else best


class CallCosts:
    """The costs of all labelled calls under each policy, in the policies' order."""

    def __init__(self, costs: Costs, *, base_rate: float, handling_s: float) -> None:
        self._costs = costs
        self._transfer = handling_s / 60 * costs.minute
        self._weights = (1000 * base_rate, 1000 * (1 - base_rate))
        self._kinds: tuple[list[NDArray[np.float64]], ...] = ([], [])

    def add(
        self, batch: CallBatch, labels: BatchLabels | None, outcomes: Sequence[Outcomes]
    ) -> None:
        """Take a batch with its outcomes under each policy."""
        if labels is None:
            return
        distressed, calm = labels.known & labels.distressed, labels.known & ~labels.distressed
        costs = [self._of_calls(one) for one in outcomes]
        self._kinds[0].append(np.array([missed[distressed] for missed, _ in costs]))
        self._kinds[1].append(np.array([needless[calm] for _, needless in costs]))

    def _of_calls(self, one: Outcomes) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """What each call costs if its caller is distressed, and if not."""
        transferred = one.transfer >= 0
        missed = (one.caught_after < 0) | (one.caught_after > IN_TIME)
        needless = transferred & ~one.on_request
        return (
            np.where(missed, self._costs.missed, 0.0) + np.where(transferred, self._transfer, 0.0),
            np.where(needless, self._costs.needless + self._transfer, 0.0),
        )

    def compare(self, one: int, other: int) -> Difference:
        """What a policy costs more than another one per 1,000 calls; needs calls of both kinds."""
        kinds = (np.concatenate(batches, axis=1) for batches in self._kinds)
        return difference(
            *(
                weight * (costs[one] - costs[other])
                for weight, costs in zip(self._weights, kinds, strict=True)
            )
        )


def labels_missing(distressed: int, calm: int) -> dict[str, int]:
    """How many more calls of each kind need a label before a winner can be named."""
    return {
        "distressed": max(0, FEWEST_LABELLED - distressed),
        "calm": max(0, FEWEST_LABELLED - calm),
    }


def too_few(missing: dict[str, int]) -> str:
    """What to label, in words; empty if nothing is missing."""
    wanted = [f"{count} more {kind}" for kind, count in missing.items() if count]
    if not wanted:
        return ""
    return (
        f"Too few labels to say what costs least: label {' and '.join(wanted)} calls "
        f"({FEWEST_LABELLED} of each kind are the fewest)."
    )
