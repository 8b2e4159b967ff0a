"""Tables of `deescalate model evaluate --calls`: what a policy does on real calls."""

from __future__ import annotations

from typing import Any

from pipecat_deescalate.agent.console import format_value


def alarms(results: dict[str, Any]) -> str:
    """The distribution of readings on real calls, and the calls by action."""
    return _alarms(results["calls"])


def alarms_with_words(results: dict[str, Any]) -> str:
    """The same with words, with all cues and every call that was handed over."""
    report = results["calls_with_words"]
    cues = ", ".join(f"{n} {name.replace('_', ' ')}" for name, n in report["cues"].items())
    lines = [_alarms(report), "", f"Cues found: {cues}."]
    lines += [
        f"Handed over: {call['call_id']} at {call['at_s']:.0f} s, {call['reason']}."
        for call in report["transferred"]
    ]
    return "\n".join(lines)


def _alarms(report: dict[str, Any]) -> str:
    bins = "| p(negative) | " + " | ".join(f"{i / 10:.1f}+" for i in range(10)) + " |"
    counts = "| turns | " + " | ".join(str(count) for count in report["histogram"]) + " |"
    actions = ", ".join(f"{n} {name}" for name, n in report["calls_by_highest_action"].items())
    return "\n".join(
        [
            bins,
            "|---" * 11 + "|",
            counts,
            "",
            f"{report['calls']} calls, {report['turns']} turns: "
            f"{format_value(report['share_over_alarm'], '.1%')} over 0.8 "
            f"({format_value(report['share_over_alarm_under_1s'], '.1%')} of those under 1 s), "
            f"{format_value(report['share_over_half'], '.1%')} over 0.5; "
            "calls by their highest action: "
            f"{actions.replace('_', ' ')}.",
        ]
    )
