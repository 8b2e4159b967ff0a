"""Whether a model serves some groups of speakers worse than others."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..metrics import false_positive_rate, roc_auc

ALARM = 0.8


@dataclass(frozen=True, slots=True)
class GroupFigures:
    """One group of a corpus: ROC-AUC, and the false-positive rates at p = 0.5 and 0.8.

    NaN where the group has no clips of a class.
    """

    group: str
    clips: int
    speakers: int
    roc_auc: float
    false_positives_over_half: float
    false_positives_over_alarm: float


@dataclass(frozen=True, slots=True)
class CorpusGroups:
    """The groups of one corpus; `largest_gap` is highest minus lowest, by figure.

    NaN if fewer than two groups have the figure.
    """

    corpus: str
    groups: tuple[GroupFigures, ...]
    largest_gap: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class GroupRows:
    """The rows of one group: labels, p(negative) and speakers, all of equal length."""

    truth: NDArray[np.bool_]
    p_negative: NDArray[np.float64]
    speakers: Sequence[str]


def compare_groups(corpus: str, rows: Mapping[str, GroupRows]) -> CorpusGroups:
    """Return the figures of each group and how far apart they are."""
    groups = tuple(_figures(name, rows[name]) for name in sorted(rows))
    names = ("roc_auc", "false_positives_over_half", "false_positives_over_alarm")
    gaps = {name: _gap([getattr(group, name) for group in groups]) for name in names}
    return CorpusGroups(corpus, groups, gaps)


def _gap(values: Sequence[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return max(known) - min(known) if len(known) > 1 else float("nan")


def _figures(group: str, rows: GroupRows) -> GroupFigures:
    return GroupFigures(
        group=group,
        clips=len(rows.truth),
        speakers=len(set(rows.speakers)),
        roc_auc=roc_auc(rows.truth, rows.p_negative),
        false_positives_over_half=false_positive_rate(rows.truth, rows.p_negative, 0.5),
        false_positives_over_alarm=false_positive_rate(rows.truth, rows.p_negative, ALARM),
    )
