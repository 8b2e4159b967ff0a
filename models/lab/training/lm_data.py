"""Training data of audio language models: the clips of a manifest, and their order."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from ...audio.recording import read_audio
from ...errors import AudioError, UnreadableInputError
from ...readings import Samples
from ...voice import MIN_AUDIO_S
from ..datasets import TRAIN_SPLIT, Clip, read_manifest

MANIFEST = Path("speech") / "manifest.csv"
"""The list of labelled clips in a data folder."""


@dataclass(frozen=True, slots=True)
class Turns:
    """Labelled turns: for training, and held out (may be none)."""

    train: tuple[Clip, ...]
    held_out: tuple[Clip, ...]

    @property
    def sha256(self) -> str:
        """The hash of the training turns: names and labels."""
        rows = (f"{c.corpus}/{c.path.name} {c.negative} {c.soft_negative}" for c in self.train)
        return hashlib.sha256("\n".join(rows).encode()).hexdigest()

    @property
    def negative(self) -> NDArray[np.bool_]:
        """The labels of the training turns."""
        return np.array([bool(clip.negative) for clip in self.train])


def read_turns(data: Path) -> Turns:
    """Read the labelled turns of a data folder, and check each file's length.

    Raises:
        UnreadableInputError: the manifest cannot be used, or its train split lacks a class.
        AudioError: a turn's audio is missing or too short.
    """
    manifest = data / MANIFEST
    clips = read_manifest(manifest)
    train = tuple(clip for clip in clips if clip.split == TRAIN_SPLIT)
    for negative, name in ((True, "negative"), (False, "non-negative")):
        if not any(clip.negative is negative for clip in train):
            raise UnreadableInputError(manifest, f"has no {name} turns in its train split")
    for clip in clips:
        _check(clip.path)
    return Turns(train, tuple(clip for clip in clips if clip.split != TRAIN_SPLIT))


def _check(path: Path) -> None:
    try:
        duration_s = soundfile.info(path).duration
    except (OSError, soundfile.SoundFileError) as error:
        reason = "is not audio" if path.is_file() else "no such file"
        raise AudioError(path, reason) from error
    if duration_s < MIN_AUDIO_S:
        raise AudioError(path, f"{duration_s:.2f} s are too short")


def read_clips(clips: Sequence[Clip]) -> list[Samples]:
    """Read the audio of clips at 16 kHz. Raises AudioError."""
    return [read_audio(clip.path) for clip in clips]


def class_weights(negative: NDArray[np.bool_], others_per_negative: float | None) -> list[float]:
    """Return each turn's weight in the loss: equal class totals, or 1 if classes are sampled."""
    if others_per_negative is not None:
        return [1.0] * len(negative)
    share = float(negative.mean())
    return [0.5 / (share if is_negative else 1 - share) for is_negative in negative]


def epoch_batches(
    negative: NDArray[np.bool_],
    others_per_negative: float | None,
    *,
    batch: int,
    seed: int,
    epoch: int,
) -> list[list[int]]:
    """Return the indices of an epoch's turns in batches; deterministic per seed and epoch."""
    draw = np.random.default_rng([seed, epoch])
    chosen = np.arange(len(negative))
    if others_per_negative is not None:
        others = np.flatnonzero(~negative)
        wanted = min(len(others), math.ceil(others_per_negative * int(negative.sum())))
        taken = draw.choice(others, wanted, replace=False)
        chosen = np.concatenate([np.flatnonzero(negative), taken])
    order = draw.permutation(chosen)
    return [order[at : at + batch].tolist() for at in range(0, len(order), batch)]
