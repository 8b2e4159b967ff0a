"""Prints the result of a simulation on a terminal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.table import Table

from ...console import format_value

Found = dict[str, Any]
_Cell = Callable[[Found], str]


def print_summary(found: Found, console: Console) -> None:
    """Print all policies side by side, one column each."""
    policies = found["policies"]
    title = f"{found['calls']} calls, {found['turns']} turns ({found['unknown_turns']} unknown)"
    table = Table(title=title)
    table.add_column("")
    for policy in policies:
        table.add_column(policy["policy"], justify="right")
    rows = list(_ROWS)
    enough = not any(found["labels_missing"].values())
    if policies[0]["labelled"] is not None:
        rows += _labelled_rows(policies[0]["labelled"])
        if enough:
            rows += _expected_rows(policies[0]["labelled"])
    if policies[0]["load"] is not None:
        rows += _staffing_rows(policies[0]["load"], found["service"])
    for name, shown in rows:
        table.add_row(name, *(shown(policy) for policy in policies))
    console.print(table)
    console.print(found["about"])
    if "sweep" in found:
        _print_sweep(found["sweep"], console)
    if "closed_loop" in found:
        _print_closed_loop(found["closed_loop"], console)
    if found["failed"]:
        console.print(f"{len(found['failed'])} calls could not be read and are not counted")
    console.print(found["cannot_know"], style="dim")


def _between(estimate: Found, digits: int = 1, unit: str = "") -> str:
    value, low, high = (
        format_value(estimate[key], f".{digits}f") for key in ("value", "low", "high")
    )
    return f"{value}{unit} ({low} to {high})" if value != "-" else value


def _percent(estimate: Found) -> str:
    return _between(_scaled(estimate, 100), 0, " %")


def _scaled(estimate: Found, factor: float) -> Found:
    return {key: None if n is None else factor * n for key, n in estimate.items()}


FEW = 10
"""Fewer calls are shown as their count: a rate would claim more than they can tell."""


def _share(estimate: Found, calls: int, *, per: int = 1) -> str:
    """A share of these calls, in percent or per 1,000, or as a count if it is of few."""
    if estimate["value"] is None:
        return "-"
    count = round(estimate["value"] * calls / per)
    if count >= FEW:
        return _percent(estimate) if per == 1 else _between(estimate, 1, f" in {per:,}")
    low, high = (100 * estimate[key] / per for key in ("low", "high"))
    return f"{count} of {calls:,} ({low:.0f} to {high:.0f} %)"


def _transfers(policy: Found) -> int:
    return int(policy["calls_by_highest_action"]["transfer"])


def _on_request(policy: Found) -> str:
    rate = policy["transfers_on_request_per_1000"]
    count = 0 if rate is None else round(rate * policy["calls"] / 1000)
    return str(count) if count < FEW else f"{rate:.1f} in 1,000"


_ROWS: tuple[tuple[str, _Cell], ...] = (
    *(
        (f"calls, at most {name}", lambda p, key=key: str(p["calls_by_highest_action"][key]))
        for key, name in (
            ("proceed", "left alone"),
            ("empathize", "empathy"),
            ("offer_human", "an offer"),
            ("transfer", "transferred"),
        )
    ),
    ("first action, median turn", lambda p: format_value(p["first_action_turn"], ".0f")),
    ("first action, median second", lambda p: format_value(p["first_action_s"], ".0f")),
    ("transferred", lambda p: _share(p["transfers_per_1000"], p["calls"], per=1000)),
    ("  of these, on request", _on_request),
)


def _labelled_rows(labelled: Found) -> list[tuple[str, _Cell]]:
    distressed, calm = labelled["distressed"], labelled["calm"]

    def share(key: str, calls: int, per: int = 1) -> _Cell:
        return lambda policy: _share(policy["labelled"][key], calls, per=per)

    return [
        (f"{distressed} distressed: answered", share("answered", distressed)),
        ("  by the third negative turn", share("answered_in_time", distressed)),
        ("  offered a human or transferred", share("caught", distressed)),
        ("  that by the third negative turn", share("caught_in_time", distressed)),
        (
            "  negative turns before the answer",
            lambda p: _between(p["labelled"]["negative_turns_before_answer"]),
        ),
        (
            f"{calm} calm: transferred needlessly",
            share("false_transfers_per_1000_calm", calm, 1000),
        ),
        ("  offered a human", share("false_offers_per_1000_calm", calm, 1000)),
        ("  any action", share("needless_empathy_per_1000_calm", calm, 1000)),
    ]


def _expected_rows(labelled: Found) -> list[tuple[str, _Cell]]:
    """What follows for calls at the base rate; few labels cannot tell."""
    rate = f"{labelled['base_rate']:.1%}"
    return [
        (
            f"correct transfers at {rate}",
            lambda p: _percent(p["labelled"]["precision_at_base_rate"]),
        ),
        (
            f"transfers per 1,000 calls at {rate}",
            lambda p: _between(p["labelled"]["transfers_at_base_rate"]),
        ),
        ("cost per 1,000 calls", lambda p: format_value(p["cost"], ".0f")),
    ]


def _staffing_rows(load: Found, service: Found) -> list[tuple[str, _Cell]]:
    when = "in the busiest hour" if load["by_clock"] else "an hour, spread evenly"
    promise = f"{service['level']:.0%} within {service['wait_s']:g} s"

    def unless_few(cell: _Cell) -> _Cell:
        return lambda policy: cell(policy) if _transfers(policy) >= FEW else "-"

    def busiest(policy: Found) -> Found:
        staffing = policy["load"]["staffing"]
        hours = staffing["transfers_an_hour"]
        hour = hours.index(max(hours))
        return {"transfers": hours[hour], "agents": staffing["agents"][hour]}

    return [
        (
            f"transfers {when}, {load['calls_a_day']:.0f} calls a day",
            unless_few(lambda p: format_value(busiest(p)["transfers"], ".1f")),
        ),
        (f"agents needed then ({promise})", unless_few(lambda p: str(busiest(p)["agents"]))),
        (
            "agent hours a day",
            unless_few(lambda p: str(sum(p["load"]["staffing"]["agents"]))),
        ),
    ]


def _print_sweep(sweep: Found, console: Console) -> None:
    """Print the Pareto front, the winner, and how it does on the held-out calls."""
    if sweep["points"]:
        _print_front(sweep, console)
    for figures, cost in zip(sweep["held_out"], sweep["held_out_cost"], strict=True):
        labelled = figures["labelled"]
        caught = _share(labelled["caught_in_time"], labelled["distressed"])
        false = _share(labelled["false_transfers_per_1000_calm"], labelled["calm"], per=1000)
        console.print(
            f"held-out calls, {figures['policy']}: distressed callers caught in time {caught}, "
            f"calm callers transferred needlessly {false}, cost {cost:.0f}"
        )
    console.print(f"[bold]--sweep names {'a' if sweep['winner'] is not None else 'no'} winner.[/]")
    if sweep["points"]:
        console.print(sweep["why"])


def _print_front(sweep: Found, console: Console) -> None:
    points, winner = sweep["points"], sweep["winner"]
    table = Table(title=f"{sweep['candidates']} policies: the Pareto front, on half of the calls")
    for name in ("missed, %", "calm transferred, %", "cost per 1,000 calls", "settings"):
        table.add_column(name, justify="left" if name == "settings" else "right")
    shown = sweep["front"]
    for index in shown if winner is None or winner in shown else [*shown, winner]:
        point = points[index]
        settings = ", ".join(f"{key} {value}" for key, value in point["settings"].items())
        table.add_row(
            f"{100 * point['missed']:.0f}",
            f"{100 * point['false_transfers']:.1f}",
            f"{point['cost']:.0f}",
            settings + (" (winner)" if index == winner else ""),
            style="bold" if index == winner else None,
        )
    console.print(table)


def _print_closed_loop(played: Found, console: Console) -> None:
    """Print how calls with the simulated caller end, and which assumptions change the choice."""
    table = Table(title="Calls with a simulated caller who reacts; assumptions, not data")
    for name in ("policy", "settled, %", "hung up, %", "transferred, %", "needlessly, %", "cost"):
        table.add_column(name, justify="left" if name == "policy" else "right")
    for one in played["policies"]:
        shares = (one[key] for key in ("settled", "hung_up", "transferred", "needless"))
        table.add_row(
            one["policy"], *(f"{100 * share:.1f}" for share in shares), f"{one['cost']:.0f}"
        )
    console.print(table)
    if len(played["policies"]) == 1:
        return
    usual, cases = played["cheapest"], len(played["doubts"])
    if usual is None:
        console.print("No policy costs clearly least here.")
        return
    turns = [doubt for doubt in played["doubts"] if doubt["kept"] != usual]
    console.print(
        f"{usual} costs least; another policy clearly costs less in {len(turns)} of {cases} cases "
        "with one assumption halved or half as much again"
    )
    for doubt in turns:
        console.print(f"  with {doubt['assumption']} {doubt['value']:g}: {doubt['kept']}")
