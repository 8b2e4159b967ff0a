"""Larger architectures with random weights: they must be whole, and answer."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch", reason="the extra `hf` is not installed")
transformers = pytest.importorskip("transformers")

from benchmarks import isolated_timing, untrained_models  # noqa: E402 - torch
from benchmarks.untrained_models import (  # noqa: E402 - torch
    Architecture,
    AudioLmAnswer,
    BertText,
    WavLmArousal,
)


def tiny_bert() -> Architecture:
    return BertText(
        transformers.BertConfig(
            hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32
        )
    )


def tiny_wavlm() -> Architecture:
    return WavLmArousal(
        transformers.WavLMConfig(
            hidden_size=32,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=32,
            feat_extract_norm="layer",
            do_stable_layer_norm=True,
            num_conv_pos_embedding_groups=2,
        )
    )


def tiny_audio_lm(dtype: str = "bfloat16") -> Architecture:
    config = transformers.Qwen2AudioConfig(
        audio_config={
            "model_type": "qwen2_audio_encoder",
            "d_model": 32,
            "encoder_layers": 1,
            "encoder_attention_heads": 2,
            "encoder_ffn_dim": 32,
        },
        text_config={
            "model_type": "qwen2",
            "hidden_size": 32,
            "intermediate_size": 32,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "num_key_value_heads": 1,
            "tie_word_embeddings": True,
        },
    )
    return AudioLmAnswer(config, dtype)


@pytest.mark.parametrize("build", [tiny_bert, tiny_wavlm, tiny_audio_lm])
@pytest.mark.parametrize("turn_s", isolated_timing.LENGTHS_S)
def test_each_reads_turns_of_all_lengths(build, turn_s: float) -> None:
    """Inputs of a wrong shape, or a network that is not whole, would end the measurement."""
    assert math.isfinite(build()(isolated_timing.speech_like(turn_s)))


def test_an_audio_language_model_hears_the_turn() -> None:
    """Timing without the encoder, or with all its 30 s in the prompt, would be another model."""
    model = tiny_audio_lm()
    read = []
    network = model.network.model
    network.audio_tower.conv1.register_forward_hook(lambda *call: read.append(call[2].shape[-1]))
    network.language_model.layers[0].register_forward_hook(
        lambda *call: read.append(call[1][0].shape[1])
    )
    model(isolated_timing.speech_like(1.0))
    assert read == [3000, 25 + untrained_models.PROMPT_TOKENS]


@pytest.mark.parametrize(
    ("name", "millions"),
    [
        ("bert-base", 109.5),
        ("wavlm-large", 315.5 + 3.2),  # with the head
        ("aero-1-audio", 637.0 + 2.0 + 1543.7),  # Whisper's encoder, the projector, Qwen2.5-1.5B
        ("qwen2-audio-7b", 8397.1),
    ],
)
def test_the_configurations_have_the_published_sizes(name: str, millions: float) -> None:
    """A layer too few, or a head that is not shared, would be another architecture."""
    with torch.device("meta"):
        built = untrained_models.ARCHITECTURES[name]()
    assert untrained_models.parameters(built) / 1e6 == pytest.approx(millions, rel=0.001)


def test_weights_are_written() -> None:
    """Memory that nobody wrote to is not there, and would not count."""
    for weight in tiny_audio_lm().network.parameters():
        assert weight.isfinite().all()
        assert weight.std() > 0.01


def test_the_length_to_compare_is_measured_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow model must not spend its time on turns that no target speaks of."""
    monkeypatch.setattr(untrained_models, "ARCHITECTURES", {"tiny": tiny_bert})
    whole = isolated_timing.measure("tiny", threads=(1, 2), runs=2, budget_s=60)
    assert [row.turn_s for row in whole.times[:2]] == [4.0, 4.0]
    kinds = {(row.turn_s, row.threads) for row in whole.times}
    assert kinds == {
        (turn_s, threads) for turn_s in isolated_timing.LENGTHS_S for threads in (1, 2)
    }
    short = isolated_timing.measure("tiny", threads=(1, 2), runs=2, budget_s=0)
    assert [(row.turn_s, row.threads) for row in short.times] == [(4.0, 1)]
    assert short.parameters == untrained_models.parameters(tiny_bert())
    assert short.peak_memory_mb > 0
