"""How loud a recording is, what was clipped, and whether its channels are one: while it streams."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ..readings import Samples

_SILENCE_RANGE = 2.0**-11
"""The widest range of samples that still is silence: A-law has no zero, and its silence alternates
between -8 and 8 of 32,768."""
_FULL_SCALE = {
    "PCM_U8": 127 / 128,
    "ULAW": 32_124 / 32_768,
    "ALAW": 32_256 / 32_768,
}
_FULL_SCALE_16_BIT = 32_767 / 32_768


class LevelMeter:
    """Counters over one pass of samples, before they are resampled or limited to [-1, 1].

    A sample counts as clipped if it is beyond full scale, or at full scale beside another one that
    is. `subtype` is libsndfile's name of the sample format, which sets full scale.
    """

    def __init__(self, subtype: str = "PCM_16") -> None:
        self._full_scale = _FULL_SCALE.get(subtype, _FULL_SCALE_16_BIT)
        self._undecided = np.zeros(2, dtype=np.float32)
        self._low = np.inf
        self._high = -np.inf
        self.clipped_samples = 0

    @property
    def is_silent(self) -> bool:
        """Whether all samples so far are equal, give or take the smallest step of A-law.

        Constant bytes are silence whatever value they decode to (zeros in 8-bit PCM are -1).
        """
        return self._high - self._low <= _SILENCE_RANGE

    def add(self, samples: Samples) -> None:
        """Count finite samples, shape (samples,); the last one is decided by the next call."""
        if samples.size == 0:
            return
        low, high = float(samples.min()), float(samples.max())
        self._low, self._high = min(self._low, low), max(self._high, high)
        loudest = max(-low, high, float(self._undecided.max()))
        if loudest >= self._full_scale:
            self._count(np.concatenate((self._undecided, np.abs(samples))))
        self._undecided = np.abs(np.concatenate((self._undecided, samples[-2:]))[-2:])

    def finish(self) -> None:
        """Decide the last sample: nothing follows it."""
        self._count(np.concatenate((self._undecided, np.zeros(1, dtype=np.float32))))
        self._undecided = np.zeros(2, dtype=np.float32)

    def _count(self, magnitudes: Samples) -> None:
        full = magnitudes >= self._full_scale
        inner = magnitudes[1:-1]
        clipped = full[1:-1] & (full[:-2] | full[2:] | (inner > 1))
        self.clipped_samples += int(np.count_nonzero(clipped))


_SPECTRUM = 8_192
_LOWEST_BIN = 64
"""Below it is hum: 63 Hz at 8 kHz."""
_ALIKE = 0.9
_ALL_HEARD = 128
_THEN_EVERY = 16
"""A minute or so in full; of what follows a sample, for a long call costs enough as it is."""


class ChannelMeter:
    """Whether two channels hold the same audio, give or take a gain, a delay and a codec's noise.

    It sums the cross-spectrum over the whole recording: a caller and a bot who take turns have
    little in common at any delay, and copies almost everything at one.
    """

    def __init__(self) -> None:
        self._slices = 0
        self._cross = np.zeros(_SPECTRUM // 2 + 1, np.complex128)
        self._powers = np.zeros((2, _SPECTRUM // 2 + 1))

    def add(self, frames: NDArray[np.float32]) -> None:
        """Take the next audio, shape (frames, 2)."""
        for at in range(0, len(frames), _SPECTRUM // 2):
            self._slices += 1
            if self._slices > _ALL_HEARD and self._slices % _THEN_EVERY:
                continue
            spectra = np.fft.rfft(frames[at : at + _SPECTRUM // 2].T, _SPECTRUM)
            spectra[:, :_LOWEST_BIN] = 0
            self._cross += spectra[0] * spectra[1].conj()
            self._powers += np.abs(spectra) ** 2

    @property
    def are_alike(self) -> bool:
        """Whether what was added so far is one recording twice; silence is not."""
        left, right = (float(np.fft.irfft(power)[0]) for power in self._powers)
        if min(left, right) <= 0:
            return False
        common = float(np.abs(np.fft.irfft(self._cross)).max())
        return common > _ALIKE * math.sqrt(left * right)
