"""Tables of `python -m benchmarks live` and of the demo."""

from __future__ import annotations

from typing import Any

VARIANTS = ("without", "with")


def live(results: dict[str, Any]) -> str:
    """Bots with and without a guard, side by side."""
    latency, costs = (
        [results[what][variant] for variant in VARIANTS] for what in ("latency", "costs")
    )
    calls = costs[0]["calls"]
    rows = [
        ("", list(VARIANTS)),
        ("---", ["---"] * len(VARIANTS)),
        (
            f"reply after VAD stop, median (p95), {latency[0]['runs']} turns",
            [f"{one['median_ms']:.1f} ms ({one['p95_ms']:.1f})" for one in latency],
        ),
        (
            f"CPU time per call-minute, {calls} concurrent calls",
            [f"{one['cpu_s_per_call_minute']:.2f} s" for one in costs],
        ),
        ("memory with one call", [f"{one['first_call_mb']:.0f} MB" for one in costs]),
        ("memory per additional call", [f"{one['further_call_mb']:.1f} MB" for one in costs]),
        *_concurrency(results["concurrency"]),
    ]
    lines = [f"| {name} | {' | '.join(cells)} |" for name, cells in rows]
    return "\n".join([*lines, "", _frames(results)])


def _concurrency(found: dict[str, Any]) -> list[tuple[str, list[str]]]:
    """Frame lateness by number of concurrent calls; nothing if it was not measured."""
    if not found:
        return []
    counts = zip(*(found[variant]["lateness"] for variant in VARIANTS), strict=True)
    rows = [
        (
            f"frame lateness, p50 (p99), {both[0]['calls']} concurrent calls",
            [f"{one['p50_ms']:.1f} ms ({one['p99_ms']:.0f})" for one in both],
        )
        for both in counts
    ]
    most = [str(found[variant]["concurrent_calls"]) for variant in VARIANTS]
    return [*rows, ("**concurrent calls with p99 under 100 ms**", most)]


def _frames(results: dict[str, Any]) -> str:
    """What became of frames and announcements, in sentences."""
    frames = results["frames"]
    sent, lost, displaced, late = (
        sum(one[what] for one in frames.values()) for what in ("sent", "lost", "displaced", "held")
    )
    sentences = [
        f"Of {sent} frames from callers, including barge-ins and a model that crashes or hangs, "
        f"{lost} were lost, {displaced} displaced and {late} more than 100 ms late (without a "
        f"guard {frames['without']['held']} of {frames['without']['sent']})."
    ]
    heard = [f"{one['heard_s']:.2f} of {one['said_s']:.2f} s" for one in results["announcements"]]
    sentences.append(
        f"Callers heard {heard[0]} of the transfer announcement, and {heard[1]} with a barge-in."
    )
    guarded = results["concurrency"].get("with")
    if guarded:
        most = guarded["concurrent_calls"]
        runs = [run for row in guarded["lateness"] if row["calls"] <= most for run in row["runs"]]
        turns, late = (sum(run[what] for run in runs) for what in ("turns", "late_readings"))
        sentences.append(
            f"With up to {most} concurrent calls, {late} of {turns} readings were late. Frame "
            f"lateness is the median of {len(guarded['lateness'][0]['runs'])} runs."
        )
    machine = results["machine"]
    sentences.append(f"{machine['processor']}, {machine['cores']} cores of a virtual machine.")
    return " ".join(sentences)


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
