"""The linear head: a regularised linear discriminant, corpora and classes weighing alike.

Ridge regression of the label on standardised averages gives its direction in closed form: no
iteration, no seed. Changed copies of the clips do not train it as further clips. What the changes
do to the averages is noise to the label, so its second moment joins the covariance, and the head
turns away from those directions (within-class covariance normalisation, Hatch et al., 2006).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..calibration import Calibration
from .config import Recipe
from .encoder import CHANNELS
from .graph import Head

_Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Rows:
    """Pooled features and what is known about them; all of equal length.

    `inputs` are those of the unchanged clip (rows, inputs), `changes` what each change adds
    to them (rows, changes, inputs); `negative` is 1.0 or 0.0, `target` what the head learns to
    say: the same, or a probability of negative where the manifest gives one.
    """

    inputs: NDArray[np.float32]
    changes: NDArray[np.float32]
    negative: _Floats
    target: _Floats
    corpus: NDArray[np.str_]
    speaker: NDArray[np.str_]

    def where(self, keep: NDArray[np.bool_]) -> Rows:
        """Return the rows that are kept."""
        return Rows(
            self.inputs[keep],
            self.changes[keep],
            self.negative[keep],
            self.target[keep],
            self.corpus[keep],
            self.speaker[keep],
        )


def balance(rows: Rows) -> _Floats:
    """Return weights that give every corpus, and in it every class, the same total; sum 1."""
    weights = np.zeros(len(rows.negative))
    for corpus in np.unique(rows.corpus):
        for label in (0.0, 1.0):
            member = (rows.corpus == corpus) & (rows.negative == label)
            weights[member] = 1 / max(int(member.sum()), 1)
    balanced: _Floats = weights / weights.sum()
    return balanced


def fit_heads(rows: Rows, recipe: Recipe) -> Head:
    """Fit every head of a recipe and return their average, each scaled to unit spread.

    Averaging linear heads costs nothing at run time and depends less on a lucky choice.
    """
    mean = Head(np.zeros(rows.inputs.shape[1]), 0.0)
    for config in recipe.heads:
        chosen = np.repeat([state in config.states for state in recipe.states], CHANNELS)
        part = Rows(
            rows.inputs[:, chosen],
            rows.changes[:, :, chosen],
            rows.negative,
            rows.target,
            rows.corpus,
            rows.speaker,
        )
        head = fit_head(part, config.penalty, [change.weight for change in recipe.changes])
        scale = len(recipe.heads) * float(predict(head, part.inputs).std())
        weights = mean.weights.copy()
        weights[chosen] += head.weights / scale
        mean = Head(weights, mean.bias + head.bias / scale)
    return mean


def fit_head(rows: Rows, penalty: float, nuisance: Sequence[float]) -> Head:
    """Fit the head.

    `penalty` is in units of the standardised inputs' variance; `nuisance` weighs the second moment
    of each change against the covariance of the inputs.
    """
    weights = balance(rows)
    inputs = rows.inputs.astype(np.float64)
    centre = weights @ inputs
    spread = np.sqrt(weights @ np.square(inputs - centre)) + 1e-6
    standard = (inputs - centre) / spread
    covariance = standard.T @ (standard * weights[:, None])
    for index, weight in enumerate(nuisance):
        change = rows.changes[:, index] / spread
        covariance += weight / len(change) * (change.T @ change)
    covariance[np.diag_indices_from(covariance)] += penalty
    target = rows.target - weights @ rows.target
    direction = np.linalg.solve(covariance, standard.T @ (weights * target)) / spread
    return Head(direction, float(-centre @ direction))


def predict(head: Head, inputs: NDArray[np.float32]) -> _Floats:
    """Return the logits of pooled features."""
    return inputs.astype(np.float64) @ head.weights + head.bias


def fold_of_speaker(speakers: NDArray[np.str_], folds: int, seed: int) -> NDArray[np.int64]:
    """Return each row's fold; all rows of a speaker share one."""
    names = np.unique(speakers)
    order = np.random.default_rng(seed).permutation(len(names))
    fold = dict(zip(names[order], np.arange(len(names)) % folds, strict=True))
    return np.array([fold[name] for name in speakers], np.int64)


def fit_calibration(
    logits: _Floats, negative: _Floats, weights: _Floats, limit: float
) -> Calibration:
    """Fit Platt's two values by Newton's method on the weighted log loss."""
    weights = weights / weights.sum()
    spread = float(np.sqrt(weights @ np.square(logits - weights @ logits))) + 1e-9
    inputs = np.stack([logits / spread, np.ones_like(logits)], axis=1)
    values = np.zeros(2)
    for _ in range(50):
        probability = 1 / (1 + np.exp(-np.clip(inputs @ values, -30, 30)))
        gradient = inputs.T @ (weights * (probability - negative)) + 1e-6 * values
        curvature = (inputs * (weights * probability * (1 - probability))[:, None]).T @ inputs
        curvature[np.diag_indices(2)] += 1e-6
        values -= np.linalg.solve(curvature, gradient)
    return Calibration(float(values[0] / spread), float(values[1]), limit)
