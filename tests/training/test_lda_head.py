"""The linear heads: what they learn from the averages, and how they are put together."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("onnx", reason="the extra `train` is not installed")

from pipecat_deescalate.models.lab.training.encoder import CHANNELS
from pipecat_deescalate.models.lab.training.lda_head import Rows, fit_affect, fit_heads, predict
from pipecat_deescalate.models.lab.training.recipe import HeadConfig, Recipe, load_recipe

EMOTIONS = ("anger", "happiness", "sadness", "neutral")
ANGRY, AROUSED = 0, 1


def _rows() -> Rows:
    """Clips of which one channel tells whether they are angry, another how aroused they are."""
    rng = np.random.default_rng(4)
    emotion = np.array([EMOTIONS[index % 4] for index in range(400)])
    negative = (emotion == "anger") * 1.0
    inputs = rng.standard_normal((400, CHANNELS)).astype(np.float32)
    inputs[:, ANGRY] += 2 * negative
    inputs[:, AROUSED] += 2 * np.isin(emotion, ("anger", "happiness"))
    whole = np.zeros((400, 0), np.float32)
    nothing = np.zeros((400, 0, CHANNELS), np.float32)
    first = np.full(400, "first")
    return Rows(inputs, nothing, whole, negative, negative, first, first, emotion)


def _recipe(**changes: object) -> Recipe:
    one = HeadConfig(states=(2,), penalty=0.2)
    return load_recipe().model_copy(
        update={"heads": (one,), "affect": one, "changes": ()} | changes
    )


def test_arousal_has_its_share_in_the_head() -> None:
    """The sum must be of the two heads, in the share that the recipe says, and of no other."""
    rows = _rows()
    alone = fit_heads(rows, _recipe(arousal=0.0))
    arousal = fit_affect(rows, _recipe())["arousal"]
    both = fit_heads(rows, _recipe(arousal=0.5))
    expected = predict(alone, rows.inputs) + 0.5 * predict(arousal, rows.inputs)
    assert np.allclose(predict(both, rows.inputs), expected)
    assert both.weights[AROUSED] > alone.weights[AROUSED] > 0


def test_without_placed_emotions_there_is_no_arousal_to_add() -> None:
    """A corpus of other emotions must train as before, not fail."""
    rows = _rows()
    unplaced = _recipe(circumplex_degrees={})
    alone = fit_heads(rows, unplaced.model_copy(update={"arousal": 0.0}))
    assert np.array_equal(fit_heads(rows, unplaced).weights, alone.weights)
