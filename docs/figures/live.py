"""Tables of `python -m benchmarks live` and of the demo."""

from __future__ import annotations

from collections.abc import Callable
from statistics import fmean
from typing import Any


def live(results: dict[str, Any]) -> str:
    """Bots with and without a guard, side by side."""
    without, ours = (results["latency"][key] for key in ("without", "guarded"))
    lines = [
        "| | without | with |",
        "|---|---|---|",
        f"| reply after VAD stop, median (p95), {ours['runs']} turns "
        f"| {without['median_ms']:.1f} ms ({without['p95_ms']:.1f}) "
        f"| {ours['median_ms']:.1f} ms ({ours['p95_ms']:.1f}) |",
    ]
    costs = [results["costs"][guard] for guard in ("none", "bundled")]
    held = [results["capacity"][guard] for guard in ("none", "bundled")]
    lines += [
        _pair(f"processor a call-minute, {costs[0]['calls']} calls", costs, _processor),
        _pair("memory with one call", costs, lambda cost: f"{cost['first_call_mb']:.0f} MB"),
        _pair("memory of each call more", costs, lambda c: f"{c['further_call_mb']:.1f} MB"),
        _pair("calls at once without a frame 100 ms late, in half of the tries", held, _calls),
    ]
    probes = [probe for probe in held[1]["probes"] if probe["calls"] <= held[1]["calls"]]
    turns = sum(probe["turns"] for probe in probes)
    late = sum(probe["late_decisions"] for probe in probes)
    tries = [probe for one in held for probe in one["probes"]]
    quiet = fmean(probe["quiet"] for probe in tries)
    again = sum(len(one["disturbed"]) for one in held)
    frames = results["frames"]
    sent, lost, displaced, kept = (
        sum(one[what] for one in frames.values()) for what in ("sent", "lost", "displaced", "held")
    )
    heard = [f"{one['heard_s']:.2f} of {one['said_s']:.2f} s" for one in results["announcements"]]
    lines += [
        "",
        f"Of {sent} of the callers' frames, barge-ins and a model that crashes or hangs included, "
        f"{lost} were lost, {displaced} displaced and {kept} more than 100 ms late (of those "
        f"without a guard {frames['none']['held']} of {frames['none']['sent']}). The announcement "
        f"of a hand-over: {heard[0]} heard, {heard[1]} with a barge-in. Decisions that came late "
        f"with as many calls as fit: {late} of {turns}. {results['machine']['processor']}, "
        f"{results['machine']['cores']} cores of a virtual machine; for the number of calls frames "
        f"count while its host has no other work, {quiet:.0%} of the time; {again} of "
        f"{again + len(tries)} tries were made again for want of such time.",
    ]
    return "\n".join(lines)


def _pair(name: str, both: list[dict[str, Any]], render: Callable[[dict[str, Any]], str]) -> str:
    return f"| {name} | {render(both[0])} | {render(both[1])} |"


def _processor(cost: dict[str, Any]) -> str:
    return f"{cost['cpu_s_per_call_minute']:.2f} s"


def _calls(held: dict[str, Any]) -> str:
    return f"{held['calls']:.1f}{' or more' if held['reached_limit'] else ''}"


def demo(results: dict[str, Any]) -> str:
    """Latencies of the demo, and its memory over many calls."""
    rows = (
        ("start to served page", "start_to_page_s", "s"),
        ("call to the bot's first word", "click_to_first_word_s", "s"),
        ("words to reading", "words_to_reading_ms", "ms"),
        ("turn to decision", "turn_to_decision_ms", "ms"),
    )
    lines = ["| | median | p95 | runs |", "|---|---|---|---|"]
    for name, key, unit in rows:
        row = results[key]
        digits = 2 if unit == "s" else 0
        figures = [f"{row[figure]:.{digits}f} {unit}" for figure in ("median", "p95")]
        lines.append(f"| {name} | {' | '.join(figures)} | {row['n']} |")
    soak = results["soak"]
    return "\n".join(
        [
            *lines,
            "",
            f"Memory of the server grows by {soak['growth_after_second_call_mb']:.1f} MB from the "
            f"second to the last of {len(soak['in_a_row_mb'])} calls in a row, and by "
            f"{soak['growth_after_first_round_mb']:.1f} MB over {len(soak['at_once_mb'])} rounds "
            f"of {soak['at_once']} concurrent calls. Load of the machine: "
            f"{results['load_average']:.1f}.",
        ]
    )
