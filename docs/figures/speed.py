"""Tables of `python -m benchmarks`: latency, whole calls, larger models."""

from __future__ import annotations

from typing import Any


def bench(results: dict[str, Any]) -> str:
    """Latency by turn length, then the cost of whole calls."""
    lines = ["| turn | ours, median (p95) | Smart Turn v3.2 | ratio |", "|---|---|---|---|"]
    for row in results["latency"]:
        ours, theirs = row["ours"], row["smart_turn"]
        lines.append(
            f"| {row['turn_s']:g} s | {ours['median_ms']:.1f} ms ({ours['p95_ms']:.1f}) "
            f"| {theirs['median_ms']:.1f} ms | 1/{1 / row['ratio']:.1f} |"
        )
    lines += [
        "",
        f"Model file {results['model_bytes'] / 1e6:.1f} MB; importing the package takes "
        f"{results['import_s']:.2f} s; classifying a text of 20 words takes "
        f"{results['words']['median_ms']:.2f} ms. {results['machine']['processor']}.",
    ]
    lines += [
        f"`analyze` on {call['name']} ({call['duration_s']:.0f} s): "
        f"{call['times_real_time']:.0f} times real time, peak {call['peak_memory_mb']:.0f} MB."
        for call in results["calls"]
    ]
    return "\n".join([*lines, *_relative_to_ours(results["architectures"])])


def _relative_to_ours(models: list[dict[str, Any]]) -> list[str]:
    """How many times ours the other models take for a 4 s turn, on one thread."""
    times = [
        f"{model['name']} {row['times_ours']:,.0f} x ({model['precision']})"
        for model in models[1:]
        for row in model["latency"]
        if (row["turn_s"], row["threads"]) == (4.0, 1)
    ]
    table = "[table](#beside-larger-models)"
    return [f"Relative to ours, 4 s on one thread: {', '.join(times)} ({table})."] if times else []


def architectures(results: dict[str, Any]) -> str:
    """Ours, Smart Turn and larger models, each alone: times by turn length, memory."""
    models = results["architectures"]
    lengths = [row["turn_s"] for row in models[0]["latency"]]
    names = " | ".join(f"{turn_s:g} s" for turn_s in lengths)
    lines = [
        f"| model | weights | threads | {names} | time / ours, 4 s | peak memory |",
        "|---" * (len(lengths) + 5) + "|",
    ]
    for model in models:
        for threads in sorted({row["threads"] for row in model["latency"]}):
            rows = {row["turn_s"]: row for row in model["latency"] if row["threads"] == threads}
            cells = [_duration(rows[turn_s]) if turn_s in rows else "" for turn_s in lengths]
            ratio = f"{rows[4.0]['times_ours']:,.0f} x" if 4.0 in rows else ""
            lines.append(
                f"| {model['name']}, {model['precision']} | {_weights(model['parameters'])} "
                f"| {threads} | {' | '.join(cells)} | {ratio} "
                f"| {model['peak_memory_mb'] / 1e3:.2g} GB |"
            )
    lines += ["", f"{results['machine']['processor']}, {results['machine']['cores']} cores."]
    lines += [
        f"{model['name']}, {model['precision']}: not measured, {model['not_measured']}."
        for model in models
        if model["not_measured"]
    ]
    return "\n".join(lines)


def _duration(row: dict[str, Any]) -> str:
    median_ms = row["time"]["median_ms"]
    return f"{median_ms:.1f} ms" if median_ms < 1000 else f"{median_ms / 1e3:.1f} s"


def _weights(parameters: int | None) -> str:
    if parameters is None:
        return ""
    return f"{parameters / 1e6:.0f} M" if parameters < 1e9 else f"{parameters / 1e9:.1f} G"
