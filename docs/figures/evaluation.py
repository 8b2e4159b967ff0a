"""Tables of `deescalate model evaluate`: by corpus, condition, group of speakers; words."""

from __future__ import annotations

from typing import Any

from pipecat_deescalate.agent.console import format_value

NOT_MEASURED = "Not measured in this run."
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
        auc = f"{format_value(row['roc_auc'])}{_interval(row)}"
        lines.append(_row(LANGUAGES[row["corpus"]], row["role"], auc, row))
    mean = report["mean"]
    auc = f"**{format_value(mean['roc_auc'])}**{_interval(mean)}"
    lines.append(_row("**mean**", "zero-shot", auc, mean))
    return "\n".join([*lines, "", "P / R: precision / recall at p = 0.5. ECE: calibration error."])


def _interval(row: dict[str, Any]) -> str:
    low, high = (format_value(row["roc_auc_interval"][bound]) for bound in ("low", "high"))
    return f" ({low} to {high})"


def _row(name: str, role: str, auc: str, figures: dict[str, Any]) -> str:
    classes = " | ".join(
        " / ".join(format_value(figures[side][figure], ".2f") for figure in ("precision", "recall"))
        for side in ("negative", "not_negative")
    )
    return (
        f"| {name} | {role} | {auc} | {figures['accuracy']:.3f} | {classes} "
        f"| {format_value(figures['calibration_error'])} |"
    )


def selective(results: dict[str, Any]) -> str:
    """Accuracy when only the most certain turns are decided."""
    rows = results["corpora"]["corpora"]
    shares = [f"{part['coverage']:.0%}" for part in rows[0]["selective"]["decided"]]
    lines = [f"| corpus | | {' | '.join(shares)} | area |", "|---" * (len(shares) + 3) + "|"]
    for row in rows:
        cells = [
            f"{part['accuracy']:.3f} / {format_value(part['negative_precision'], '.2f')}"
            for part in row["selective"]["decided"]
        ]
        area = f"{row['selective']['risk_coverage_area']:.3f}"
        name = LANGUAGES[row["corpus"]]
        lines.append(f"| {name} | {row['role']} | {' | '.join(cells)} | {area} |")
    return "\n".join(lines)


def robustness(results: dict[str, Any]) -> str:
    """ROC-AUC of the zero-shot corpora by line condition."""
    rows = results["corpora"]["robustness"]
    if not rows:
        return NOT_MEASURED
    names = [LANGUAGES[name] for name in rows[0]["by_corpus"]]
    lines = [
        f"| condition | {' | '.join(names)} | mean | mean accuracy |",
        "|---" * (len(names) + 3) + "|",
    ]
    for row in rows:
        cells = [format_value(auc) for auc in (*row["by_corpus"].values(), row["roc_auc"])]
        lines.append(f"| {row['condition']} | {' | '.join(cells)} | {row['accuracy']:.3f} |")
    return "\n".join(lines)


def groups(results: dict[str, Any]) -> str:
    """Figures by group of speakers, and the largest gap in each corpus."""
    found = results["corpora"]["groups"]
    if not found:
        return NOT_MEASURED
    keys = ("roc_auc", "false_positives_over_half", "false_positives_over_alarm")
    lines = [
        "| corpus | group | speakers | clips | ROC-AUC | FPR at 0.5 | FPR at 0.8 |",
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
    shares = " | ".join(format_value(share, ".1%") for share in false)
    return f"| {name} | {format_value(auc)} | {shares} |"


def words(results: dict[str, Any]) -> str:
    """The text classifier's ROC-AUC by corpus."""
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
    """Voice, words and both on synthetic calls."""
    report = results["assembled"]
    lines = [
        f"| ROC-AUC over {report['calls']} calls | voice | words | both |",
        "|---|---|---|---|",
    ]
    for name, row in (("per call", report), ("per turn", report["turns"])):
        cells = [format_value(row[source]) for source in ("voice", "words", "both")]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)
