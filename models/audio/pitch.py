"""Pitch by YIN: A. de Cheveigné and H. Kawahara, J. Acoust. Soc. Am. 111(4), 2002."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..readings import Samples

MIN_HZ, MAX_HZ = 60.0, 500.0
HOP_S = 0.02
_WINDOW_S = 0.025
_THRESHOLD = 0.15
_QUIET_DB = 40.0
"""Frames this far below the loudest one have no pitch, whatever their period."""
_FRAMES_AT_ONCE = 128

_Floats = NDArray[np.float32]


def pitch_hz(samples: Samples, sample_rate: int) -> _Floats:
    """The pitch of each frame in Hz, one every `HOP_S`; NaN where nothing is periodic.

    Steps 2 to 5 of the paper: difference function, cumulative mean normalisation, absolute
    threshold, parabolic interpolation.
    """
    window, longest = round(_WINDOW_S * sample_rate), int(sample_rate / MIN_HZ) + 2
    shortest, hop = int(sample_rate / MAX_HZ), round(HOP_S * sample_rate)
    count = (samples.size - window - longest) // hop + 1
    if count < 1:
        return np.full(0, np.nan, np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(samples, window + longest)[::hop]
    power = np.square(frames[:, :window]).mean(axis=1)
    (loud,) = np.nonzero(power > power.max() * 10 ** (-_QUIET_DB / 10))
    found = np.full(count, np.nan, np.float32)
    for at in range(0, loud.size, _FRAMES_AT_ONCE):
        places = loud[at : at + _FRAMES_AT_ONCE]
        found[places] = sample_rate / _periods(frames[places], window, shortest, longest)
    return found


def _periods(frames: _Floats, window: int, shortest: int, longest: int) -> _Floats:
    """The period of each frame in samples; NaN without one."""
    normalised = _normalised_difference(frames, window, longest)
    below = normalised[:, shortest:-1] < _THRESHOLD
    found = below.any(axis=1)
    rows = np.arange(len(frames))
    lag = shortest + below.argmax(axis=1)
    while True:  # on to the bottom of the dip
        deeper = (lag < longest - 2) & (normalised[rows, lag + 1] < normalised[rows, lag])
        if not deeper.any():
            break
        lag = lag + deeper
    before, at, after = (normalised[rows, lag + step] for step in (-1, 0, 1))
    bend = before - 2 * at + after
    shift = np.where(bend > 0, (before - after) / np.where(bend > 0, 2 * bend, 1), 0)
    return np.where(found, lag + np.clip(shift, -1, 1), np.nan)


def _normalised_difference(frames: _Floats, window: int, longest: int) -> _Floats:
    """Equations 6 and 8: shape (frames, longest), 1 at lag 0."""
    size = 1 << (window + longest - 1).bit_length()  # no lag of interest wraps around
    spectrum = np.fft.rfft(frames, size)
    kernel = np.fft.rfft(frames[:, :window], size)
    product = np.fft.irfft(spectrum * kernel.conj(), size)[:, :longest]
    energy = np.cumsum(np.pad(np.square(frames), ((0, 0), (1, 0))), axis=1)
    moved = energy[:, window : window + longest] - energy[:, :longest]
    difference = np.maximum(moved[:, :1] + moved - 2 * product, 0)
    summed = np.cumsum(difference[:, 1:], axis=1)
    lags = np.arange(1, longest, dtype=np.float32)
    normalised: _Floats = np.ones_like(difference)
    np.divide(difference[:, 1:] * lags, summed, out=normalised[:, 1:], where=summed > 0)
    return normalised
