"""Samples in memory: mono, float32, at a rate that the models take."""

from __future__ import annotations

from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray

from ..errors import SamplesError
from ..readings import Samples

MIN_SAMPLE_RATE, MAX_SAMPLE_RATE = 8_000, 48_000
MAX_LEVEL = 128.0
"""Float audio beyond this is not clipped but on another scale, such as that of int16."""


def to_mono_float32(audio: NDArray[Any]) -> Samples:
    """Convert int16, float32 or float64 audio, shape (samples,) or (samples, 1), to mono float32.

    Integers are divided by 32,768; floats beyond full scale are limited to [-1, 1].

    Raises:
        SamplesError: Another type, shape or scale, or samples that are not numbers.
    """
    audio = np.asarray(audio)
    if audio.ndim == 2 and audio.shape[1] == 1:
        audio = audio[:, 0]
    if audio.ndim != 1:
        raise SamplesError(f"audio of shape {audio.shape}: mono is needed, shape (samples,)")
    if audio.dtype == np.int16:
        return audio.astype(np.float32) / np.float32(32_768)
    if audio.dtype not in (np.float32, np.float64):
        raise SamplesError(f"audio of type {audio.dtype}: int16, float32 or float64 is needed")
    if not np.isfinite(audio).all():
        raise SamplesError("audio with samples that are not numbers (NaN or infinite)")
    if (np.abs(audio) > MAX_LEVEL).any():
        raise SamplesError("audio far beyond full scale: floats must be in [-1, 1]")
    return limited(audio.astype(np.float32, copy=False))


def resample(samples: Samples, from_rate: int, to_rate: int) -> Samples:
    """Resample mono float32 audio; n samples become n * to_rate / from_rate, halves rounded up.

    Raises:
        SamplesError: A rate is not from 8,000 to 48,000 Hz.
    """
    check_sample_rate(from_rate)
    check_sample_rate(to_rate)
    if from_rate == to_rate or samples.size == 0:
        return samples
    return limited(soxr.resample(samples, from_rate, to_rate))


def check_sample_rate(sample_rate: int) -> None:
    """Raise SamplesError for a sample rate that this library does not support."""
    if not MIN_SAMPLE_RATE <= sample_rate <= MAX_SAMPLE_RATE or sample_rate != int(sample_rate):
        raise SamplesError(
            f"a sample rate of {sample_rate} Hz: {MIN_SAMPLE_RATE} to {MAX_SAMPLE_RATE} can be used"
        )


def limited(samples: Samples) -> Samples:
    """Clip to full scale."""
    return np.clip(samples, -1, 1)
