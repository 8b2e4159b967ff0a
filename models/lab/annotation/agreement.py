"""How far annotators agree: with a reference such as a person's labels, and with each other."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike

from ..metrics import ClassFigures, Interval, accuracy, class_figures, roc_auc
from .labels import Emotion, Label, Source

_Z_95 = 1.959964
Key = tuple[str, int]
"""A turn: call id and index."""


@dataclass(frozen=True, slots=True)
class Kappa:
    """Cohen's kappa with its 95 % interval; NaN where it is not defined."""

    value: float
    interval: Interval


@dataclass(frozen=True, slots=True)
class AgainstReference:
    """One source held against the reference, on the turns that both labelled.

    `unlabelled` counts turns of the reference that the source has no readable label for. `roc_auc`
    is None unless every label compared has a score.
    """

    source: Source
    turns: int
    negatives: int
    unlabelled: int
    accuracy: float
    negative: ClassFigures
    non_negative: ClassFigures
    kappa: Kappa
    roc_auc: float | None


@dataclass(frozen=True, slots=True)
class BetweenTwo:
    """Two sources, on the turns that both labelled."""

    one: Source
    other: Source
    turns: int
    agreement: float
    kappa: Kappa


def cohens_kappa(one: ArrayLike, other: ArrayLike) -> Kappa:
    """Cohen's kappa of two raters' binary labels, and its large-sample 95 % interval.

    Cohen, 1960; the variance by Fleiss, Cohen and Everitt, Psychological Bulletin 72, 1969,
    equation 13. Undefined if both raters use a single, common class.
    """
    first, second = np.asarray(one, bool), np.asarray(other, bool)
    if first.shape != second.shape or first.ndim != 1 or not first.size:
        raise ValueError(f"expected two equal rows of labels, got {first.shape}, {second.shape}")
    shares = np.zeros((2, 2))
    np.add.at(shares, (first.astype(int), second.astype(int)), 1 / first.size)
    rows, columns = shares.sum(axis=1), shares.sum(axis=0)
    observed, expected = float(np.trace(shares)), float(rows @ columns)
    if expected > 1 - 1e-12:
        return Kappa(math.nan, Interval(math.nan, math.nan))
    kappa = (observed - expected) / (1 - expected)
    off = (1 - kappa) ** 2 * sum(
        shares[i, j] * (columns[i] + rows[j]) ** 2 for i, j in ((0, 1), (1, 0))
    )
    on = sum(shares[i, i] * (1 - (rows[i] + columns[i]) * (1 - kappa)) ** 2 for i in (0, 1))
    variance = (on + off - (kappa - expected * (1 - kappa)) ** 2) / (
        first.size * (1 - expected) ** 2
    )
    margin = _Z_95 * math.sqrt(max(variance, 0.0))
    return Kappa(kappa, Interval(max(-1.0, kappa - margin), min(1.0, kappa + margin)))


def by_source(labels: Iterable[Label]) -> dict[Source, dict[Key, Label]]:
    """The readable labels of each source by turn, in the order of the sources' names."""
    found: dict[Source, dict[Key, Label]] = {}
    for label in labels:
        turns = found.setdefault(label.source, {})
        if label.label is not None:
            turns[label.call_id, label.turn] = label
    return dict(sorted(found.items(), key=lambda item: str(item[0])))


def against_reference(
    reference: Mapping[Key, Label], source: Source, labels: Mapping[Key, Label]
) -> AgainstReference | None:
    """Hold a source against the reference; None without a turn that both labelled."""
    shared = [key for key in reference if key in labels]
    if not shared:
        return None
    truth = _negative([reference[key] for key in shared])
    said = _negative([labels[key] for key in shared])
    negative, non_negative = class_figures(truth, said)
    scores = [labels[key].score for key in shared]
    given = [score for score in scores if score is not None]
    return AgainstReference(
        source=source,
        turns=len(shared),
        negatives=sum(truth),
        unlabelled=len(reference) - len(shared),
        accuracy=accuracy(truth, said),
        negative=negative,
        non_negative=non_negative,
        kappa=cohens_kappa(truth, said),
        roc_auc=roc_auc(truth, given) if len(given) == len(shared) else None,
    )


def between(sources: Mapping[Source, Mapping[Key, Label]]) -> list[BetweenTwo]:
    """Each two sources that share turns."""
    found = []
    for one, other in combinations(sources, 2):
        shared = [key for key in sources[one] if key in sources[other]]
        if shared:
            first = _negative([sources[one][key] for key in shared])
            second = _negative([sources[other][key] for key in shared])
            agreed = float(np.mean(np.equal(first, second)))
            kappa = cohens_kappa(first, second)
            found.append(BetweenTwo(one, other, len(shared), agreed, kappa))
    return found


def _negative(labels: Sequence[Label]) -> list[int]:
    return [int(label.label is Emotion.NEGATIVE) for label in labels]
