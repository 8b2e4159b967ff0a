"""The `label agreement` command: compare annotators with a reference and with each other."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ...models.files import finite
from ...models.lab.annotation.agreement import (
    AgainstReference,
    BetweenTwo,
    Kappa,
    Key,
    against_reference,
    between,
    by_source,
)
from ...models.lab.annotation.call_table import CallsError, file_complaint
from ...models.lab.annotation.labels import Label, Source, read_labels
from ...models.lab.metrics import ClassFigures
from ..console import format_value, results

_COUNTS = ("turns", "of them\nnegative")
_BY_CLASS = ("negative\nP / R", "other\nP / R")


@dataclass(frozen=True, slots=True)
class Agreement:
    """The command's results; `unparsable` counts answers without a readable label."""

    reference: Source | None
    unparsable: int
    against_reference: tuple[AgainstReference, ...]
    between: tuple[BetweenTwo, ...]


def run_agreement(
    paths: Sequence[Path], *, reference: Path | None, as_json: bool, out: Path | None
) -> None:
    """Compare the sources in files of labels: annotator, strategy, context and prompt.

    Raises:
        CallsError: a file is not valid, the reference has more than one source, or no turn was
            labelled by two sources.
        OutputError: `out` cannot be written.
    """
    with results(as_json=as_json, out=out) as emit:
        labels = [label for path in paths for label in read_labels(path)]
        sources = by_source(labels)
        unparsable = sum(label.label is None for label in labels)
        name, truth = (None, {}) if reference is None else _reference(reference)
        found = Agreement(
            reference=name,
            unparsable=unparsable,
            against_reference=tuple(
                figures
                for source, turns in sources.items()
                if (figures := against_reference(truth, source, turns)) is not None
            ),
            between=tuple(between(sources)),
        )
        if not found.against_reference and not found.between:
            raise CallsError(file_complaint(paths[0], "no turn was labelled by two sources"))
        emit(json.dumps(finite(asdict(found)), allow_nan=False), partial(_show, found))


def _reference(path: Path) -> tuple[Source, Mapping[Key, Label]]:
    sources = by_source(read_labels(path))
    if len(sources) > 1:
        names = "; ".join(map(str, sources))
        raise CallsError(
            file_complaint(path, f"annotator: the reference must have one source, not {names}")
        )
    return next(iter(sources.items()))


def _show(found: Agreement, console: Console) -> None:
    if found.against_reference:
        console.print(_reference_table(found))
    if found.between:
        console.print(_pairs_table(found.between))
    if unlabelled := max((row.unlabelled for row in found.against_reference), default=0):
        console.print(f"reference turns that a source has not labelled: up to {unlabelled}")
    if found.unparsable:
        console.print(f"left out: {found.unparsable} answers that could not be read")


def _reference_table(found: Agreement) -> Table:
    """A row per strategy and context, narrow enough for a terminal of 100 columns."""
    table = Table("annotator", title=escape(f"against {found.reference}"), box=SIMPLE_HEAD)
    for column in (*_COUNTS, "accuracy", "kappa\n(95 %)", "ROC-AUC", *_BY_CLASS):
        table.add_column(column, justify="right", no_wrap=True)
    for row in found.against_reference:
        table.add_row(
            escape(_asked(row.source)),
            str(row.turns),
            str(row.negatives),
            format_value(row.accuracy),
            _kappa(row.kappa),
            format_value(row.roc_auc),
            _by_class(row.negative),
            _by_class(row.non_negative),
        )
    return table


def _pairs_table(pairs: Sequence[BetweenTwo]) -> Table:
    table = Table("one", "other", title="between two", box=SIMPLE_HEAD)
    for column in ("turns", "agreement", "kappa\n(95 %)"):
        table.add_column(column, justify="right", no_wrap=True)
    for pair in pairs:
        table.add_row(
            escape(_asked(pair.one)),
            escape(_asked(pair.other)),
            str(pair.turns),
            format_value(pair.agreement),
            _kappa(pair.kappa),
        )
    return table


def _asked(source: Source) -> str:
    """The annotator, and below it strategy, context and prompt."""
    shown = None if source.context is None else f"context {source.context}"
    lines = (source.annotator, source.strategy, shown, source.prompt_hash)
    return "\n".join(line for line in lines if line)


def _kappa(kappa: Kappa) -> str:
    low, high = format_value(kappa.interval.low, ".2f"), format_value(kappa.interval.high, ".2f")
    return f"{format_value(kappa.value)}\n{low} to {high}"


def _by_class(figures: ClassFigures) -> str:
    return f"{format_value(figures.precision, '.2f')} / {format_value(figures.recall, '.2f')}"
