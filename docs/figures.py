"""Puts the figures in docs/results into README.md and docs/results.md: `python docs/figures.py`.

A test fails when a document and the results differ.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
TABLES = ROOT / "docs" / "results.md"
SIMULATE = ROOT / "docs" / "simulate.md"
RESULTS = ROOT / "docs" / "results"
NOT_MEASURED = "Not part of the run that these results are from."


LANGUAGES = {
    "ased": "ASED, Amharic",
    "bangla": "BanglaSER, Bengali",
    "emodb": "EmoDB, German",
    "indowave": "IndoWaveSentiment, Indonesian",
    "nemo": "nEMO, Polish",
    "turev": "TurEV-DB, Turkish",
}


def corpora(results: dict[str, Any]) -> str:
    """The table by corpus."""
    report = results["corpora"]
    lines = [
        "| corpus | | ROC-AUC (95 %) | accuracy | negative P / R | not negative P / R | ECE |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in report["corpora"]:
        auc = f"{row['roc_auc']:.3f}{_interval(row)}"
        lines.append(_row(LANGUAGES[row["corpus"]], row["role"], auc, row))
    mean = report["mean"]
    auc = f"**{mean['roc_auc']:.3f}**{_interval(mean)}"
    lines.append(_row("**mean**", "zero-shot", auc, mean))
    return "\n".join([*lines, "", "P / R: precision / recall at p = 0.5. ECE: calibration error."])


def _interval(row: dict[str, Any]) -> str:
    if "roc_auc_interval" not in row:
        return ""
    return " ({low:.3f} to {high:.3f})".format(**row["roc_auc_interval"])


def _row(name: str, role: str, auc: str, figures: dict[str, Any]) -> str:
    classes = " | ".join(
        f"{figures[side]['precision']:.2f} / {figures[side]['recall']:.2f}"
        for side in ("negative", "not_negative")
    )
    return (
        f"| {name} | {role} | {auc} | {figures['accuracy']:.3f} | {classes} "
        f"| {figures['calibration_error']:.3f} |"
    )


def selective(results: dict[str, Any]) -> str:
    """What is right when only the most certain turns are decided."""
    rows = [row for row in results["corpora"]["corpora"] if "selective" in row]
    if not rows:
        return NOT_MEASURED
    shares = [f"{part['coverage']:.0%}" for part in rows[0]["selective"]["decided"]]
    lines = [f"| corpus | | {' | '.join(shares)} | area |", "|---" * (len(shares) + 3) + "|"]
    for row in rows:
        cells = [
            f"{part['accuracy']:.3f} / {_number(part['negative_precision'], 2)}"
            for part in row["selective"]["decided"]
        ]
        area = f"{row['selective']['risk_coverage_area']:.3f}"
        name = LANGUAGES[row["corpus"]]
        lines.append(f"| {name} | {row['role']} | {' | '.join(cells)} | {area} |")
    return "\n".join(lines)


def robustness(results: dict[str, Any]) -> str:
    """ROC-AUC of the zero-shot corpora by what the line does."""
    rows = results["corpora"].get("robustness")
    if not rows:
        return NOT_MEASURED
    names = [LANGUAGES[name] for name in rows[0]["by_corpus"]]
    lines = [
        f"| condition | {' | '.join(names)} | mean | mean accuracy |",
        "|---" * (len(names) + 3) + "|",
    ]
    for row in rows:
        cells = [f"{auc:.3f}" for auc in (*row["by_corpus"].values(), row["roc_auc"])]
        lines.append(f"| {row['condition']} | {' | '.join(cells)} | {row['accuracy']:.3f} |")
    return "\n".join(lines)


def groups(results: dict[str, Any]) -> str:
    """Figures by group of speakers, and the largest gap in each corpus."""
    found = results["corpora"].get("groups")
    if not found:
        return NOT_MEASURED
    keys = ("roc_auc", "false_positives_over_half", "false_positives_over_alarm")
    lines = [
        "| corpus | group | speakers | clips | ROC-AUC | false at 0.5 | false at 0.8 |",
        "|---|---|---|---|---|---|---|",
    ]
    for part in found:
        for row in part["groups"]:
            name = f"{LANGUAGES[part['corpus']]} | {row['group']}"
            lines.append(_group(f"{name} | {row['speakers']} | {row['clips']}", row, keys))
        lines.append(_group("| **largest gap** | |", part["largest_gap"], keys))
    return "\n".join(lines)


def _group(name: str, row: dict[str, Any], keys: tuple[str, ...]) -> str:
    auc, *false = (row[key] for key in keys)
    shares = " | ".join("" if share is None else f"{share:.1%}" for share in false)
    return f"| {name} | {_number(auc, 3)} | {shares} |"


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def words(results: dict[str, Any]) -> str:
    """The word model's ROC-AUC by corpus."""
    auc = results["roc_auc"]
    rows = (
        ("GoEmotions test", "goemotions_test"),
        ("MELD test, zero-shot, against neutral only", "meld_neutral"),
        ("MELD test, zero-shot, against all labels", "meld_all"),
    )
    lines = ["| texts | as written | as recognised |", "|---|---|---|"]
    lines += [f"| {name} | {auc[key]:.3f} | {auc[key + '_spoken']:.3f} |" for name, key in rows]
    return "\n".join(lines)


