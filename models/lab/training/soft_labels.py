"""Soft labels: the teacher's calibrated P(negative) of each labelled clip.

The teacher is the full encoder with heads on its embeddings of clean clips; each clip is scored by
heads that leave its speaker out. A label that cannot be guessed from the sound then has less
influence on the student's heads.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from .head_calibration import fit_platt, probabilities
from .lda_head import Rows, balance, fit_heads, fold_of_speaker, predict
from .recipe import Recipe


def softened(rows: Rows, recipe: Recipe) -> Rows:
    """Return the rows with the teacher's soft labels mixed into the targets.

    The teacher's heads are trained on these rows only, so left-out clips stay unseen. Raises
    ValueError if the heads contradict the labels.
    """
    share = recipe.soft_labels
    fold = fold_of_speaker(rows.speaker, recipe.folds, recipe.seed)
    if not share or len(np.unique(fold)) < 2:
        return rows
    logits = _left_out_logits(rows, fold, recipe)
    platt = fit_platt(logits, rows.negative, balance(rows), recipe.calibration_limit)
    soft = probabilities(platt, logits)
    return replace(rows, target=(1 - share) * rows.target + share * soft)


def _left_out_logits(rows: Rows, fold: NDArray[np.int64], recipe: Recipe) -> NDArray[np.float64]:
    """Return each clip's logit by heads on the full encoder that leave its speaker out."""
    clean = recipe.model_copy(update={"changes": (), "arousal": 0.0})
    full = replace(rows, inputs=rows.whole, changes=np.zeros((len(fold), 0, 0), np.float32))
    logits = np.empty(len(fold))
    for value in np.unique(fold):
        apart = fold == value
        logits[apart] = predict(fit_heads(full.where(~apart), clean), full.inputs[apart])
    return logits
