"""`--sweep`: tries a grid of policies on half of the labelled calls, checks one on the others."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from ....models.errors import DeescalateError
from ....models.files import whole_file
from ....policies.config import MitigationPolicy
from .comparison import Batches, Comparison
from .statistics.staffing import Service
from .statistics.sweep import Axis, Costs, Point, cheapest, grid, pareto_front, point_of
from .statistics.tally import Tally
from .vectorized import CallBatch


class SweepError(DeescalateError):
    """A sweep lacks what it needs; the message says what."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """What to try, and what things cost."""

    axes: Sequence[Axis]
    costs: Costs
    base_rate: float
    service: Service

    def point(self, counts: Tally) -> Point:
        """Where a policy's counts put it."""
        return point_of(
            counts, self.costs, base_rate=self.base_rate, handling_s=self.service.handling_s
        )


@dataclass(frozen=True, slots=True)
class Swept:
    """The outcome: `summary` is its JSON, `chosen` the cheapest policy."""

    summary: dict[str, Any]
    chosen: MitigationPolicy


def half(batches: Batches, *, to_choose: bool) -> Batches:
    """The batches with the labels of one half only, by a hash of the call ids."""
    for batch, labels in batches:
        if labels is not None:
            yield batch, replace(labels, known=labels.known & (_first_half(batch) == to_choose))


def _first_half(batch: CallBatch) -> NDArray[np.bool_]:
    digests = (hashlib.sha256(call_id.encode()).digest() for call_id in batch.call_ids)
    return np.array([digest[0] % 2 for digest in digests], bool)


def run_sweep(base: MitigationPolicy, sweep: Sweep, batches: Callable[[], Batches]) -> Swept:
    """Try all candidates, take the cheapest, and evaluate it on the held-out half.

    Raises:
        PolicyError: the grid has no valid policy.
        SweepError: a half of the labelled calls lacks distressed or calm ones.
    """
    candidates, invalid = grid(base, sweep.axes)
    comparison = Comparison([candidate.policy for candidate in candidates])
    comparison.add(half(batches(), to_choose=True))
    _check(comparison, "to choose from")
    points = [sweep.point(counts) for counts in comparison.tallies]
    best = cheapest(points)
    chosen = candidates[best].policy.model_copy(update={"name": f"{base.name}-swept"})
    check = Comparison([base, chosen])
    check.add(half(batches(), to_choose=False))
    _check(check, "to check on")
    summary = {
        "candidates": len(candidates),
        "invalid": invalid,
        "costs": asdict(sweep.costs),
        "base_rate": sweep.base_rate,
        "points": [
            {"settings": candidate.settings, **asdict(point)}
            for candidate, point in zip(candidates, points, strict=True)
        ],
        "front": pareto_front(points),
        "cheapest": best,
        "held_out": [asdict(figures) for figures in check.figures(sweep.base_rate)],
        "held_out_cost": [sweep.point(counts).cost for counts in check.tallies],
    }
    return Swept(summary, chosen)


def _check(comparison: Comparison, what_for: str) -> None:
    counts = comparison.tallies[0]
    if not counts.distressed or not counts.calm:
        raise SweepError(
            f"a sweep splits the labelled calls in two; the half {what_for} has "
            f"{counts.distressed} distressed and {counts.calm} calm calls: label more"
        )


def write_policy(path: Path, swept: Swept, calls: str) -> None:
    """Write the chosen policy, ready to deploy, under comments that say how it was chosen.

    Raises:
        OutputError: the file cannot be written.
    """
    _, labelled = (one["labelled"] for one in swept.summary["held_out"])
    caught, false = labelled["caught_in_time"], labelled["false_transfers_per_1000_calm"]
    lines = [
        f"# Chosen among {swept.summary['candidates']} on half of the labelled calls in {calls}.",
        f"# On the other half ({labelled['distressed']} distressed, {labelled['calm']} calm) it",
        f"# offered a human to {caught['value']:.0%} of the distressed by the third negative turn",
        f"# and transferred {false['value']:.1f} of 1,000 calm callers who had not asked.",
    ]
    values = swept.chosen.model_dump(mode="json", exclude_none=True)
    text = "\n".join(lines) + "\n" + yaml.safe_dump(values, sort_keys=False)
    with whole_file(path) as file:
        file.write(text.encode())
