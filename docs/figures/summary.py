"""The README's table: what the library reaches, from the results of all commands."""

from __future__ import annotations

from typing import Any

from pipecat_deescalate.agent.console import format_value

ZERO_SHOT = {"ased": "Amharic", "nemo": "Polish", "turev": "Turkish"}


def reaches(results: dict[str, Any]) -> str:
    """How often it is right, what voice alone misses, false alarms, cost.

    Args:
        results: the files in docs/results, by their names without the ending.
    """
    rows = [*_recognition(results), *_calls(results), *_costs(results)]
    lines = ["| | voice alone | voice and transcript |", "|---|---|---|"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def _recognition(results: dict[str, Any]) -> list[tuple[str, str, str]]:
    report = results["evaluate"]["corpora"]
    by_corpus = {row["corpus"]: row for row in report["corpora"]}
    auc = {name: format_value(row["roc_auc"]) for name, row in by_corpus.items()}
    languages = ", ".join(f"{name} {auc[corpus]}" for corpus, name in ZERO_SHOT.items())
    return [
        (
            "ROC-AUC, acted anger or disgust, languages not in training",
            f"{format_value(report['mean']['roc_auc'])} ({languages})",
            "",
        ),
        ("recall of negative turns there at p = 0.5; precision", _found(report["mean"]), ""),
        ("the same, single words of about 1 s (Turkish)", _found(by_corpus["turev"]), ""),
        ("ROC-AUC on cold disappointment (0.5 is chance)", auc["indowave"], ""),
    ]


def _found(row: dict[str, Any]) -> str:
    recall, precision = (
        format_value(row["negative"][figure], ".0%") for figure in ("recall", "precision")
    )
    return f"{recall}; {precision}"


def _calls(results: dict[str, Any]) -> list[tuple[str, str, str]]:
    both = [
        next(row for row in results[name]["policies"] if row["policy"] == "balanced")["labelled"]
        for name in ("simulated_voice", "simulated")
    ]
    real = [results["calls"][name] for name in ("calls", "calls_with_words")]
    offered = [_actions(report["calls_by_highest_action"]) for report in real]
    return [
        (
            "distressed callers offered a human by their third negative turn, synthetic calls",
            *(format_value(found["caught_in_time"]["value"], ".0%") for found in both),
        ),
        (
            "calm callers per 1,000 who get any action; a transfer, synthetic calls",
            *(
                f"{_per_1000(found, 'needless_empathy_per_1000_calm')}; "
                f"{_per_1000(found, 'false_transfers_per_1000_calm')}"
                for found in both
            ),
        ),
        (f"{real[0]['calls']} real calls, nearly all calm: offered a human; transferred", *offered),
        (
            "turns of these calls with p over 0.8; among turns under 1 s",
            f"{format_value(real[0]['share_over_alarm'], '.1%')}; "
            f"{format_value(real[0]['share_over_alarm_under_1s'], '.1%')}",
            "",
        ),
    ]


def _actions(calls: dict[str, int]) -> str:
    return f"{calls.get('offer_human', 0)}; {calls.get('transfer', 0)}"


def _per_1000(found: dict[str, Any], key: str) -> str:
    return format_value(found[key]["value"], ".0f")


def _costs(results: dict[str, Any]) -> list[tuple[str, str, str]]:
    bench, live = results["bench"], results["live"]
    without, guarded, *_ = live["latency"].values()
    plain, loaded, *_ = live["costs"].values()
    turn = next(row for row in bench["latency"] if row["turn_s"] == 4.0)
    reply = [without["median_ms"], guarded["median_ms"]]
    first, further = (loaded[key] - plain[key] for key in ("first_call_mb", "further_call_mb"))
    return [
        (
            "inference on one core, 4 s turn (Smart Turn v3.2: "
            f"{turn['smart_turn']['median_ms']:.0f} ms)",
            f"{turn['ours']['median_ms']:.1f} ms",
            f"+ {bench['words']['median_ms']:.1f} ms",
        ),
        (
            f"reply latency of a phone bot ({reply[0]:.0f} ms without)",
            f"{reply[1]:.0f} ms",
            "",
        ),
        (
            "memory for the first call; each further call",
            f"+ {first:.0f} MB; + {further:.1f} MB",
            "",
        ),
    ]
