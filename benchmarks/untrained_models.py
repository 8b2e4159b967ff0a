"""Larger models built from their configurations, with random weights, to be timed.

Their answers mean nothing, but time and memory do not depend on the weights' values. Nothing is
downloaded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, cast

import torch
from torch import Tensor, nn
from transformers import (
    AutoModelForMultimodalLM,
    BertConfig,
    BertForSequenceClassification,
    Qwen2AudioConfig,
    WavLMConfig,
    WavLMModel,
    WhisperFeatureExtractor,
)
from transformers.initialization import no_init_weights

from pipecat_deescalate.models.lab.last_logits import last_logits
from pipecat_deescalate.models.readings import SAMPLE_RATE, Samples

TOKENS_PER_S = 3.75
"""Text tokens: 2.9 words per second, 1.3 tokens per word."""
PROMPT_TOKENS = 96
"""The prompt of an audio language model and its chat template, as long as `audio_lm.PROMPT`."""


class Architecture(Protocol):
    """A network that maps a turn at 16 kHz to one number."""

    network: nn.Module

    def __call__(self, turn: Samples) -> float:
        """One forward pass, features included."""


class BertText:
    """A BERT classifier of as many words as fit into a turn; ASR is not included."""

    def __init__(self, config: BertConfig) -> None:
        with no_init_weights():
            self.network = _filled(BertForSequenceClassification(config))

    def __call__(self, turn: Samples) -> float:
        """One forward pass over 4 tokens or more."""
        tokens = max(4, round(TOKENS_PER_S * len(turn) / SAMPLE_RATE))
        with torch.inference_mode():
            logits = self.network(input_ids=torch.arange(tokens)[None]).logits
        return float(logits[0].softmax(-1)[0])


class WavLmArousal:
    """WavLM under attentive statistics pooling and a regression, as the Odyssey 2024 baseline."""

    def __init__(self, config: WavLMConfig) -> None:
        with no_init_weights():
            self.network = _filled(_WavLmWithHead(config))

    def __call__(self, turn: Samples) -> float:
        """One forward pass over the waveform, its mean and deviation taken out."""
        wave = (turn - turn.mean()) / (turn.std() + 1e-6)
        with torch.inference_mode():
            return float(self.network(torch.from_numpy(wave)[None]))


class AudioLmAnswer:
    """A Qwen2-Audio architecture whose answer is read off one forward pass over audio and prompt.

    The audio is padded to 30 s for the encoder, as such models are trained; the language model
    reads 25 tokens a second of the turn itself.
    """

    def __init__(self, config: Qwen2AudioConfig, dtype: str) -> None:
        self._dtype = getattr(torch, dtype)
        self._audio_token = config.audio_token_index
        audio, text = cast(Any, config.audio_config), cast(Any, config.text_config)
        self._features = WhisperFeatureExtractor(  # type: ignore[no-untyped-call]  # theirs
            feature_size=audio.num_mel_bins, chunk_length=audio.max_source_positions // 50
        )
        with no_init_weights():
            network = AutoModelForMultimodalLM.from_config(  # type: ignore[no-untyped-call]  # theirs
                config, dtype=self._dtype
            )
        if text.tie_word_embeddings:
            network.lm_head.weight = network.get_input_embeddings().weight
        self.network = _filled(network)

    def __call__(self, turn: Samples) -> float:
        """Features and one forward pass, for the first token of the answer."""
        inputs = self._features(
            turn,
            sampling_rate=SAMPLE_RATE,
            padding="max_length",
            return_attention_mask=True,
            return_tensors="pt",
        )
        frames = int(inputs["attention_mask"].sum())
        audio = torch.full((_audio_tokens(frames),), self._audio_token)
        half = torch.arange(PROMPT_TOKENS // 2)
        with torch.inference_mode():
            logits = last_logits(
                self.network,
                1,
                input_ids=torch.cat([half, audio, half])[None],
                input_features=inputs["input_features"].to(self._dtype),
                feature_attention_mask=inputs["attention_mask"],
            )
        return float(logits[0, -1, :2].float().softmax(-1)[0])


class _WavLmWithHead(nn.Module):  # type: ignore[misc]  # no types without torch
    def __init__(self, config: WavLMConfig) -> None:
        super().__init__()
        self.wavlm = WavLMModel(config)
        width = config.hidden_size
        self.attention = nn.Sequential(nn.Linear(width, width), nn.Tanh(), nn.Linear(width, 1))
        self.regression = nn.Sequential(
            nn.Linear(2 * width, width), nn.LayerNorm(width), nn.ReLU(), nn.Linear(width, 1)
        )

    def forward(self, wave: Tensor) -> Tensor:
        """Arousal, shape (turns, 1), of waveforms (turns, samples)."""
        frames = self.wavlm(wave).last_hidden_state
        weights = self.attention(frames).softmax(1)
        mean = (weights * frames).sum(1)
        deviation = ((weights * frames.square()).sum(1) - mean.square()).clamp(min=1e-6).sqrt()
        arousal: Tensor = self.regression(torch.cat([mean, deviation], -1))
        return arousal


def parameters(architecture: Architecture) -> int:
    """The number of weights; shared ones count once."""
    return sum(weight.numel() for weight in architecture.network.parameters())


def use_threads(count: int) -> None:
    """Let forward passes use this many threads from now on."""
    torch.set_num_threads(count)


def _audio_tokens(frames: int) -> int:
    """How many tokens the encoder makes from mel frames: a convolution and a pooling, both by 2."""
    convolved = (frames - 1) // 2 + 1
    return (convolved - 2) // 2 + 1


def _filled(network: nn.Module) -> Any:
    """Give every weight a small random value.

    One block over and over: drawing billions takes minutes, and weights that are never written
    would take no memory.
    """
    block = 0.02 * torch.randn(1 << 20, generator=torch.Generator().manual_seed(0), device="cpu")
    with torch.no_grad():
        for weight in network.parameters():
            values = block.to(weight.dtype)
            for part in weight.view(-1).split(len(values)):
                part.copy_(values[: len(part)])
    return network.eval()


def _wavlm_large() -> WavLMConfig:
    """Chen et al. 2022, table 1; huggingface.co/microsoft/wavlm-large."""
    return WavLMConfig(
        hidden_size=1024,
        num_hidden_layers=24,
        num_attention_heads=16,
        intermediate_size=4096,
        feat_extract_norm="layer",
        do_stable_layer_norm=True,
    )


def _qwen2_audio(**text: Any) -> Qwen2AudioConfig:
    """The encoder is that of Whisper-large-v3, the defaults of transformers' configuration."""
    return Qwen2AudioConfig(
        audio_config={"model_type": "qwen2_audio_encoder"},
        text_config={"model_type": "qwen2", **text},
    )


