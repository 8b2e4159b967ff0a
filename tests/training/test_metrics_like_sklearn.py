"""Our metrics, written in numpy for the core install, are those of scikit-learn and SciPy."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="the extra `train` is not installed")

from scipy.stats import spearmanr
from sklearn import metrics
from sklearn.calibration import calibration_curve

from pipecat_deescalate.models.lab.metrics import (
    accuracy,
    calibration_error,
    class_figures,
    false_positive_rate,
    rank_correlation,
    roc_auc,
)

RNG = np.random.default_rng(3)
LABELS = RNG.random(500) < 0.3
SCORES = np.clip(RNG.normal(0.35 + 0.3 * LABELS, 0.2), 0, 1)
TIED = SCORES.round(1)


@pytest.mark.parametrize("scores", [SCORES, TIED])
def test_ranking_is_theirs(scores: np.ndarray) -> None:
    """A ROC-AUC of our own making could not be compared with a published one."""
    assert roc_auc(LABELS, scores) == pytest.approx(metrics.roc_auc_score(LABELS, scores))
    assert rank_correlation(SCORES, scores) == pytest.approx(spearmanr(SCORES, scores).statistic)
    assert rank_correlation(LABELS, scores) == pytest.approx(spearmanr(LABELS, scores).statistic)


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.8])
def test_counts_at_a_threshold_are_theirs(threshold: float) -> None:
    """Precision and recall swap places easily, and so do the classes."""
    called = np.greater_equal(SCORES, threshold)
    assert accuracy(LABELS, SCORES, threshold) == metrics.accuracy_score(LABELS, called)
    for figures, label in zip(class_figures(LABELS, SCORES, threshold), (1, 0), strict=True):
        assert figures.precision == metrics.precision_score(LABELS, called, pos_label=label)
        assert figures.recall == metrics.recall_score(LABELS, called, pos_label=label)
    rate = metrics.confusion_matrix(LABELS, called, normalize="true")[0, 1]
    assert false_positive_rate(LABELS, SCORES, threshold) == pytest.approx(rate)


def test_calibration_error_is_the_gap_of_their_curve() -> None:
    """Ours weighs the classes equally, which on as many of each changes nothing."""
    labels = np.repeat([0, 1], 400)
    p = RNG.beta(2 + labels, 3 - labels)
    observed, stated = calibration_curve(labels, p, n_bins=10)
    share = np.histogram(p, 10, (0, 1))[0] / p.size
    gap = share[share > 0] @ np.abs(observed - stated)
    assert calibration_error(labels, p) == pytest.approx(gap)
