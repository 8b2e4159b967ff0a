"""A corpus that a training run gets through in seconds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ..audio import speech_like, write_audio

pytest.importorskip("onnx", reason="the extra `train` is not installed")


def _clip(negative: bool, seed: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Something for a model to find: the negative clips are bright and hard at the edges."""
    clip = speech_like(0.8, seed=seed)
    return np.tanh(8 * clip).astype(np.float32) * np.float32(0.3) if negative else clip


@pytest.fixture(scope="session")
def tiny_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two corpora of four speakers, one that may not be trained on, a noise, calm turns."""
    data = tmp_path_factory.mktemp("data")
    lines = ["path,corpus,language,speaker,emotion,negative,duration_s,split"]
    for number, (corpus, split) in enumerate(
        [("first", "train"), ("second", "train"), ("held_back", "eval")]
    ):
        (data / "speech" / corpus).mkdir(parents=True)
        for index in range(8):
            negative = index % 2
            path = f"{corpus}/{index}.wav"
            clip = _clip(bool(negative), 10 * number + index)
            write_audio(data / "speech" / path, clip, 16_000, "pcm16.wav")
            lines.append(f"{path},{corpus},xx,s{index // 2},any,{negative},0.8,{split}")
    (data / "speech" / "manifest.csv").write_text("\n".join(lines))
    (data / "noise").mkdir()
    hiss = np.random.default_rng(5).standard_normal(16_000).astype(np.float32) * np.float32(0.1)
    write_audio(data / "noise" / "hiss.wav", hiss, 16_000, "pcm16.wav")
    (data / "unlabelled").mkdir()
    evaluated = data / "calls" / "getgoing"
    evaluated.mkdir(parents=True)
    (evaluated / "calls.csv").write_text("path,caller\nnone.wav,nobody\n")
    turns = ["path,call_id,caller,start_s,duration_s"]
    for index in range(3):
        write_audio(
            data / "unlabelled" / f"{index}.wav", _clip(False, 90 + index), 16_000, "pcm16.wav"
        )
        turns.append(f"{index}.wav,c,{index},0,0.8")
    (data / "unlabelled" / "manifest.csv").write_text("\n".join(turns))
    return data


@pytest.fixture(scope="session")
def teaching(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Turns in data/, a model in base/, and what a run made of both in out/, its steps in steps."""
    pytest.importorskip("peft", reason="the extra `distill` is not installed")
    from pipecat_deescalate.models.lab.training.lm_recipes import load_teacher_recipe  # noqa: PLC0415
    from pipecat_deescalate.models.lab.training.teacher import train_teacher  # noqa: PLC0415

    from .audio_lms import a_recipe, nothing, save_qwen2_audio, save_turns  # noqa: PLC0415

    folder = tmp_path_factory.mktemp("teaching")
    save_qwen2_audio(folder / "base", hidden=64)
    save_turns(folder / "data")
    recipe = load_teacher_recipe(a_recipe(folder, folder / "base"))
    train_teacher(recipe, folder / "data", folder / "out", nothing)
    return folder