def assembled(results: dict[str, Any]) -> str:
    """Voice, words and both on assembled calls."""
    report = results["assembled"]
    lines = [
        f"| ROC-AUC over {report['calls']} calls | voice | words | both |",
        "|---|---|---|---|",
        "| per call | " + " | ".join(f"{report[k]:.3f}" for k in ("voice", "words", "both")) + " |",
        "| per turn | "
        + " | ".join(f"{report['turns'][k]:.3f}" for k in ("voice", "words", "both"))
        + " |",
    ]
    return "\n".join(lines)


def alarms(results: dict[str, Any]) -> str:
    """The distribution of readings on real calls, and what came of it."""
    return _alarms(results["calls"])


def alarms_with_words(results: dict[str, Any]) -> str:
    """The same with the words, and every call that was handed over."""
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
            f"{report['share_over_alarm']:.1%} over 0.8 "
            f"({report['share_over_alarm_under_1s']:.1%} of those under 1 s), "
            f"{report['share_over_half']:.1%} over 0.5; calls by their highest action: "
            f"{actions.replace('_', ' ')}.",
        ]
    )


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
        f"{results['import_s']:.2f} s; the words of a 20-word turn take "
        f"{results['words']['median_ms']:.2f} ms. {results['machine']['processor']}.",
    ]
    lines += [
        f"`analyze` on {call['name']} ({call['duration_s']:.0f} s): "
        f"{call['times_real_time']:.0f} times real time, peak {call['peak_memory_mb']:.0f} MB."
        for call in results["calls"]
    ]
    return "\n".join([*lines, *_times_ours(results.get("architectures", []))])


def _times_ours(models: list[dict[str, Any]]) -> list[str]:
    """How many times ours the other models take for a 4 s turn, on one thread."""
    times = [
        f"{model['name']} {row['times_ours']:,.0f} ({model['precision']})"
        for model in models[1:]
        for row in model["latency"]
        if (row["turn_s"], row["threads"]) == (4.0, 1)
    ]
    table = "[table](docs/results.md#beside-larger-models)"
    return [f"Times ours, 4 s, one thread: {', '.join(times)} ({table})."] if times else []


def architectures(results: dict[str, Any]) -> str:
    """Ours, Smart Turn and larger models, each alone: times by turn length, memory."""
    models = results.get("architectures")
    if not models:
        return NOT_MEASURED
    lengths = [row["turn_s"] for row in models[0]["latency"]]
    names = " | ".join(f"{turn_s:g} s" for turn_s in lengths)
    lines = [
        f"| model | weights | threads | {names} | against ours, 4 s | peak memory |",
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
    frames = results["frames"].values()
    heard = [f"{one['heard_s']:.2f} of {one['said_s']:.2f} s" for one in results["announcements"]]
    lines += [
        "",
        f"Of {sum(one['sent'] for one in frames)} of the callers' frames, barge-ins and a model "
        f"that crashes or hangs included, {sum(one['lost'] for one in frames)} were lost and "
        f"{sum(one['displaced'] for one in frames)} displaced. The announcement of a hand-over: "
        f"{heard[0]} heard, {heard[1]} with a barge-in. Decisions that came late with as many "
        f"calls as fit: {late} of {turns}. {results['machine']['processor']}, two cores.",
    ]
    return "\n".join(lines)


def _pair(name: str, both: list[dict[str, Any]], render: Callable[[dict[str, Any]], str]) -> str:
    return f"| {name} | {render(both[0])} | {render(both[1])} |"


def _processor(cost: dict[str, Any]) -> str:
    return f"{cost['cpu_s_per_call_minute']:.2f} s"


def _calls(held: dict[str, Any]) -> str:
    return f"{held['calls']:.1f}{' or more' if held['reached_limit'] else ''}"


def demo(results: dict[str, Any]) -> str:
    """How quick the demo is, and what many calls leave behind."""
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
            f"of {soak['at_once']} calls at once. Load of the machine: "
            f"{results['load_average']:.1f}.",
        ]
    )


