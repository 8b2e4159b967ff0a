"""The result of a simulation as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from .comparison import Comparison
from .evidence_columns import FailedCall
from .statistics.call_costs import CallCosts, labels_missing, least_cost, too_few
from .statistics.staffing import Service
from .statistics.sweep import Costs, point_of
from .statistics.tally import Tally

CANNOT_KNOW = (
    "A replay goes on as the recording does: it cannot know what a caller would have said after an "
    "action. It shows what a policy notices and when, not what would have come of it."
)


def simulation_summary(
    comparison: Comparison,
    call_costs: CallCosts,
    *,
    costs: Costs,
    base_rate: float,
    service: Service,
    calls_a_day: float | None,
    failed: Sequence[FailedCall],
    unmatched: Sequence[str],
) -> dict[str, Any]:
    """The figures of all policies.

    A cost, per 1,000 calls at the base rate, needs labelled calls of both kinds. `least_cost` is
    the index of the cheapest policy if the calls tell it apart from all others, else None;
    `recommended` is the first one that they do not tell apart from the cheapest.
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
    counts = comparison.tallies[0]
    missing = labels_missing(counts.distressed, counts.calm)
    few = too_few(missing)
    prices = [one["cost"] for one in policies]
    recommended, least = (0, None) if few else least_cost(prices, call_costs.compare)
    if not counts.distressed or not counts.calm:
        about = "Without labels of both calm and distressed calls, right and wrong are unknown."
    else:
        about = few or f"{_about(costs, base_rate)} {_choice(comparison, recommended, least)}"
    return {
        "calls": counts.calls,
        "turns": counts.turns,
        "unknown_turns": counts.unknown_turns,
        "failed": [asdict(one) for one in failed],
        "labels_without_a_call": list(unmatched),
        "labels_missing": missing,
        "about": about.strip(),
        "cannot_know": CANNOT_KNOW,
        "service": asdict(service),
        "costs": asdict(costs),
        "policies": policies,
        "recommended": recommended,
        "least_cost": least if len(policies) > 1 else None,
    }


def _cost(counts: Tally, costs: Costs, base_rate: float, service: Service) -> float | None:
    if not counts.distressed or not counts.calm:
        return None
    return point_of(counts, costs, base_rate=base_rate, handling_s=service.handling_s).cost


def _about(costs: Costs, base_rate: float) -> str:
    return (
        f"Costs are per 1,000 calls with {base_rate:.1%} distressed: a missed caller "
        f"{costs.missed:g}, a needless transfer {costs.needless:g}, a minute of a human "
        f"{costs.minute:g}."
    )


def _choice(comparison: Comparison, recommended: int, least: int | None) -> str:
    """Why the recommended policy is that; nothing to say of a single one."""
    if len(comparison.policies) == 1:
        return ""
    name = comparison.policies[recommended].name
    if least is not None:
        return f"{name} costs least, by more than chance explains."
    return f"No policy costs clearly least; of those that may, {name} was named first."
