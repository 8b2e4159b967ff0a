"""The teacher's word on the labelled clips: how negative each sounds, not only whether it is.

Heads on the whole encoder's averages of clean clips, each clip read by those that did not meet its
speaker, calibrated. A clip whose label nobody would guess from its sound then pulls less at the
student's heads.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from .head_calibration import fit_platt, probabilities
from .lda_head import Rows, balance, fit_heads, fold_of_speaker, predict
from .recipe import Recipe


def softened(rows: Rows, recipe: Recipe) -> Rows:
    """Return the rows with the teacher's share in what their heads learn.

    Only these rows teach the teacher's heads, so that clips left out of them stay unmet. Raises
    ValueError where its heads say the opposite of the labels.
    """
    share = recipe.soft_labels
    fold = fold_of_speaker(rows.speaker, recipe.folds, recipe.seed)
    if not share or len(np.unique(fold)) < 2:
        return rows
    logits = _unmet_logits(rows, fold, recipe)
    platt = fit_platt(logits, rows.negative, balance(rows), recipe.calibration_limit)
    soft = probabilities(platt, logits)
    return replace(rows, target=(1 - share) * rows.target + share * soft)


def _unmet_logits(rows: Rows, fold: NDArray[np.int64], recipe: Recipe) -> NDArray[np.float64]:
    """Return each clip's logit by heads on the whole encoder that did not meet its speaker."""
    clean = recipe.model_copy(update={"changes": (), "arousal": 0.0})
    heard = replace(rows, inputs=rows.whole, changes=np.zeros((len(fold), 0, 0), np.float32))
    logits = np.empty(len(fold))
    for value in np.unique(fold):
        apart = fold == value
        logits[apart] = predict(fit_heads(heard.where(~apart), clean), heard.inputs[apart])
    return logits
