"""An evaluation as a person reads it."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from ..models.evaluation.metrics import ClassFigures
from ..models.evaluation.report import EvaluationReport
from ..models.evaluation.selective import COVERAGES


def print_report(report: EvaluationReport, console: Console) -> None:
    """Print the tables: by corpus, and those of conditions and groups where there are any."""
    console.print(_corpora(report), "negative and not negative: precision / recall at p = 0.5")
    console.print(_selective(report))
    if report.robustness:
        console.print(_robustness(report))
    if report.groups:
        console.print(_groups(report))


def _corpora(report: EvaluationReport) -> Table:
    line = "8 kHz telephone band" if report.telephone else "as recorded"
    table = Table(title=f"{report.model}, {line}")
    for name in ("corpus", "", "ROC-AUC", "95 %", "accuracy", "negative", "not negative", "ECE"):
        table.add_column(name)
    for row in report.corpora:
        low, high = row.roc_auc_interval.low, row.roc_auc_interval.high
        table.add_row(
            row.corpus,
            row.role.value,
            f"{row.roc_auc:.3f}",
            f"{low:.3f} to {high:.3f}",
            f"{row.accuracy:.3f}",
            _classes(row.negative),
            _classes(row.not_negative),
            f"{row.calibration_error:.3f}",
        )
    if report.mean is not None:
        mean = report.mean
        table.add_row(
            "mean",
            "zero-shot",
            f"{mean.roc_auc:.3f}",
            f"{mean.roc_auc_interval.low:.3f} to {mean.roc_auc_interval.high:.3f}",
            f"{mean.accuracy:.3f}",
            _classes(mean.negative),
            _classes(mean.not_negative),
            f"{mean.calibration_error:.3f}",
            style="bold",
        )
    return table


def _classes(figures: ClassFigures) -> str:
    return f"{figures.precision:.2f} / {figures.recall:.2f}"


def _selective(report: EvaluationReport) -> Table:
    table = Table(
        title="I cannot tell: accuracy / precision when only the most certain are decided"
    )
    table.add_column("corpus")
    for coverage in COVERAGES:
        table.add_column(f"{coverage:.0%}")
    table.add_column("area under risk and coverage")
    for row in report.corpora:
        cells = [f"{d.accuracy:.3f} / {d.negative_precision:.2f}" for d in row.selective.decided]
        table.add_row(row.corpus, *cells, f"{row.selective.risk_coverage_area:.3f}")
    return table


def _robustness(report: EvaluationReport) -> Table:
    table = Table(title="ROC-AUC by what the line does, zero-shot corpora")
    corpora = list(report.robustness[0].by_corpus)
    for name in ("condition", *corpora, "mean", "mean accuracy"):
        table.add_column(name)
    for row in report.robustness:
        cells = [f"{row.by_corpus[corpus]:.3f}" for corpus in corpora]
        table.add_row(row.condition.value, *cells, f"{row.roc_auc:.3f}", f"{row.accuracy:.3f}")
    return table


def _groups(report: EvaluationReport) -> Table:
    table = Table(title="By group of speakers")
    for name in ("corpus", "group", "speakers", "clips", "ROC-AUC", "false at 0.5", "false at 0.8"):
        table.add_column(name)
    for corpus in report.groups:
        for row in corpus.groups:
            table.add_row(
                corpus.corpus,
                row.group,
                str(row.speakers),
                str(row.clips),
                f"{row.roc_auc:.3f}",
                f"{row.false_positives_over_half:.1%}",
                f"{row.false_positives_over_alarm:.1%}",
            )
        gap = corpus.largest_gap
        table.add_row(
            "",
            "largest gap",
            "",
            "",
            f"{gap['roc_auc']:.3f}",
            f"{gap['false_positives_over_half']:.1%}",
            f"{gap['false_positives_over_alarm']:.1%}",
            style="bold",
            end_section=True,
        )
    return table
