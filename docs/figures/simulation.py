"""Tables of `python -m benchmarks simulate` and of `deescalate simulate`."""

from __future__ import annotations

from typing import Any

from pipecat_deescalate.agent.console import format_value


def sizing(results: dict[str, Any]) -> str:
    """What simulating costs, and the cores that a million calls a day need."""
    speed = results["hearing"]
    lines = [
        "| | measured |",
        "|---|---|",
        f"| analysing calls, one core | {speed:.0f} times real time |",
        "| reading known turns with another model, one core "
        f"| {results['hearing_known_turns']:.0f} times real time |",
        f"| 4-minute calls per core-hour | {speed * 3600 / 240:.0f} |",
        f"| speed-up of two processes over one | {results['two_workers']:.2f} times |",
        "| replay, one core "
        f"| {results['replayed_turns_a_second'] / 1e6:.1f} million turns per second |",
        f"| 1,000 policies over 10,000 calls, one core | {results['sweep_s']:.0f} s |",
        "",
        f"A million 4-minute calls a day keep {1e6 * 240 / speed / 86_400:.0f} cores busy; "
        f"analysing them in one night of 8 hours takes {1e6 * 240 / speed / 28_800:.0f} cores. "
        f"{results['machine']['processor']}, {results['machine']['cores']} cores; load before the "
        f"run: {results['load']:.1f}.",
    ]
    return "\n".join(lines)


def simulated(results: dict[str, Any]) -> str:
    """Policies on synthetic calls, side by side."""
    lines = [
        "| policy | answered in time | human offered in time | false transfers | any action |",
        "|---|---|---|---|---|",
    ]
    for policy in results["policies"]:
        found = policy["labelled"]
        cells = [
            _between(found["answered_in_time"], 100, " %"),
            _between(found["caught_in_time"], 100, " %"),
            _between(found["false_transfers_per_1000_calm"], 1, ""),
            _between(found["needless_empathy_per_1000_calm"], 1, ""),
        ]
        lines.append(f"| {policy['policy']} | {' | '.join(cells)} |")
    found = results["policies"][0]["labelled"]
    lines += [
        "",
        f"{found['distressed']} distressed and {found['calm']} calm calls. In time: by the third "
        "negative turn. The last two columns count per 1,000 calm calls.",
    ]
    return "\n".join(lines)


def _between(estimate: dict[str, float | None], factor: float, unit: str) -> str:
    value, low, high = (
        format_value(None if found is None else found * factor, ".0f")
        for found in (estimate[key] for key in ("value", "low", "high"))
    )
    return f"{value}{unit} ({low} to {high})"
