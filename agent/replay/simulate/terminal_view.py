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
    if policies[0]["labelled"] is not None:
        rows += _labelled_rows(policies[0]["labelled"])
    if policies[0]["cost"] is not None:
        rows.append(("cost per 1,000 calls", lambda p: format_value(p["cost"], ".0f")))
    if policies[0]["load"] is not None:
        rows += _staffing_rows(policies[0]["load"], found["service"])
    for name, shown in rows:
        table.add_row(name, *(shown(policy) for policy in policies))
    console.print(table)
    if "sweep" in found:
        _print_sweep(found["sweep"], console)
    if "closed_loop" in found:
        _print_closed_loop(found["closed_loop"], console)
    if found["failed"]:
        console.print(f"{len(found['failed'])} calls could not be read and are not counted")
    console.print(found["cannot_know"], style="dim")


def _between(estimate: Found, digits: int = 1) -> str:
    value, low, high = (
        format_value(estimate[key], f".{digits}f") for key in ("value", "low", "high")
    )
    return f"{value} ({low} to {high})" if value != "-" else value


def _percent(estimate: Found) -> str:
    scaled = {key: None if n is None else 100 * n for key, n in estimate.items()}
    return _between(scaled, 0)


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
    ("transfers per 1,000 calls", lambda p: _between(p["transfers_per_1000"])),
    ("of these, on request", lambda p: format_value(p["transfers_on_request_per_1000"], ".1f")),
)


def _labelled_rows(labelled: Found) -> list[tuple[str, _Cell]]:
    def of(key: str, show: Callable[[Found], str]) -> _Cell:
        return lambda policy: show(policy["labelled"][key])

    rate = f"{labelled['base_rate']:.1%}"
    return [
        (f"{labelled['distressed']} distressed: answered, %", of("answered", _percent)),
        ("  by the third negative turn, %", of("answered_in_time", _percent)),
        ("  offered a human or transferred, %", of("caught", _percent)),
        ("  that by the third negative turn, %", of("caught_in_time", _percent)),
        ("  negative turns before the answer", of("negative_turns_before_answer", _between)),
        (
            f"{labelled['calm']} calm: false transfers per 1,000",
            of("false_transfers_per_1000_calm", _between),
        ),
        ("  false offers per 1,000", of("false_offers_per_1000_calm", _between)),
        ("  any action per 1,000", of("needless_empathy_per_1000_calm", _between)),
        (
            f"correct transfers at {rate}, %",
            of("precision_at_base_rate", _percent),
        ),
        (f"transfers per 1,000 calls at {rate}", of("transfers_at_base_rate", _between)),
    ]


def _staffing_rows(load: Found, service: Found) -> list[tuple[str, _Cell]]:
    when = "in the busiest hour" if load["by_clock"] else "an hour, spread evenly"
    promise = f"{service['level']:.0%} within {service['wait_s']:g} s"

    def busiest(policy: Found) -> Found:
        staffing = policy["load"]["staffing"]
        hours = staffing["transfers_an_hour"]
        hour = hours.index(max(hours))
        return {"transfers": hours[hour], "agents": staffing["agents"][hour]}

    return [
        (
            f"transfers {when}, {load['calls_a_day']:.0f} calls a day",
            lambda p: format_value(busiest(p)["transfers"], ".1f"),
        ),
        (f"agents needed then ({promise})", lambda p: str(busiest(p)["agents"])),
        ("agent hours a day", lambda p: str(sum(p["load"]["staffing"]["agents"]))),
    ]


def _print_sweep(sweep: Found, console: Console) -> None:
    """Print the Pareto front, the cheapest point, and how that one does on the held-out calls."""
    points, best = sweep["points"], sweep["cheapest"]
    table = Table(title=f"{sweep['candidates']} policies: the Pareto front")
    for name in ("missed, %", "false transfers per 1,000 calm", "cost per 1,000 calls", "settings"):
        table.add_column(name, justify="left" if name == "settings" else "right")
    shown = sweep["front"] if best in sweep["front"] else [*sweep["front"], best]
    for index in shown:
        point = points[index]
        settings = ", ".join(f"{key} {value}" for key, value in point["settings"].items())
        table.add_row(
            f"{100 * point['missed']:.0f}",
            f"{1000 * point['false_transfers']:.1f}",
            f"{point['cost']:.0f}",
            settings + (" (cheapest)" if index == best else ""),
            style="bold" if index == best else None,
        )
    console.print(table)
    for figures, cost in zip(sweep["held_out"], sweep["held_out_cost"], strict=True):
        labelled = figures["labelled"]
        console.print(
            f"held-out calls, {figures['policy']}: caught in time "
            f"{_percent(labelled['caught_in_time'])} %, false transfers per 1,000 calm "
            f"{_between(labelled['false_transfers_per_1000_calm'])}, cost {cost:.0f}"
        )


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
    usual = min(played["policies"], key=lambda one: one["cost"])["policy"]
    turns = [doubt for doubt in played["doubts"] if doubt["cheapest"] != usual]
    console.print(
        f"{usual} costs least, and still does in {len(played['doubts']) - len(turns)} of "
        f"{len(played['doubts'])} cases with one assumption halved or half as much again"
    )
    for doubt in turns:
        console.print(f"  with {doubt['assumption']} {doubt['value']:g}: {doubt['cheapest']}")