Block = tuple[Path, Callable[[dict[str, Any]], str]]


def sizing(results: dict[str, Any]) -> str:
    """What simulating costs, and the cores for a million calls a day."""
    speed = results["hearing"]
    lines = [
        "| | measured |",
        "|---|---|",
        f"| hearing calls, one core | {speed:.0f} times real time |",
        f"| hearing turns that are known, one core | {results['hearing_known_turns']:.0f} times |",
        f"| calls of 4 minutes a core and hour | {speed * 3600 / 240:.0f} |",
        f"| two processes against one | {results['two_workers']:.2f} times |",
        f"| replay, one core | {results['replayed_turns_a_second'] / 1e6:.1f} million turns a s |",
        f"| 1,000 policies over 10,000 calls, one core | {results['sweep_s']:.0f} s |",
        "",
        f"A million calls of 4 minutes a day keep {1e6 * 240 / speed / 86_400:.0f} cores busy; "
        f"one night of 8 hours for all of them takes {1e6 * 240 / speed / 28_800:.0f}. "
        f"{results['machine']['processor']}, {results['machine']['cores']} cores; the machine's "
        f"load was {results['load']:.1f} before the run.",
    ]
    return "\n".join(lines)


def simulated(results: dict[str, Any]) -> str:
    """Policies on assembled calls, side by side."""
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
        f"{found['distressed']} distressed and {found['calm']} calm calls; in time: by the third "
        "negative turn; the last two columns per 1,000 calm calls.",
    ]
    return "\n".join(lines)


def _between(estimate: dict[str, float], factor: float, unit: str) -> str:
    value, low, high = (estimate[key] * factor for key in ("value", "low", "high"))
    return f"{value:.0f}{unit} ({low:.0f} to {high:.0f})"


BLOCKS: dict[Path, dict[str, Block]] = {
    README: {
        "evaluate": (RESULTS / "evaluate.json", corpora),
        "alarms": (RESULTS / "calls.json", alarms),
        "bench": (RESULTS / "bench.json", bench),
        "live": (RESULTS / "live.json", live),
    },
    SIMULATE: {
        "sizing": (RESULTS / "simulate.json", sizing),
        "simulated": (RESULTS / "simulated.json", simulated),
        "simulated_voice": (RESULTS / "simulated_voice.json", simulated),
    },
    TABLES: {
        "words": (ROOT / "models" / "weights" / "wording.json", words),
        "assembled": (RESULTS / "evaluate.json", assembled),
        "alarms_with_words": (RESULTS / "calls.json", alarms_with_words),
        "selective": (RESULTS / "evaluate.json", selective),
        "robustness": (RESULTS / "evaluate.json", robustness),
        "groups": (RESULTS / "evaluate.json", groups),
        "architectures": (RESULTS / "bench.json", architectures),
        "demo": (RESULTS / "demo.json", demo),
    },
}


def rendered(document: Path) -> str:
    """The document with every block made anew from the results."""
    found = document.read_text(encoding="utf-8")
    for name, (file, render) in BLOCKS[document].items():
        if not file.exists():  # not measured yet: once it is, the document must show it
            continue
        text = render(json.loads(file.read_text(encoding="utf-8")))
        start, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
        before, opened, rest = found.partition(start)
        _, closed, after = rest.partition(end)
        if not opened or not closed:
            raise ValueError(f"{document.name} has no block {name}")
        found = f"{before}{start}{text}\n{end}{after}"
    return found


if __name__ == "__main__":
    for path in BLOCKS:
        path.write_text(rendered(path), encoding="utf-8")
