"""The graph that ships computes what the graph that was trained on computed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("onnx", reason="the extra `train` is not installed")

from onnx import ModelProto

from pipecat_deescalate.models.errors import ModelFileError
from pipecat_deescalate.models.lab.training.encoder import (
    CHANNELS,
    Encoder,
    Layer,
    Linear,
    Norm,
    find_base_model,
    read_encoder,
)
from pipecat_deescalate.models.lab.training.export import measure_ranges
from pipecat_deescalate.models.lab.training.features import log_mel
from pipecat_deescalate.models.lab.training.graph import Head, embedding_graph, voice_graph
from pipecat_deescalate.models.lab.training.width_pruning import prune_width, shorten_keys
from pipecat_deescalate.models.onnx_session import open_session
from pipecat_deescalate.models.readings import Samples
from pipecat_deescalate.models.voice import SAMPLES

from ..audio import speech_like

FRAMES = [30, 31, 101, 400, 800]
STATES = [(2,), (1, 2), (0,)]
EVERY_NTH = 3
Array = NDArray[np.float64]


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    """The start of every model: two layers of the installed Smart Turn."""
    return read_encoder(find_base_model(), 2)


def _turn(frames: int) -> Samples:
    return speech_like(frames / 100, seed=frames)


def _features(frames: int) -> NDArray[np.float32]:
    return log_mel(_turn(frames))


def _heads(states: tuple[int, ...]) -> dict[str, Head]:
    rng = np.random.default_rng(0)
    return {
        name: Head(rng.normal(size=CHANNELS * len(states)), bias)
        for name, bias in (("logit", 0.25), ("arousal", -1.0))
    }


def _norm(x: Array, norm: Norm) -> Array:
    centred = x - x.mean(-1, keepdims=True)
    return centred / np.sqrt(centred.var(-1, keepdims=True) + 1e-5) * norm.weight + norm.bias


def _linear(x: Array, linear: Linear) -> Array:
    return x @ linear.dense.astype(np.float64) + linear.bias


def _gelu(x: Array) -> Array:
    special = pytest.importorskip("scipy.special", reason="scipy is not installed")
    return np.asarray(0.5 * x * (1 + special.erf(x / np.sqrt(2))))


def _convolved(x: Array, linear: Linear, stride: int) -> Array:
    padded = np.pad(x, ((1, 1), (0, 0)))
    taps = [padded[tap : len(x) + tap : stride] for tap in range(3)]
    return _gelu(_linear(np.concatenate(taps, axis=1), linear))


def _layer(x: Array, layer: Layer) -> Array:
    normed = _norm(x, layer.attention_norm)
    q, k, v = (np.split(_linear(normed, part), 6, axis=1) for part in layer.projections)
    heads = []
    for query, key, value in zip(q, k, v, strict=True):
        scores = query @ key.T / np.sqrt(64)
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        heads.append(scores / scores.sum(-1, keepdims=True) @ value)
    x = x + _linear(np.concatenate(heads, axis=1), layer.out)
    return x + _linear(_gelu(_linear(_norm(x, layer.mlp_norm), layer.fc1)), layer.fc2)


def _averages(encoder: Encoder, features: NDArray[np.float32]) -> Array:
    """The encoder once more, in plain numpy: the average of every state, side by side."""
    x = _convolved(features.T.astype(np.float64), encoder.conv1, 1)
    x = _convolved(x, encoder.conv2, 2)
    states = [x + encoder.positions[: len(x)]]
    for layer in encoder.layers:
        states.append(_layer(states[-1], layer))
    averages = [state.mean(axis=0) for state in states]
    averages[-1] = averages[-2] + (states[-1] - states[-2])[::EVERY_NTH].mean(axis=0)
    return np.concatenate(averages)


def _run(model: ModelProto, given: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    """Run a graph on a turn's samples, or on the features of one."""
    session = open_session(model.SerializeToString())
    [source], outputs = session.get_inputs(), session.get_outputs()
    names = [output.name for output in outputs]
    values = session.run(names, {source.name: given if source.name == SAMPLES else given[None]})
    return dict(zip(names, values, strict=True))


