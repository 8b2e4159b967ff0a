"""What the training run lets the heads be sure of."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("onnx", reason="the extra `train` is not installed")

from pipecat_deescalate.models.calibration import Calibration
from pipecat_deescalate.models.lab.training.head_calibration import (
    calibrated,
    left_out_errors,
    probabilities,
    with_plateau,
)
from pipecat_deescalate.models.lab.training.lda_head import Rows
from pipecat_deescalate.models.lab.training.recipe import Plateau, Recipe, load_recipe

PLATEAU = Plateau(start=1.0, calm_over=0.02)
RNG = np.random.default_rng(3)


def _rows(count: int = 4000) -> tuple[Rows, np.ndarray[tuple[int, ...], np.dtype[np.float64]]]:
    """Clips of one corpus, and logits whose log-likelihood ratio is three times the logit."""
    negative = (RNG.random(count) < 0.5).astype(float)
    logits = RNG.normal(np.where(negative > 0, 1.0, -1.0), np.sqrt(2 / 3))
    speakers = np.array([f"s{index % 10}" for index in range(count)])
    corpus = np.full(count, "first")
    inputs = np.zeros((count, 1), np.float32)
    nothing = np.zeros((count, 0, 1), np.float32)
    rows = Rows(inputs, nothing, inputs, negative, negative, corpus, speakers, corpus)
    return rows, logits


def _recipe(plateau: Plateau | None) -> Recipe:
    return load_recipe().model_copy(update={"plateau": plateau})


def test_evidence_is_what_it_says() -> None:
    """Calibrated on clips never met, the log-likelihood ratio of a logit must come out."""
    rows, logits = _rows()
    found = calibrated(rows, logits, np.array([]), _recipe(PLATEAU))
    assert found.plateau is None  # no calm turns to ask for one
    assert found.slope == pytest.approx(3.0, rel=0.1)
    assert found.offset == pytest.approx(0.0, abs=0.15)
    fold = np.arange(len(logits)) % 5
    errors = left_out_errors(rows, logits, fold, np.array([]), _recipe(None))
    assert errors["first"] < 0.05


def test_calm_turns_keep_under_the_alarm() -> None:
    """Real callers who are loud and calm must not set it off, but for the share allowed."""
    calm = RNG.normal(0.0, 2.0, 2000)
    platt = Calibration(1.0, 0.5, 4.0)
    assert np.mean(probabilities(platt, calm) > 0.8) > 0.2
    held = with_plateau(platt, calm, PLATEAU)
    assert held.plateau is not None
    assert np.mean(probabilities(held, calm) > 0.8) <= 0.021
    assert np.all(np.diff(probabilities(held, np.sort(calm))) >= 0)


def test_a_line_that_is_calm_anyway_needs_no_plateau() -> None:
    """Pressing what is under p = 0.8 already would lift it."""
    platt = Calibration(1.0, -3.0, 4.0)
    assert with_plateau(platt, RNG.normal(0.0, 1.0, 500), PLATEAU) == platt
