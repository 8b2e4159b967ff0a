"""Calibration of the heads: Platt scaling, and a plateau set on real calm turns."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...calibration import PLATEAU_TOP, Calibration
from ..metrics import calibration_error
from .lda_head import Rows, balance
from .recipe import Plateau, Recipe

_Floats = NDArray[np.float64]


def calibrated(rows: Rows, logits: _Floats, calm: _Floats, recipe: Recipe) -> Calibration:
    """Fit the calibration on the logits of clips left out of the heads' training.

    `calm` are the logits of real calm turns (may be empty), which set the plateau. Raises
    ValueError if logits are higher where the label is not negative.
    """
    fitted = fit_platt(logits, rows.negative, balance(rows), recipe.calibration_limit)
    if recipe.plateau is None or not calm.size:
        return fitted
    return with_plateau(fitted, calm, recipe.plateau)


def with_plateau(platt: Calibration, calm: _Floats, plateau: Plateau) -> Calibration:
    """Return the calibration with at most the plateau's share of calm turns over p = 0.8."""
    top = float(np.quantile(platt.slope * calm + platt.offset, 1 - plateau.calm_over))
    if top <= PLATEAU_TOP:
        return platt
    return Calibration(platt.slope, platt.offset, platt.limit, (plateau.start, top))


def probabilities(calibration: Calibration, logits: _Floats) -> _Floats:
    """Return P(negative) of each logit, at balanced priors."""
    return np.array([calibration.probability(logit) for logit in logits.tolist()])


def left_out_errors(
    rows: Rows, logits: _Floats, fold: NDArray[np.int64], calm: _Floats, recipe: Recipe
) -> dict[str, float]:
    """Return the calibration error by corpus; heads and calibration leave the speakers out."""
    p = np.empty(len(logits))
    for value in np.unique(fold):
        apart = fold == value
        others = calibrated(rows.where(~apart), logits[~apart], calm, recipe)
        p[apart] = probabilities(others, logits[apart])
    return {
        str(corpus): calibration_error(rows.negative[member], p[member])
        for corpus in np.unique(rows.corpus)
        for member in [rows.corpus == corpus]
    }


def fit_platt(logits: _Floats, negative: _Floats, weights: _Floats, limit: float) -> Calibration:
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