@pytest.mark.parametrize("frames", FRAMES)
def test_the_graph_is_the_encoder(encoder: Encoder, frames: int) -> None:
    """Fused operators and convolutions written as products must not change the numbers."""
    features = _features(frames)
    found = _run(embedding_graph(encoder, EVERY_NTH), features)["pooled"][0]
    assert np.abs(found - _averages(encoder, features)).max() < 2e-3


@pytest.mark.parametrize("states", STATES)
@pytest.mark.parametrize("frames", [31, 400])
def test_folding_the_heads_changes_nothing(
    encoder: Encoder, states: tuple[int, ...], frames: int
) -> None:
    """Heads and last product become one matrix: they must still say what training fitted."""
    heads = _heads(states)
    pooled = _run(embedding_graph(encoder, EVERY_NTH), _features(frames))["pooled"]
    chosen = pooled.reshape(3, CHANNELS)[list(states)].reshape(-1)
    model, _ = voice_graph(encoder, states, heads, EVERY_NTH, None)
    found = _run(model, _turn(frames))
    for name, head in heads.items():
        assert found[name].shape == (1,)
        assert float(found[name][0]) == pytest.approx(chosen @ head.weights + head.bias, abs=5e-3)


@pytest.mark.parametrize("states", STATES)
@pytest.mark.parametrize("frames", [30, 31, 33, 35, 300])
def test_the_course_of_a_turn_is_its_logit_spread_over_time(
    encoder: Encoder, states: tuple[int, ...], frames: int
) -> None:
    """A timeline whose level is not that of the turn would contradict the turn's own figure."""
    model, _ = voice_graph(encoder, states, _heads(states), EVERY_NTH, None)
    found = _run(model, _turn(frames))
    course = found["course"]
    assert course.shape == (-(-frames // 2),)
    if len(course) % EVERY_NTH == 0:  # else the last part holds for fewer frames than the others
        assert float(course.mean()) == pytest.approx(float(found["logit"][0]), abs=5e-3)


@pytest.mark.parametrize("frames", FRAMES)
def test_int8_stays_close_to_float(encoder: Encoder, frames: int) -> None:
    """Rounding to int8 may blur a logit by a few percent of its spread, not replace it."""
    states = (1, 2)
    heads = _heads(states)
    exact, tensors = voice_graph(encoder, states, heads, EVERY_NTH, None)
    ranges = measure_ranges(exact, tensors, [_turn(n) for n in FRAMES])
    small, _ = voice_graph(encoder, states, heads, EVERY_NTH, ranges)
    logits = [float(_run(model, _turn(frames))["logit"][0]) for model in (exact, small)]
    assert logits[1] == pytest.approx(logits[0], rel=0.1, abs=1.0)
    assert len(small.SerializeToString()) < 0.3 * len(exact.SerializeToString())


def test_a_pruned_layer_answers_like_the_full_one(encoder: Encoder) -> None:
    """Half of the hidden units may go only if what they did is made up for."""
    turns = [_features(n) for n in FRAMES]
    narrow = prune_width(encoder, 768, turns)
    assert narrow.layers[0].fc1.bias.size == 768
    wide, found = (
        _run(embedding_graph(one, EVERY_NTH), turns[-1])["pooled"][0, CHANNELS : 2 * CHANNELS]
        for one in (encoder, narrow)
    )
    assert np.corrcoef(wide, found)[0, 1] > 0.99


def test_short_keys_attend_like_long_ones(encoder: Encoder) -> None:
    """A third of a key may do only if frames are weighed as before."""
    turns = [_features(n) for n in FRAMES]
    short = shorten_keys(encoder, (24, 32), turns)
    assert [part.bias.size for part in short.layers[0].projections] == [144, 144, 384]
    assert [part.bias.size for part in short.layers[1].projections] == [192, 192, 384]
    wide, found = (
        _run(embedding_graph(one, EVERY_NTH), turns[-1])["pooled"][0, CHANNELS:]
        for one in (encoder, short)
    )
    assert np.corrcoef(wide, found)[0, 1] > 0.99
    assert np.abs(_averages(short, turns[-1])[CHANNELS:] - found).max() < 2e-3


def test_another_model_is_refused_by_name(tmp_path: Path) -> None:
    """Weights taken from the wrong tensors would train into something that only looks right."""
    other = tmp_path / "other.onnx"
    other.write_bytes(b"not a model")
    with pytest.raises(ModelFileError, match=r"other\.onnx"):
        read_encoder(other, 2)
