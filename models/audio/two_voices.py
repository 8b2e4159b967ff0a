"""Whether two people speak in the turns of what should be one caller's channel.

A turn's voice is its mean and spread of mel-frequency cepstral coefficients (S. Davis and P.
Mermelstein, IEEE Trans. ASSP 28(4), 1980) and its pitch, projected to where speakers differ most
against what varies within a call (Fisher's linear discriminant, `training.train_speakers`). The
turns are split in two by k-means; two speakers are those whose halves lie far apart.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..readings import Samples
from ..registry import WEIGHTS as _WEIGHTS
from ..registry import read_arrays
from .pitch import pitch_hz
from .samples import resample

WEIGHTS = _WEIGHTS / "speakers.npz"
DIMENSIONS = 8
MIN_TURN_S = 0.5
"""Shorter turns hold too little of a voice."""
MIN_TURNS, MIN_SHARE = 3, 0.2
"""The least that each of two speakers says: turns, and share of the speech."""
CONVERSATION_SHARE = 0.3
"""A caller alone with a bot seldom speaks for more of the call; two people nearly always do."""
APART = 3.5
"""The least distance of two speakers, in deviations within a call."""
TAKING_TURNS = 0.8
"""How often they take turns at least, of what is expected of halves in a random order: a caller
whose voice changes, in anger or with the line, changes once."""

_RATE, _WINDOW, _HOP = 8_000, 256, 80
_BANDS, _LOWEST_HZ, _HIGHEST_HZ = 24, 120.0, 3_600.0
_COEFFICIENTS = 20
_SPEECH_RANGE_DB = 25.0
_MIN_PITCHES = 8
_MOST_S = 4.0
"""A turn counts by its length, up to this; only so much of it is measured."""
_ROUNDS = 15

FEATURES = 2 * (_COEFFICIENTS - 1) + 2
_Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class TurnVoice:
    """How one turn's voice sounds, shape (DIMENSIONS,), and how long it was."""

    vector: _Floats
    seconds: float


def turn_voice(samples: Samples, sample_rate: int) -> TurnVoice | None:
    """The voice of a turn of mono audio; None if it is too short or has no pitch."""
    features = voice_features(samples[: round(_MOST_S * sample_rate)], sample_rate)
    if features is None:
        return None
    return TurnVoice(features @ _projection(), samples.size / sample_rate)


def voice_features(samples: Samples, sample_rate: int) -> _Floats | None:
    """What the projection is learnt on, shape (FEATURES,): of the frames that hold speech.

    Mean and deviation of each coefficient but the first, the logarithm of the median pitch, and
    the range between its quartiles.
    """
    if samples.size < MIN_TURN_S * sample_rate:
        return None
    audio = resample(samples, sample_rate, _RATE)
    frames = np.lib.stride_tricks.sliding_window_view(audio, _WINDOW)[::_HOP]
    power = np.square(np.abs(np.fft.rfft(frames * np.hamming(_WINDOW))))
    level = 10 * np.log10(power.sum(axis=1) + 1e-9)
    spoken = power[level > level.max() - _SPEECH_RANGE_DB]
    cepstra = np.log(spoken @ _mel_bands().T + 1e-7) @ _cosines().T
    pitches = pitch_hz(audio, _RATE)
    voiced = np.log(pitches[~np.isnan(pitches)])
    if voiced.size < _MIN_PITCHES:
        return None
    low, middle, high = np.percentile(voiced, [25, 50, 75])
    return np.concatenate([cepstra.mean(0)[1:], cepstra.std(0)[1:], [middle, high - low]])


def two_speakers(voices: Sequence[TurnVoice], speech_share: float) -> bool:
    """Whether these turns of one call are by two people, clearly.

    `speech_share` is the share of the call that its turns fill, of 1.
    """
    if len(voices) < 2 * MIN_TURNS or speech_share < CONVERSATION_SHARE:
        return False
    second, apart = _halves(
        np.array([voice.vector for voice in voices]),
        np.array([min(voice.seconds, _MOST_S) for voice in voices]),
    )
    changes = int((second[1:] != second[:-1]).sum())
    expected = 2 * float(second.sum() * (~second).sum()) / len(second)
    return apart > APART and changes >= TAKING_TURNS * expected


def _halves(turns: _Floats, weight: _Floats) -> tuple[NDArray[np.bool_], float]:
    """The turns of the second of the two halves that k-means finds, and how far they are apart.

    It starts once from either side of the mean in each dimension; the tightest split counts. The
    distance is 0 if there is none with enough in both halves.
    """
    best_spread, best = np.inf, (np.zeros(len(turns), np.bool_), 0.0)
    for side in (turns > np.average(turns, axis=0, weights=weight)).T:
        second = side
        for _ in range(_ROUNDS):
            if not MIN_TURNS <= second.sum() <= len(turns) - MIN_TURNS:
                break
            centres = [
                np.average(turns[half], axis=0, weights=weight[half]) for half in (~second, second)
            ]
            from_first, from_second = (np.square(turns - one).sum(axis=1) for one in centres)
            second = from_second < from_first
        else:
            share = weight[second].sum() / weight.sum()
            spread = float(np.average(np.minimum(from_first, from_second), weights=weight))
            if MIN_SHARE <= share <= 1 - MIN_SHARE and spread < best_spread:
                apart = float(np.linalg.norm(centres[1] - centres[0]))
                best_spread, best = spread, (second, apart)
    return best


@cache
def _projection(path: Path = WEIGHTS) -> _Floats:
    """Shape (FEATURES, DIMENSIONS); within one call each dimension has a deviation of 1."""
    projection: _Floats = read_arrays(path, {"projection": (FEATURES, DIMENSIONS)})["projection"]
    return projection


@cache
def _mel_bands() -> _Floats:
    """Triangular bands, equally wide in mel: shape (bands, bins)."""
    edges_mel = np.linspace(_mel(_LOWEST_HZ), _mel(_HIGHEST_HZ), _BANDS + 2)
    edges = 700 * np.expm1(edges_mel / 1127)
    bins = np.arange(_WINDOW // 2 + 1) * _RATE / _WINDOW
    rising = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    bands: _Floats = np.maximum(0, np.minimum(rising, falling))
    return bands


def _mel(hz: float) -> float:
    return 1127 * math.log1p(hz / 700)


@cache
def _cosines() -> _Floats:
    order = np.arange(_COEFFICIENTS)[:, None]
    return np.cos(np.pi * order * (np.arange(_BANDS) + 0.5) / _BANDS)
