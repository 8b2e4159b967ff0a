"""Recordings in memory: the bytes of a file, or samples."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import numpy as np
import soundfile
from numpy.typing import NDArray

from ..errors import SamplesError


class MemoryFile:
    """The bytes of a recording, to be opened like a path; `str` of it is its name in errors."""

    def __init__(self, data: bytes, name: str) -> None:
        self.size = len(data)
        self.suffix = Path(name).suffix
        self._data = data
        self._name = name

    def __str__(self) -> str:
        return self._name

    def open(self, mode: str = "rb") -> BinaryIO:
        """A new file object over the same bytes; they are only read."""
        return BytesIO(self._data)


AudioFile: TypeAlias = Path | MemoryFile


def samples_file(samples: NDArray[Any], sample_rate: int, name: str) -> MemoryFile:
    """Samples as a WAV file: int16, float32 or float64, shape (samples,) or (samples, channels).

    Raises:
        SamplesError: Another type or shape, or a sample rate that is not a whole number of Hz.
    """
    samples = np.asarray(samples)
    if samples.ndim not in (1, 2) or (samples.ndim == 2 and samples.shape[1] not in (1, 2)):
        raise SamplesError(
            f"audio of shape {samples.shape}: (samples,) is needed, or (samples, channels) with "
            "1 or 2 channels"
        )
    if samples.dtype not in (np.int16, np.float32, np.float64):
        raise SamplesError(f"audio of type {samples.dtype}: int16, float32 or float64 is needed")
    if sample_rate != int(sample_rate) or sample_rate < 1:
        raise SamplesError(f"a sample rate of {sample_rate} Hz: a whole number is needed")
    file = BytesIO()
    subtype = "PCM_16" if samples.dtype == np.int16 else "FLOAT"
    soundfile.write(file, samples, int(sample_rate), subtype, format="WAV")
    return MemoryFile(file.getvalue(), name)
