"""The `agreement` command: annotators against a reference, and against each other."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ..models.annotation.agreement import (
    AgainstReference,
    BetweenTwo,
    Kappa,
    Key,
    against_reference,
    between,
    by_source,
)
from ..models.annotation.calls import CallsError, complaint
from ..models.annotation.labels import Label, Source, read_labels
from ..models.files import finite
from .files import results


@dataclass(frozen=True, slots=True)
class Agreement:
    """What the command tells. `unparsable` counts answers without a readable label."""

    reference: Source | None
    unparsable: int
    against_reference: tuple[AgainstReference, ...]
    between: tuple[BetweenTwo, ...]


def run_agreement(
    paths: Sequence[Path], *, reference: Path | None, as_json: bool, out: Path | None
) -> None:
    """Compare the sources in files of labels: annotator, strategy, context and prompt.

    Raises:
        CallsError: a file is not valid, the reference has more than one source, or nothing was
            labelled by two.
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
            raise CallsError(complaint(paths[0], "no turn was labelled by two sources"))
        emit(json.dumps(finite(asdict(found))), partial(_show, found))


def _reference(path: Path) -> tuple[Source, Mapping[Key, Label]]:
    sources = by_source(read_labels(path))
    if len(sources) > 1:
        names = "; ".join(map(str, sources))
        raise CallsError(complaint(path, f"annotator: one is needed as reference, not {names}"))
    return next(iter(sources.items()))


def _show(found: Agreement, console: Console) -> None:
    if found.against_reference:
        console.print(_reference_table(found))
    if found.between:
        console.print(_pairs_table(found.between))
    if found.unparsable:
        console.print(f"{found.unparsable} answers could not be read and are left out")


def _reference_table(found: Agreement) -> Table:
    table = Table("annotator", "strategy", "context", title=escape(f"against {found.reference}"))
    for column in ("turns", "negative", "unlabelled", "accuracy", "kappa (95 %)", "ROC-AUC"):
        table.add_column(column, justify="right")
    table.add_column("negative P / R", justify="right")
    table.add_column("not negative P / R", justify="right")
    for row in found.against_reference:
        source = row.source
        table.add_row(
            escape(source.annotator),
            escape(source.strategy or ""),
            "" if source.context is None else str(source.context),
            str(row.turns),
            str(row.negatives),
            str(row.unlabelled),
            f"{row.accuracy:.3f}",
            _kappa(row.kappa),
            "" if row.roc_auc is None else _number(row.roc_auc),
            f"{_number(row.negative.precision)} / {_number(row.negative.recall)}",
            f"{_number(row.non_negative.precision)} / {_number(row.non_negative.recall)}",
        )
    return table


def _pairs_table(pairs: Sequence[BetweenTwo]) -> Table:
    table = Table("one", "other", title="between two")
    for column in ("turns", "agreement", "kappa (95 %)"):
        table.add_column(column, justify="right")
    for pair in pairs:
        table.add_row(
            escape(str(pair.one)),
            escape(str(pair.other)),
            str(pair.turns),
            f"{pair.agreement:.3f}",
            _kappa(pair.kappa),
        )
    return table


def _kappa(kappa: Kappa) -> str:
    if math.isnan(kappa.value):
        return "undefined"
    return f"{kappa.value:.3f} ({kappa.interval.low:.3f} to {kappa.interval.high:.3f})"


def _number(value: float) -> str:
    return "undefined" if math.isnan(value) else f"{value:.3f}"
