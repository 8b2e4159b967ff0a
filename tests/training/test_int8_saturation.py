"""Int8 products saturate on no processor, and the encoder answers as before."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("onnx", reason="the extra `train` is not installed")

import onnx
from onnx import numpy_helper

from pipecat_deescalate.models.lab.training.encoder import Linear, find_base_model, read_encoder
from pipecat_deescalate.models.lab.training.features import log_mel
from pipecat_deescalate.models.lab.training.int8_saturation import (
    PAIR,
    ActivationStats,
    avoid_saturation,
    requantised,
)
from pipecat_deescalate.models.onnx_session import open_session
from pipecat_deescalate.models.registry import BUNDLED_VOICE
from pipecat_deescalate.models.voice import LOGIT, SAMPLES

from ..audio import speech_like


def _greatest_pair(weight: np.ndarray) -> int:
    wide = weight.astype(np.int64)
    return int(np.abs(wide[::2] + wide[1::2]).max())


def test_pairs_give_way_and_what_comes_out_stays() -> None:
    """Heavy weights side by side must fit, and the map must still answer alike on its inputs."""
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(64, 64)) / 8
    inputs = rng.normal(size=(2_000, 64)) @ mixing + 1
    linear = Linear.rounded(rng.normal(size=(64, 32)) + 1, rng.normal(size=32))
    assert _greatest_pair(linear.weight) > PAIR
    stats = ActivationStats(inputs.mean(axis=0), np.cov(inputs.T))
    found = requantised(linear, stats)
    assert _greatest_pair(found.weight) <= PAIR
    wanted, given = (inputs @ map_.dense + map_.bias for map_ in (linear, found))
    assert given.mean(axis=0) == pytest.approx(wanted.mean(axis=0), abs=1e-3)
    nearest = np.round(linear.dense / found.scale) * found.scale
    assert np.std(given - wanted) < 0.7 * np.std(inputs @ (nearest - linear.dense))


def test_every_product_of_an_encoder_fits() -> None:
    """One map left out would be enough to overflow."""
    encoder = read_encoder(find_base_model(), 2)
    assert max(_greatest_pair(linear.weight) for linear in encoder.products) > PAIR
    turns = [log_mel(speech_like(3.0, seed=seed)) for seed in range(4)]
    found = avoid_saturation(encoder, turns)
    assert max(_greatest_pair(linear.weight) for linear in found.products) <= PAIR
    assert found.fingerprint != encoder.fingerprint


def test_the_bundled_model_needs_no_wide_products() -> None:
    """Its format promises that; otherwise it would answer differently on AVX2 without VNNI."""
    graph = onnx.load(BUNDLED_VOICE).graph
    arrays = {tensor.name: tensor for tensor in graph.initializer}
    products = [node for node in graph.node if node.op_type == "MatMulIntegerToFloat"]
    assert len(products) == 13
    for node in products:
        assert _greatest_pair(numpy_helper.to_array(arrays[node.input[1]])) <= PAIR
    turn = speech_like(3.0)
    wide, narrow = (
        open_session(BUNDLED_VOICE, fits_16_bits=fits).run([LOGIT], {SAMPLES: turn})[0]
        for fits in (False, True)
    )
    assert narrow == pytest.approx(wide, abs=1e-5)