def _aero() -> Qwen2AudioConfig:
    """That encoder and Qwen2.5-1.5B; huggingface.co/lmms-lab/Aero-1-Audio, Qwen/Qwen2.5-1.5B."""
    return _qwen2_audio(
        hidden_size=1536,
        intermediate_size=8960,
        num_hidden_layers=28,
        num_attention_heads=12,
        num_key_value_heads=2,
        vocab_size=151_936,
        tie_word_embeddings=True,
    )


def _qwen2_audio_7b() -> Qwen2AudioConfig:
    """huggingface.co/Qwen/Qwen2-Audio-7B."""
    return _qwen2_audio(
        hidden_size=4096,
        intermediate_size=11_008,
        num_hidden_layers=32,
        num_attention_heads=32,
        num_key_value_heads=32,
        vocab_size=156_032,
    )


ARCHITECTURES: Mapping[str, Callable[[], Architecture]] = {
    "bert-base": lambda: BertText(BertConfig()),
    "wavlm-large": lambda: WavLmArousal(_wavlm_large()),
    "aero-1-audio-fp32": lambda: AudioLmAnswer(_aero(), "float32"),
    "aero-1-audio": lambda: AudioLmAnswer(_aero(), "bfloat16"),
    "qwen2-audio-7b": lambda: AudioLmAnswer(_qwen2_audio_7b(), "bfloat16"),
}
"""Builders by name; BERT-base is transformers' default configuration (Devlin et al. 2019)."""
