"""Figures of scored clips: by corpus, their mean, by condition and by group of speakers.

The mean is over the zero-shot corpora; training corpora and the probe corpus are reported apart.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import cast
from zlib import crc32

import numpy as np

from ...files import finite
from ..metrics import (
    ClassFigures,
    Interval,
    accuracy,
    bootstrap,
    calibration_error,
    class_figures,
    interval,
    rank_correlation,
    roc_auc,
)
from .conditions import Condition
from .groups import CorpusGroups, GroupRows, compare_groups
from .selective import COVERAGES, Decided, Selective, selective

_NAN = float("nan")


class Role(StrEnum):
    """What a corpus is to the model."""

    ZERO_SHOT = "zero-shot"
    SPEAKERS_LEFT_OUT = "in training, speakers left out"
    IN_TRAINING = "in training"
    PROBE = "probe"


@dataclass(frozen=True, slots=True)
class ScoredClip:
    """One clip and its score; `p_negative` is None where the model gave none."""

    path: str
    corpus: str
    role: Role
    speaker: str
    emotion: str
    negative: bool
    p_negative: float | None
    group: str = ""
    soft_negative: float | None = None


@dataclass(frozen=True, slots=True)
class CorpusFigures:
    """Figures of one corpus over its scored clips, at threshold p = 0.5.

    `unknown` counts the clips without a score; they are left out, and if all are, every figure is
    NaN. `roc_auc_interval` holds 95 % of bootstrap values. `rater_correlation` is Spearman's with
    the share of raters who heard a negative emotion; None where the manifest lacks that column.
    """

    corpus: str
    role: Role
    clips: int
    unknown: int
    negatives: int
    roc_auc: float
    roc_auc_interval: Interval
    accuracy: float
    negative: ClassFigures
    not_negative: ClassFigures
    calibration_error: float
    rater_correlation: float | None
    selective: Selective


@dataclass(frozen=True, slots=True)
class MeanFigures:
    """The unweighted mean over `corpora`: the zero-shot ones with scored clips of both classes.

    The interval is a bootstrap interval too. A precision is NaN if one corpus has none.
    """

    corpora: tuple[str, ...]
    roc_auc: float
    roc_auc_interval: Interval
    accuracy: float
    negative: ClassFigures
    not_negative: ClassFigures
    calibration_error: float


@dataclass(frozen=True, slots=True)
class ConditionFigures:
    """The zero-shot corpora under one condition: ROC-AUC by corpus, and `MeanFigures`' means."""

    condition: Condition
    by_corpus: Mapping[str, float]
    roc_auc: float
    accuracy: float


@dataclass(frozen=True, slots=True)
class EvaluationReport:
    """All figures of one run and the rows that they come from.

    `robustness` is empty unless requested, `groups` if the manifest names none. `failed` has a line
    for each clip that could not be read; `mean` is None without a corpus to average.
    """

    model: str
    telephone: bool
    corpora: tuple[CorpusFigures, ...]
    mean: MeanFigures | None
    robustness: tuple[ConditionFigures, ...]
    groups: tuple[CorpusGroups, ...]
    rows: tuple[ScoredClip, ...]
    failed: tuple[str, ...]

    def as_dict(self, *, rows: bool = False) -> dict[str, object]:
        """Return JSON-able values; every clip only with `rows`."""
        values = asdict(self)
        if not rows:
            del values["rows"]
        return cast(dict[str, object], finite(values))


def report(
    model: str,
    rows: Sequence[ScoredClip],
    *,
    telephone: bool,
    robustness: Mapping[Condition, Sequence[ScoredClip]] | None = None,
    failed: Sequence[str] = (),
) -> EvaluationReport:
    """Return the figures of scored rows, and of those under other conditions."""
    parts = _by_corpus(rows)
    drawn = [_drawn(part) for part in parts]
    corpora = tuple(map(_figures, parts, drawn))
    under = (robustness or {}).items()
    return EvaluationReport(
        model=model,
        telephone=telephone,
        corpora=corpora,
        mean=_mean(corpora, drawn),
        robustness=tuple(_condition(condition, part) for condition, part in under),
        groups=tuple(filter(None, map(_groups, parts))),
        rows=tuple(rows),
        failed=tuple(failed),
    )


def _by_corpus(rows: Sequence[ScoredClip]) -> list[list[ScoredClip]]:
    parts: dict[tuple[int, str], list[ScoredClip]] = {}
    for row in rows:
        parts.setdefault((list(Role).index(row.role), row.corpus), []).append(row)
    return [parts[key] for key in sorted(parts)]


