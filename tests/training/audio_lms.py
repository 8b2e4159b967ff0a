"""Tiny random audio language models of the Qwen2-Audio kind, and calls that they can learn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from pipecat_deescalate.models.readings import Samples

from ..audio import speech_like, write_audio

torch = pytest.importorskip("torch", reason="the extra `hf` is not installed")
transformers = pytest.importorskip("transformers")

from pipecat_deescalate.models.lab.audio_lm import PROMPT  # noqa: E402 - torch

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|AUDIO|>"]
SPECIAL += ["<|audio_bos|>", "<|audio_eos|>"]
LINE = f"{PROMPT} system user assistant You are a helpful assistant. Audio 1:"
OTHER_LINE = "negative non non- negative. Some other words, and how they are put together"


def save_qwen2_audio(folder: Path, *, words: str = LINE, seed: int = 0, hidden: int = 32) -> Path:
    """Write a model whose tokenizer was trained on some words; other words, other vocabulary."""
    processor = _processor(words)
    processor.save_pretrained(folder)
    torch.manual_seed(seed)
    audio = transformers.Qwen2AudioEncoderConfig(
        num_mel_bins=16,
        encoder_layers=1,
        encoder_attention_heads=2,
        encoder_ffn_dim=32,
        d_model=32,
        max_source_positions=100,
    )
    text = transformers.Qwen2Config(
        vocab_size=len(processor.tokenizer),
        hidden_size=hidden,
        intermediate_size=2 * hidden,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=2,
        pad_token_id=processor.tokenizer.pad_token_id,
    )
    config = transformers.Qwen2AudioConfig(
        audio_config=audio.to_dict(),
        text_config=text.to_dict(),
        audio_token_index=processor.tokenizer.convert_tokens_to_ids("<|AUDIO|>"),
    )
    model = transformers.Qwen2AudioForConditionalGeneration(config)
    with torch.no_grad():  # as small as they are drawn, the audio would change next to nothing
        for name, weight in model.named_parameters():
            if weight.ndim == 2 and "audio_tower" not in name:
                weight.mul_(5)
    model.save_pretrained(folder)
    return folder


def _processor(words: str) -> object:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers  # noqa: PLC0415

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([words] * 9, trainer)
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<|im_end|>",  # noqa: S106 - a token of text
        pad_token="<|endoftext|>",  # noqa: S106 - a token of text
        additional_special_tokens=SPECIAL[1:],
    )
    features = transformers.WhisperFeatureExtractor(feature_size=16, chunk_length=2)
    return transformers.Qwen2AudioProcessor(feature_extractor=features, tokenizer=fast)


def a_turn(*, negative: bool, seed: int) -> Samples:
    """A turn that a tiny model can tell: the negative ones are loud and bright."""
    seconds = 0.6 + 0.1 * (seed % 4)
    clip = speech_like(seconds, level=0.3 if negative else 0.05, seed=seed)
    return np.tanh(8 * clip).astype(np.float32) * np.float32(0.5) if negative else clip


def save_turns(data: Path, *, train: int = 16, held_out: int = 8) -> Path:
    """Write a folder of data with labelled turns, every third of them negative."""
    (data / "speech" / "calls").mkdir(parents=True)
    lines = ["path,corpus,language,speaker,emotion,negative,duration_s,split"]
    for index in range(train + held_out):
        negative = index % 3 == 0
        write_audio(
            data / "speech" / "calls" / f"{index}.wav",
            a_turn(negative=negative, seed=index),
            16_000,
            "pcm16.wav",
        )
        split = "train" if index < train else "eval"
        lines.append(f"calls/{index}.wav,calls,en,c{index},any,{negative:d},0.8,{split}")
    (data / "speech" / "manifest.csv").write_text("\n".join([*lines, ""]))
    return data


def a_recipe(folder: Path, model: Path, *, uld_weight: float | None = None, **changes: Any) -> Path:
    """Write a recipe under which a tiny model learns in seconds; `changes` are of its schedule."""
    schedule = {
        "epochs": 6,
        "batch": 4,
        "accumulate": 1,
        "learning_rate": 0.01,
        "warmup": 0.05,
        "weight_decay": 0.0,
        "clip_norm": 1.0,
        "checkpoint_every": 5,
    }
    recipe: dict[str, Any] = {
        "model": str(model),
        "seed": 0,
        "precision": "float32",
        "recompute": False,
        "lora": {
            "rank": 8,
            "alpha": 16,
            "dropout": 0.1,
            "targets": r".*language_model.*\.(q|k|v|o|gate|up|down)_proj",
        },
        "schedule": schedule | changes,
    }
    if uld_weight is not None:
        recipe["uld_weight"] = uld_weight
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe))
    return path


def nothing(*_: object) -> None:
    """Takes progress and tells nobody."""
