"""The linear heads; the anger head is a regularised linear discriminant (LDA).

Ridge regression of the label on standardised embeddings gives its direction in closed form, without
iteration or seed; corpora and classes have equal weight. Changed copies are not extra training
clips: their effect on the embeddings is noise to the label, so its second moment is added to the
covariance, and the head turns away from those directions (within-class covariance normalisation,
Hatch et al., 2006).
Arousal and valence are ridge regressions too; corpora and emotions have equal weight.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from ...errors import DeescalateError
from ...voice import AFFECT
from .encoder import CHANNELS
from .graph import Head
from .recipe import HeadConfig, Recipe

_AROUSAL = AFFECT[0]
_Floats = NDArray[np.float64]


class UnlearnableError(DeescalateError):
    """The clips cannot train a head; label more of both classes, or check the labels."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Embeddings of clips and their labels, all of equal length.

    `inputs` are the embeddings of the unchanged clips (rows, inputs), `changes` what each change
    adds to them (rows, changes, inputs), `whole` the embeddings by the teacher's encoder (no
    columns without one). `negative` is 1.0 or 0.0. `target` is what the head learns: `negative`, or
    P(negative) where the manifest or the teacher gives it.
    """

    inputs: NDArray[np.float32]
    changes: NDArray[np.float32]
    whole: NDArray[np.float32]
    negative: _Floats
    target: _Floats
    corpus: NDArray[np.str_]
    speaker: NDArray[np.str_]
    emotion: NDArray[np.str_]

    def where(self, keep: NDArray[np.bool_]) -> Rows:
        """Return the rows where `keep` is true."""
        return Rows(*(getattr(self, field.name)[keep] for field in fields(self)))


def balance(rows: Rows) -> _Floats:
    """Return weights, sum 1, with equal totals per corpus and per class within each corpus."""
    return _balance(rows.corpus, rows.negative)


def _balance(corpora: NDArray[np.str_], classes: NDArray[np.generic]) -> _Floats:
    weights = np.zeros(len(classes))
    for corpus in np.unique(corpora):
        for value in np.unique(classes[corpora == corpus]):
            member = (corpora == corpus) & (classes == value)
            weights[member] = 1 / int(member.sum())
    balanced: _Floats = weights / weights.sum()
    return balanced


def fit_heads(rows: Rows, recipe: Recipe) -> Head:
    """Fit every head of a recipe and return their average, each scaled to unit spread.

    An average of linear heads costs nothing at run time and is more robust than one choice. The
    share `recipe.arousal` of the arousal head is added, which transfers across languages better
    than anger. Raises UnlearnableError for rows of one class, or with equal embeddings.
    """
    if not np.ptp(rows.negative):
        raise UnlearnableError(
            "clips of both classes are needed: among all clips, and among those that remain when a"
            " corpus or a fold of speakers is left out"
        )
    mean = Head(np.zeros(rows.inputs.shape[1]), 0.0)
    weights = balance(rows)
    for config in recipe.heads:
        head = fit_head(rows, rows.target - weights @ rows.target, weights, config, recipe)
        scale = len(recipe.heads) * float(predict(head, rows.inputs).std())
        if not scale:
            raise UnlearnableError(f"{len(rows.negative)} clips: they all sound the same")
        mean = _plus(mean, head, 1 / scale)
    affect = fit_affect(rows, recipe) if recipe.arousal else {}
    return _plus(mean, affect[_AROUSAL], recipe.arousal) if affect else mean


def _plus(head: Head, other: Head, share: float) -> Head:
    return Head(head.weights + share * other.weights, head.bias + share * other.bias)


def fit_affect(rows: Rows, recipe: Recipe) -> dict[str, Head]:
    """Fit arousal and valence on the rows whose emotion the recipe places; none without them."""
    placed = np.array([emotion in recipe.circumplex for emotion in rows.emotion])
    if recipe.affect is None or not placed.any():
        return {}
    known = rows.where(placed)
    weights = _balance(known.corpus, known.emotion)
    at = np.array([recipe.circumplex[emotion] for emotion in known.emotion])
    return {
        name: fit_head(known, at[:, axis], weights, recipe.affect, recipe)
        for axis, name in enumerate(AFFECT)
    }


def fit_head(
    rows: Rows, target: _Floats, weights: _Floats, config: HeadConfig, recipe: Recipe
) -> Head:
    """Fit one head on the states of its config, in the units of `target`.

    `weights` sum to 1. The penalty is in units of the standardised inputs' variance; a change's
    weight scales its second moment against the covariance of the inputs.
    """
    chosen = np.repeat([state in config.states for state in recipe.states], CHANNELS)
    inputs = rows.inputs[:, chosen].astype(np.float64)
    centre = weights @ inputs
    spread = np.sqrt(weights @ np.square(inputs - centre)) + 1e-6
    standard = (inputs - centre) / spread
    covariance = standard.T @ (standard * weights[:, None])
    for index, kind in enumerate(recipe.changes):
        change = rows.changes[:, index, chosen] / spread
        covariance += kind.weight / len(change) * (change.T @ change)
    covariance[np.diag_indices_from(covariance)] += config.penalty
    mean = float(weights @ target)
    direction = np.zeros(len(chosen))
    direction[chosen] = (
        np.linalg.solve(covariance, standard.T @ (weights * (target - mean))) / spread
    )
    return Head(direction, mean - float(centre @ direction[chosen]))


def predict(head: Head, inputs: NDArray[np.float32]) -> _Floats:
    """Return the logits of embeddings."""
    return inputs.astype(np.float64) @ head.weights + head.bias


def fold_of_speaker(speakers: NDArray[np.str_], folds: int, seed: int) -> NDArray[np.int64]:
    """Return each row's fold; a speaker's rows share one."""
    names = np.unique(speakers)
    order = np.random.default_rng(seed).permutation(len(names))
    fold = dict(zip(names[order], np.arange(len(names)) % folds, strict=True))
    return np.array([fold[name] for name in speakers], np.int64)