def _scores(rows: Sequence[ScoredClip]) -> tuple[np.ndarray, np.ndarray]:
    read = [(row.negative, row.p_negative) for row in rows if row.p_negative is not None]
    return np.array([label for label, _ in read], bool), np.array([p for _, p in read], float)


def _drawn(rows: Sequence[ScoredClip]) -> np.ndarray:
    """Bootstrap ROC-AUCs of a corpus, with its own seed: the mean needs independent draws."""
    truth, p = _scores(rows)
    if not truth.size:
        return np.array([_NAN])
    return bootstrap(truth, p, seed=crc32(rows[0].corpus.encode()))


def _figures(rows: Sequence[ScoredClip], drawn: np.ndarray) -> CorpusFigures:
    truth, p = _scores(rows)
    if not truth.size:
        return _all_unknown(rows)
    negative, not_negative = class_figures(truth, p)
    return CorpusFigures(
        corpus=rows[0].corpus,
        role=rows[0].role,
        clips=len(rows),
        unknown=len(rows) - len(p),
        negatives=int(truth.sum()),
        roc_auc=roc_auc(truth, p),
        roc_auc_interval=interval(drawn),
        accuracy=accuracy(truth, p),
        negative=negative,
        not_negative=not_negative,
        calibration_error=calibration_error(truth, p),
        rater_correlation=_rater_correlation(rows),
        selective=selective(truth, p),
    )


def _all_unknown(rows: Sequence[ScoredClip]) -> CorpusFigures:
    return CorpusFigures(
        corpus=rows[0].corpus,
        role=rows[0].role,
        clips=len(rows),
        unknown=len(rows),
        negatives=0,
        roc_auc=_NAN,
        roc_auc_interval=Interval(_NAN, _NAN),
        accuracy=_NAN,
        negative=ClassFigures(_NAN, _NAN),
        not_negative=ClassFigures(_NAN, _NAN),
        calibration_error=_NAN,
        rater_correlation=None,
        selective=Selective(tuple(Decided(c, _NAN, _NAN) for c in COVERAGES), _NAN),
    )


def _rater_correlation(rows: Sequence[ScoredClip]) -> float | None:
    rated = [
        (row.soft_negative, row.p_negative)
        for row in rows
        if row.soft_negative is not None and row.p_negative is not None
    ]
    return rank_correlation(*zip(*rated, strict=True)) if rated else None


def _mean(corpora: Sequence[CorpusFigures], drawn: Sequence[np.ndarray]) -> MeanFigures | None:
    averaged = [
        (figures, draws)
        for figures, draws in zip(corpora, drawn, strict=True)
        if figures.role is Role.ZERO_SHOT and not math.isnan(figures.roc_auc)
    ]
    if not averaged:
        return None
    every = [figures for figures, _ in averaged]

    def mean(values: Sequence[float]) -> float:
        return float(np.mean(values))

    def both(figures: Sequence[ClassFigures]) -> ClassFigures:
        return ClassFigures(mean([f.precision for f in figures]), mean([f.recall for f in figures]))

    return MeanFigures(
        corpora=tuple(c.corpus for c in every),
        roc_auc=mean([c.roc_auc for c in every]),
        roc_auc_interval=interval(np.mean([draws for _, draws in averaged], axis=0)),
        accuracy=mean([c.accuracy for c in every]),
        negative=both([c.negative for c in every]),
        not_negative=both([c.not_negative for c in every]),
        calibration_error=mean([c.calibration_error for c in every]),
    )


def _condition(condition: Condition, rows: Sequence[ScoredClip]) -> ConditionFigures:
    scores = {part[0].corpus: _scores(part) for part in _by_corpus(rows)}
    by_corpus = {
        corpus: roc_auc(truth, p) if truth.size else _NAN for corpus, (truth, p) in scores.items()
    }
    known = [corpus for corpus, figure in by_corpus.items() if not math.isnan(figure)]
    return ConditionFigures(
        condition=condition,
        by_corpus=by_corpus,
        roc_auc=float(np.mean([by_corpus[corpus] for corpus in known])) if known else _NAN,
        accuracy=float(np.mean([accuracy(*scores[corpus]) for corpus in known])) if known else _NAN,
    )


def _groups(rows: Sequence[ScoredClip]) -> CorpusGroups | None:
    """Compare the groups of a corpus; None if it has fewer than two."""
    parts: dict[str, list[ScoredClip]] = {}
    for row in rows:
        if row.group and row.p_negative is not None:
            parts.setdefault(row.group, []).append(row)
    if len(parts) < 2:
        return None
    compared = {
        group: GroupRows(*_scores(part), [row.speaker for row in part])
        for group, part in parts.items()
    }
    return compare_groups(rows[0].corpus, compared)
