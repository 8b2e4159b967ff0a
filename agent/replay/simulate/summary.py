"""The result of a simulation as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from .comparison import Comparison
from .evidence_columns import FailedCall
from .statistics.staffing import Service
from .statistics.sweep import Costs, point_of
from .statistics.tally import Tally

CANNOT_KNOW = (
    "A replay goes on as the recording does: it cannot know what a caller would have said after an "
    "action. It shows what a policy notices and when, not what would have come of it."
)


def simulation_summary(
    comparison: Comparison,
    *,
    costs: Costs,
    base_rate: float,
    service: Service,
    calls_a_day: float | None,
    failed: Sequence[FailedCall],
    unmatched: Sequence[str],
) -> dict[str, Any]:
    """The figures of all policies; `recommended` is the index of the cheapest one.

    A cost, per 1,000 calls at the base rate, needs labelled calls of both kinds; without them the
    first policy is recommended.
    """
    policies = []
    for index, (figures, counts) in enumerate(
        zip(comparison.figures(base_rate), comparison.tallies, strict=True)
    ):
        load = comparison.load(index, service, calls_a_day)
        policies.append(
            {
                **asdict(figures),
                "cost": _cost(counts, costs, base_rate, service),
                "negative_before_action": counts.negative_before_action.tolist(),
                "load": asdict(load) if load is not None else None,
            }
        )
    priced = [index for index, policy in enumerate(policies) if policy["cost"] is not None]
    counts = comparison.tallies[0]
    return {
        "calls": counts.calls,
        "turns": counts.turns,
        "unknown_turns": counts.unknown_turns,
        "failed": [asdict(one) for one in failed],
        "labels_without_a_call": list(unmatched),
        "about": _about(costs, base_rate, priced),
        "cannot_know": CANNOT_KNOW,
        "service": asdict(service),
        "costs": asdict(costs),
        "policies": policies,
        "recommended": min(priced, key=lambda i: policies[i]["cost"], default=0),
    }


def _cost(counts: Tally, costs: Costs, base_rate: float, service: Service) -> float | None:
    if not counts.distressed or not counts.calm:
        return None
    return point_of(counts, costs, base_rate=base_rate, handling_s=service.handling_s).cost


def _about(costs: Costs, base_rate: float, priced: Sequence[int]) -> str:
    if not priced:
        return "Without labels of both calm and distressed calls, right and wrong are unknown."
    return (
        f"Costs are per 1,000 calls with {base_rate:.1%} distressed: a missed caller "
        f"{costs.missed:g}, a needless transfer {costs.needless:g}, a minute of a human "
        f"{costs.minute:g}."
    )
