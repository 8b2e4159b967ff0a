"""Recorded calls in, blocks of mono audio at one rate out; only a moment is decoded at a time.

Reads WAV (PCM of 8 to 32 bits, float, mu-law, A-law, and the block codecs libsndfile knows), FLAC,
Ogg/Opus, Ogg/Vorbis and MP3, at 8 to 48 kHz. A WAV, FLAC or MP3 file that ends too early is
refused; an Ogg stream announces no length, so it is read as far as it goes.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from ..errors import AudioError, DeescalateError, SamplesError
from ..readings import Samples
from .in_memory import AudioFile
from .metering import LevelMeter
from .source import MAX_SAMPLE_RATE, MIN_SAMPLE_RATE, NO_AUDIO, ForwardFile, one_line, open_source

AUDIO = frozenset({".flac", ".mp3", ".oga", ".ogg", ".opus", ".wav"})
"""File extensions of recordings, in lower case."""

_CHUNK_FRAMES = 16_384
_MAX_LEVEL = 128.0
"""Float audio beyond this was not clipped but has another scale, such as that of int16."""
_MISSING_S = 0.1
"""How much earlier than announced a file may end: MP3 headers count the encoder's padding."""


class CallerChannel(StrEnum):
    """Which channel of a stereo recording the caller is on."""

    LEFT = "left"
    RIGHT = "right"


class CallAudio:
    """An open recording, to be iterated once: blocks of mono float32, the last one shorter.

    `source_rate` and `channels` are the file's; `duration_s` is what it announces, or None.
    `samples_read` (at `sample_rate`), `clipped_samples` and `is_silent` (of the caller's channel as
    recorded) cover what was read so far; they are final after the last block. A silent recording
    raises no error here, since it is known only at the end: whoever iterates decides.

    Iterating raises AudioError when the rest of the file turns out to be damaged, to end too
    early, or to hold samples that are no numbers.
    """

    def __init__(
        self, path: AudioFile, source: ForwardFile, channel: int, sample_rate: int, block: int
    ) -> None:
        self.path = path
        self.source_rate: int = source.samplerate
        self.channels: int = source.channels
        self.sample_rate = sample_rate
        self.block_samples = block
        self.samples_read = 0
        self._source = source
        self._channel = channel
        self._levels = LevelMeter(source.subtype)
        self._started = False

    @property
    def duration_s(self) -> float | None:
        """The length that the file announces, in seconds; None if it announces none."""
        return None if self._source.promised is None else self._source.promised / self.source_rate

    @property
    def clipped_samples(self) -> int:
        """Samples so far, at the source's rate, beyond full scale or in a run at full scale."""
        return self._levels.clipped_samples

    @property
    def is_silent(self) -> bool:
        """Whether only digital silence was read so far."""
        return self._levels.is_silent

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; more than once does no harm."""
        self._source.close()

    def __iter__(self) -> Iterator[Samples]:
        if self._started:
            raise RuntimeError("a recording is read once; open it again")
        self._started = True
        return self._blocks()

    def _blocks(self) -> Iterator[Samples]:
        rest = np.zeros(0, dtype=np.float32)
        for piece in self._resampled():
            rest = np.concatenate((rest, piece)) if rest.size else piece
            whole = rest.size - rest.size % self.block_samples
            for at in range(0, whole, self.block_samples):
                self.samples_read += self.block_samples
                yield rest[at : at + self.block_samples]
            rest = rest[whole:]
        if rest.size:
            self.samples_read += rest.size
            yield rest

    def _resampled(self) -> Iterator[Samples]:
        if self.source_rate == self.sample_rate:
            yield from self._caller_samples()
            return
        stream = soxr.ResampleStream(self.source_rate, self.sample_rate, 1, dtype="float32")
        for piece in self._caller_samples():
            yield _limited(stream.resample_chunk(piece))
        yield _limited(stream.resample_chunk(np.zeros(0, dtype=np.float32), last=True))

    def _caller_samples(self) -> Iterator[Samples]:
        """The caller's channel at the source's rate, checked, counted, limited to [-1, 1]."""
        frames = 0
        while True:
            try:
                piece = self._source.read(_CHUNK_FRAMES, dtype="float32", always_2d=True)
            except soundfile.LibsndfileError as error:
                at_s = frames / self.source_rate
                raise AudioError(
                    self.path,
                    f"is damaged or cut off near {at_s:.1f} s ({one_line(error)}); copy it again",
                ) from error
            if not len(piece):
                break
            samples = np.ascontiguousarray(piece[:, self._channel])
            self._check(samples, frames)
            self._levels.add(samples)
            frames += len(samples)
            yield _limited(samples)
        self._levels.finish()
        self._check_end(frames)

    def _check(self, samples: Samples, frames_before: int) -> None:
        for bad, what in (
            (~np.isfinite(samples), "a sample that is not a number (NaN or infinite)"),
            (np.abs(samples) > _MAX_LEVEL, "a level far beyond full scale, which is 1"),
        ):
            if bad.any():
                at_s = (frames_before + int(bad.argmax())) / self.source_rate
                raise AudioError(
                    self.path, f"has {what} at {at_s:.3f} s; write it again as 16-bit PCM"
                )

    def _check_end(self, frames: int) -> None:
        if frames == 0:
            raise AudioError(self.path, NO_AUDIO)
        missing = 0 if self._source.promised is None else self._source.promised - frames
        if missing > _MISSING_S * self.source_rate:
            raise AudioError(
                self.path,
                f"is cut off: it announces {self.duration_s:.2f} s of audio, the file holds "
                f"{frames / self.source_rate:.2f} s; copy it again",
            )


def open_call(
    path: str | AudioFile,
    *,
    caller_channel: CallerChannel | str | None = None,
    sample_rate: int = 16_000,
    block_ms: int = 100,
) -> CallAudio:
    """Open a recorded call; use it in a `with` statement and iterate over its blocks.

    `caller_channel` says which side of a stereo file is read; it does not matter for a mono file.

    Raises:
        AudioError: The file cannot be read as speech; the reason says what to do about it.
        SamplesError: `sample_rate` is not from 8,000 to 48,000, `block_ms` is not positive, or
            `caller_channel` is neither "left" nor "right".
    """
    check_sample_rate(sample_rate)
    if block_ms < 1:
        raise SamplesError(f"a block of {block_ms} ms: at least 1 ms is needed")
    if isinstance(path, str):
        path = Path(path)
    source = open_source(path)
    try:
        channel = _channel_index(path, source.channels, caller_channel)
    except DeescalateError:
        source.close()
        raise
    return CallAudio(path, source, channel, sample_rate, sample_rate * block_ms // 1000)


def read_audio(
    path: str | Path, *, caller_channel: CallerChannel | None = None, sample_rate: int = 16_000
) -> Samples:
    """Read a whole short recording; for long ones use `open_call`, which takes no more memory.

    Raises:
        AudioError: As `open_call`.
    """
    with open_call(path, caller_channel=caller_channel, sample_rate=sample_rate) as call:
        return np.concatenate(list(call))


def to_mono_float32(audio: NDArray[Any]) -> Samples:
    """Convert int16, float32 or float64 audio, shape (samples,) or (samples, 1), to mono float32.

    Integers are divided by 32,768; floats beyond full scale are limited to [-1, 1].

    Raises:
        SamplesError: Another type, shape or scale, or samples that are no numbers.
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
    if (np.abs(audio) > _MAX_LEVEL).any():
        raise SamplesError("audio far beyond full scale: floats must be in [-1, 1]")
    return _limited(audio.astype(np.float32, copy=False))


