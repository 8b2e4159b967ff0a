"""Log-mel features of one turn, in numpy.

Training uses this definition; an exported model computes the same in its graph (`front_end.py`).

The features equal those of Hugging Face's `WhisperFeatureExtractor` with `do_normalize=True` on a
clip without padding: zero mean and unit variance over the clip, a periodic Hann window of 25 ms
every 10 ms, 80 Slaney-scaled mel bands, log10, a floor 8 decades below the clip's loudest band, and
an affine map to about [-1, 1] (Radford et al., 2022, section 2.2).
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from ...readings import SAMPLE_RATE, Samples

HOP = 160
MEL_BANDS = 80
WINDOW = 400
FLOOR = 1e-10
VARIANCE_FLOOR = 1e-7
DECADES = 8.0
# Frames per block. 16 x 201 bins x 80 bands stay below the 2**18 multiplications at which OpenBLAS
# starts a second thread, and the arrays are small enough for the allocator to reuse warm memory.
_BLOCK = 16


def log_mel(samples: Samples) -> NDArray[np.float32]:
    """Return the features of a whole clip.

    Takes mono audio at 16 kHz of any scale; returns shape (80, samples // 160). Raises ValueError
    for audio that is not one-dimensional or has less than one frame (10 ms).
    """
    if samples.ndim != 1 or samples.size < HOP:
        raise ValueError(
            f"expected mono audio of at least {HOP} samples, got shape {samples.shape}"
        )
    clip = samples.astype(np.float32, copy=False)
    clip = (clip - clip.mean()) / np.sqrt(clip.var() + np.float32(VARIANCE_FLOOR))
    bands = np.maximum(_band_energy(clip), np.float32(FLOOR))
    decades = np.log10(bands, out=bands)
    np.maximum(decades, decades.max() - np.float32(DECADES), out=decades)
    return np.ascontiguousarray((decades.T + np.float32(4.0)) * np.float32(0.25))


def _band_energy(clip: Samples) -> NDArray[np.float32]:
    """Return the energy in each mel band, shape (frames, 80)."""
    # numpy transforms float64 several times faster than float32, and more exactly.
    padded = np.pad(clip.astype(np.float64), WINDOW // 2, mode="reflect")
    windows = sliding_window_view(padded, WINDOW)[::HOP][: clip.size // HOP]
    energy = np.empty((len(windows), MEL_BANDS), np.float32)
    for start in range(0, len(windows), _BLOCK):
        block = slice(start, start + _BLOCK)
        spectrum = np.fft.rfft(windows[block] * HANN)
        power = np.square(spectrum.real) + np.square(spectrum.imag)
        np.matmul(power.astype(np.float32), MEL_FILTERS, out=energy[block])
    return energy


def _hertz_from_mel(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    """Slaney's scale: 15 mel per kHz up to 1 kHz, then 27 mel for each factor of 6.4."""
    return np.where(mel < 15, mel * 200 / 3, 1000 * 6.4 ** ((mel - 15) / 27))


def _mel_filters() -> NDArray[np.float32]:
    """Return triangular filters of equal area, shape (201 bins, 80 bands)."""
    top = 15 + 27 * np.log(SAMPLE_RATE / 2 / 1000) / np.log(6.4)
    corners = _hertz_from_mel(np.linspace(0, top, MEL_BANDS + 2))
    bins = np.linspace(0, SAMPLE_RATE / 2, WINDOW // 2 + 1)[:, None]
    low, centre, high = corners[:-2], corners[1:-1], corners[2:]
    triangles = np.minimum((bins - low) / (centre - low), (high - bins) / (high - centre))
    area = 2 / (high - low)
    return (np.maximum(triangles, 0) * area).astype(np.float32)


HANN = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)
MEL_FILTERS = _mel_filters()
