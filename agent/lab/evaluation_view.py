"""The tables of an evaluation in the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ...models.lab.evaluation.evaluation_report import EvaluationReport, Role
from ...models.lab.evaluation.selective import COVERAGES
from ...models.lab.metrics import ClassFigures, Interval
from ..console import format_value

_FAILURES_SHOWN = 10


def print_report(report: EvaluationReport, console: Console) -> None:
    """Print the tables: by corpus, and by condition and group where there are any."""
    console.print(_corpora(report), "negative and not negative: precision / recall at p = 0.5")
    for line in (*_raters(report), *_left_out(report)):
        console.print(line, markup=False, soft_wrap=True)
    console.print(_selective(report))
    if report.robustness:
        console.print(_robustness(report))
    if report.groups:
        console.print(_groups(report))


def _corpora(report: EvaluationReport) -> Table:
    line = "8 kHz telephone band" if report.telephone else "as recorded"
    table = Table(title=escape(f"{report.model}, {line}"))
    for name in ("corpus", "", "ROC-AUC", "95 %", "accuracy", "negative", "not negative", "ECE"):
        table.add_column(name)
    for row in report.corpora:
        table.add_row(
            escape(row.corpus),
            row.role.value,
            format_value(row.roc_auc),
            _between(row.roc_auc_interval),
            format_value(row.accuracy),
            _classes(row.negative),
            _classes(row.not_negative),
            format_value(row.calibration_error),
        )
    if report.mean is not None:
        mean = report.mean
        table.add_row(
            "mean",
            "zero-shot",
            format_value(mean.roc_auc),
            _between(mean.roc_auc_interval),
            format_value(mean.accuracy),
            _classes(mean.negative),
            _classes(mean.not_negative),
            format_value(mean.calibration_error),
            style="bold",
        )
    return table


def _raters(report: EvaluationReport) -> list[str]:
    return [
        f"{row.corpus}: rank correlation with its raters {format_value(row.rater_correlation)}"
        for row in report.corpora
        if row.rater_correlation is not None
    ]


def _left_out(report: EvaluationReport) -> list[str]:
    """A line for each thing that the figures leave out."""
    lines = [
        f"{row.corpus}: {row.unknown} of {row.clips} clips could not be heard"
        for row in report.corpora
        if row.unknown
    ]
    averaged = report.mean.corpora if report.mean is not None else ()
    lines += [
        f"{row.corpus}: not in the mean, one class is missing"
        for row in report.corpora
        if row.role is Role.ZERO_SHOT and row.corpus not in averaged
    ]
    lines += [f"failed: {line}" for line in report.failed[:_FAILURES_SHOWN]]
    if more := len(report.failed[_FAILURES_SHOWN:]):
        lines.append(f"failed: {more} more, named in the JSON")
    return lines


def _between(interval: Interval) -> str:
    return f"{format_value(interval.low)} to {format_value(interval.high)}"


def _classes(figures: ClassFigures) -> str:
    return f"{format_value(figures.precision, '.2f')} / {format_value(figures.recall, '.2f')}"


def _selective(report: EvaluationReport) -> Table:
    table = Table(
        title="I cannot tell: accuracy / precision when only the most certain turns are decided"
    )
    table.add_column("corpus")
    for coverage in COVERAGES:
        table.add_column(f"{coverage:.0%}")
    table.add_column("area under risk and coverage")
    for row in report.corpora:
        cells = [
            f"{format_value(d.accuracy)} / {format_value(d.negative_precision, '.2f')}"
            for d in row.selective.decided
        ]
        table.add_row(escape(row.corpus), *cells, format_value(row.selective.risk_coverage_area))
    return table


def _robustness(report: EvaluationReport) -> Table:
    table = Table(title="ROC-AUC by line condition, zero-shot corpora")
    corpora = list(report.robustness[0].by_corpus)
    for name in ("condition", *map(escape, corpora), "mean", "mean accuracy"):
        table.add_column(name)
    for row in report.robustness:
        cells = [format_value(row.by_corpus[corpus]) for corpus in corpora]
        table.add_row(
            row.condition.value, *cells, format_value(row.roc_auc), format_value(row.accuracy)
        )
    return table


def _groups(report: EvaluationReport) -> Table:
    table = Table(title="By group of speakers")
    for name in ("corpus", "group", "speakers", "clips", "ROC-AUC", "false at 0.5", "false at 0.8"):
        table.add_column(name)
    for corpus in report.groups:
        for row in corpus.groups:
            table.add_row(
                escape(corpus.corpus),
                escape(row.group),
                str(row.speakers),
                str(row.clips),
                format_value(row.roc_auc),
                format_value(row.false_positives_over_half, ".1%"),
                format_value(row.false_positives_over_alarm, ".1%"),
            )
        gap = corpus.largest_gap
        table.add_row(
            "",
            "largest gap",
            "",
            "",
            format_value(gap["roc_auc"]),
            format_value(gap["false_positives_over_half"], ".1%"),
            format_value(gap["false_positives_over_alarm"], ".1%"),
            style="bold",
            end_section=True,
        )
    return table