def resample(samples: Samples, from_rate: int, to_rate: int) -> Samples:
    """Resample mono float32 audio; n samples become n * to_rate / from_rate, halves rounded up.

    Raises:
        SamplesError: A rate is not from 8,000 to 48,000 Hz.
    """
    check_sample_rate(from_rate)
    check_sample_rate(to_rate)
    if from_rate == to_rate or samples.size == 0:
        return samples
    return _limited(soxr.resample(samples, from_rate, to_rate))


def check_sample_rate(sample_rate: int) -> None:
    """Raise SamplesError unless a rate is one that this library works at."""
    if not MIN_SAMPLE_RATE <= sample_rate <= MAX_SAMPLE_RATE or sample_rate != int(sample_rate):
        raise SamplesError(
            f"a sample rate of {sample_rate} Hz: {MIN_SAMPLE_RATE} to {MAX_SAMPLE_RATE} can be used"
        )


def _limited(samples: Samples) -> Samples:
    return np.clip(samples, -1, 1)


def _channel_index(
    path: AudioFile, channels: int, caller_channel: CallerChannel | str | None
) -> int:
    if caller_channel not in (None, *CallerChannel):
        raise SamplesError(f'caller_channel={caller_channel!r}: it must be "left" or "right"')
    if channels == 1:
        return 0
    if caller_channel is None:
        raise AudioError(
            path,
            'is stereo; say which side the caller is on with caller_channel="left" or "right", '
            "or convert it to mono, the caller alone",
        )
    return 0 if caller_channel == CallerChannel.LEFT else 1
