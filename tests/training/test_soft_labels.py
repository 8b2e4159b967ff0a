"""The teacher's word in what the heads learn."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("onnx", reason="the extra `train` is not installed")

from pipecat_deescalate.models.lab.training.encoder import CHANNELS
from pipecat_deescalate.models.lab.training.lda_head import Rows
from pipecat_deescalate.models.lab.training.recipe import HeadConfig, Recipe, load_recipe
from pipecat_deescalate.models.lab.training.soft_labels import softened

WRONG = 7


def _rows() -> Rows:
    """Clips that one direction tells apart, all but one, whose label is wrong."""
    rng = np.random.default_rng(2)
    negative = np.arange(1000) % 2 * 1.0
    whole = rng.standard_normal((1000, CHANNELS)).astype(np.float32)
    whole[:, 0] += 6 * negative.astype(np.float32)
    whole[WRONG, 0] = -6
    speaker = np.array([f"s{index // 20}" for index in range(1000)])
    corpus = np.full(1000, "first")
    nothing = np.zeros((1000, 0, CHANNELS), np.float32)
    return Rows(np.zeros_like(whole), nothing, whole, negative, negative, corpus, speaker, corpus)


def _recipe(share: float) -> Recipe:
    one = (HeadConfig(states=(2,), penalty=0.2),)
    changes = {"heads": one, "affect": None, "soft_labels": share}
    return load_recipe().model_copy(update=changes)


def test_a_label_that_nobody_would_guess_pulls_less() -> None:
    """The whole use of soft labels: what the clip sounds like counts beside what was written."""
    rows = _rows()
    target = softened(rows, _recipe(0.5)).target
    assert rows.negative[WRONG] == 1.0
    assert target[WRONG] < 0.7
    others = np.delete(np.arange(1000), WRONG)
    assert np.abs(target - rows.negative)[others].mean() < 0.1


def test_without_a_share_the_labels_stay() -> None:
    """A recipe that does not ask for a teacher must not get one."""
    rows = _rows()
    assert softened(rows, _recipe(0.0)) is rows


def test_one_speaker_has_no_teacher() -> None:
    """There is nobody left to teach the teacher's heads: the labels are all there is."""
    rows = _rows().where(np.arange(1000) < 20)
    assert softened(rows, _recipe(0.5)) is rows
