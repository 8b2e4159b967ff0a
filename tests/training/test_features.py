"""The features are what the encoder was trained on, for a clip of any length."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("onnx", reason="the extra `train` is not installed")

from pipecat_deescalate.models.lab.training.features import HOP, MEL_BANDS, log_mel
from pipecat_deescalate.models.lab.training.front_end import front_end
from pipecat_deescalate.models.lab.training.onnx_builder import GraphBuilder, finish
from pipecat_deescalate.models.onnx_session import open_session
from pipecat_deescalate.models.readings import SAMPLE_RATE, Samples
from pipecat_deescalate.models.voice import SAMPLES

from ..audio import noise, speech_like, tone


def _after_silence() -> Samples:
    return np.concatenate([np.zeros(8_000, np.float32), tone(1.0), noise(0.7, level=1e-5)])


CLIPS = {
    "noise": noise(2.0),
    "speech-like": speech_like(3.13),
    "faint": speech_like(1.0, level=3e-4),
    "a pure tone": tone(1.5),
    "silence, then a tone": _after_silence(),
    "a third of a second": noise(0.3, seed=3),
    "not a whole number of frames": noise(1.0)[:-79],
    "two frames": noise(0.02),
    "longer than the model's window": noise(9.0),
}


@pytest.mark.parametrize("clip", CLIPS.values(), ids=CLIPS.keys())
def test_equal_to_the_reference_extractor(clip: Samples) -> None:
    """Other features than the encoder's own would cost accuracy that nothing else shows."""
    transformers = pytest.importorskip("transformers", reason="the reference is not installed")
    extractor = transformers.WhisperFeatureExtractor()
    expected = extractor(
        clip,
        sampling_rate=SAMPLE_RATE,
        padding="do_not_pad",
        truncation=False,
        do_normalize=True,
        return_tensors="np",
    ).input_features[0]
    found = log_mel(clip)
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() < 1e-4


@pytest.mark.parametrize("samples", [HOP, 4_800, 16_001, 64_159])
def test_one_column_for_each_whole_hop(samples: int) -> None:
    """The model counts on 80 float32 bands and a frame every 10 ms."""
    found = log_mel(noise(5.0)[:samples])
    assert found.shape == (MEL_BANDS, samples // HOP)
    assert found.dtype == np.float32
    assert found.flags.c_contiguous


def test_loudness_does_not_matter() -> None:
    """A quiet line must not make a caller sound calmer."""
    clip = speech_like(1.0)
    assert np.allclose(log_mel(clip), log_mel(clip * np.float32(0.1)), atol=1e-3)


def test_silence_gives_numbers() -> None:
    """All zeros must not become NaN, which the classifier would have to explain."""
    assert np.isfinite(log_mel(np.zeros(8_000, np.float32))).all()


@pytest.mark.parametrize("shape", [(0,), (HOP - 1,), (2, 16_000)])
def test_what_is_no_clip_is_refused(shape: tuple[int, ...]) -> None:
    """Features of nothing, or of two channels at once, would be noise that looks like a result."""
    with pytest.raises(ValueError, match="mono audio"):
        log_mel(np.zeros(shape, np.float32))


@pytest.mark.parametrize("clip", CLIPS.values(), ids=CLIPS.keys())
def test_an_exported_model_computes_the_same(clip: Samples) -> None:
    """A front end that differed would give the encoder what training never showed it."""
    builder = GraphBuilder()
    front_end(builder, "features")
    model = finish(builder, {SAMPLES: ["samples"]}, {"features": [1, "frames", MEL_BANDS]})
    [found] = open_session(model.SerializeToString()).run(None, {SAMPLES: clip})
    expected = log_mel(clip)
    assert found[0].T.shape == expected.shape
    assert np.abs(found[0].T - expected).max() < 2e-3
