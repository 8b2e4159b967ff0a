"""`--sweep`: tries a grid of policies on half of the labelled calls, checks one on the others."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, BinaryIO

import numpy as np
import yaml
from numpy.typing import NDArray

from ....policies.config import MitigationPolicy
from .comparison import Batches, Comparison
from .statistics.call_costs import CallCosts, Difference, too_few
from .statistics.staffing import Service
from .statistics.sweep import Axis, Costs, Point, cheapest, grid, pareto_front, point_of
from .statistics.tally import Tally
from .vectorized import CallBatch


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
    """The outcome: `summary` is its JSON, `policy` what to deploy, None if labels are missing."""

    summary: dict[str, Any]
    policy: MitigationPolicy | None


def half(batches: Batches, *, to_choose: bool) -> Batches:
    """The batches with the labels of one half only, by a hash of the call ids."""
    for batch, labels in batches:
        if labels is not None:
            yield batch, replace(labels, known=labels.known & (_first_half(batch) == to_choose))


def _first_half(batch: CallBatch) -> NDArray[np.bool_]:
    digests = (hashlib.sha256(call_id.encode()).digest() for call_id in batch.call_ids)
    return np.array([digest[0] % 2 for digest in digests], bool)


def run_sweep(
    base: MitigationPolicy,
    sweep: Sweep,
    batches: Callable[[], Batches],
    missing: dict[str, int],
) -> Swept:
    """Try all candidates on one half, and see whether the cheapest beats the base on the other.

    If labels are `missing`, nothing is tried. If the base policy costs no more, or the other half
    cannot tell, it stays.

    Raises:
        PolicyError: the grid has no valid policy.
    """
    candidates, invalid = grid(base, sweep.axes)
    about = {
        "candidates": len(candidates),
        "invalid": invalid,
        "costs": asdict(sweep.costs),
        "base_rate": sweep.base_rate,
    }
    if too_few(missing):
        none: dict[str, Any] = {key: [] for key in ("points", "front", "held_out", "held_out_cost")}
        return Swept(
            {**about, **none, "cheapest": None, "winner": None, "why": too_few(missing)}, None
        )
    comparison = Comparison([base, *(candidate.policy for candidate in candidates)])
    comparison.add(half(batches(), to_choose=True))
    costly, *points = [sweep.point(counts) for counts in comparison.tallies]
    best = cheapest(points, [candidate.distance for candidate in candidates])
    swept = candidates[best].policy.model_copy(update={"name": f"{base.name}-swept"})
    check = Comparison([base, swept])
    costs = CallCosts(sweep.costs, base_rate=sweep.base_rate, handling_s=sweep.service.handling_s)
    check.add(half(batches(), to_choose=False), watches=[costs.add])
    changed = costs.compare(1, 0)
    cheaper = points[best].cost < costly.cost
    won = cheaper and changed.told and changed.cost.value < 0
    summary = {
        **about,
        "points": [
            {"settings": candidate.settings, **asdict(point)}
            for candidate, point in zip(candidates, points, strict=True)
        ],
        "front": pareto_front(points),
        "cheapest": best,
        "winner": best if won else None,
        "why": _why(base, changed, won=won, cheaper=cheaper),
        "held_out": [asdict(figures) for figures in check.figures(sweep.base_rate)],
        "held_out_cost": [sweep.point(counts).cost for counts in check.tallies],
    }
    return Swept(summary, swept if won else base)


def _why(base: MitigationPolicy, changed: Difference, *, won: bool, cheaper: bool) -> str:
    if not cheaper:
        return f"No setting costs less than {base.name} on the calls to choose from: it stays."
    cost = changed.cost
    found = (
        f"On the held-out calls, of which {changed.calls} cost differently, the cheapest setting "
        f"costs {abs(cost.value):.0f} {'more' if cost.value > 0 else 'less'} per 1,000 calls than "
        f"{base.name} (difference: {cost.low:.0f} to {cost.high:.0f})"
    )
    if won:
        return f"{found}."
    return f"{found}: {base.name} stays{'' if changed.told else ', as that may be chance'}."


def write_policy(file: BinaryIO, swept: Swept, calls: str) -> None:
    """Write the policy to deploy under comments that say how it was chosen; none if there is none.

    Raises:
        OutputError: the file cannot be written.
    """
    if swept.policy is None:
        return
    figures = swept.summary["held_out"][swept.summary["winner"] is not None]["labelled"]
    distressed, calm = figures["distressed"], figures["calm"]
    caught = round(figures["caught_in_time"]["value"] * distressed)
    false = round(figures["false_transfers_per_1000_calm"]["value"] * calm / 1000)
    lines = [
        f"# Tried {swept.summary['candidates']} settings on half of the labelled calls in {calls}.",
        f"# {swept.summary['why']}",
        f"# On the others it offered a human to {caught} of {distressed} distressed callers by the",
        f"# third negative turn and transferred {false} of {calm} calm callers needlessly.",
    ]
    values = swept.policy.model_dump(mode="json", exclude_none=True)
    file.write(("\n".join(lines) + "\n" + yaml.safe_dump(values, sort_keys=False)).encode())
