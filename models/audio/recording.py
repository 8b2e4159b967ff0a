"""Recorded calls in, blocks of mono audio at one rate out; only a moment is held in memory.

Reads WAV (PCM of 8 to 32 bits, float, mu-law, A-law, and the block codecs libsndfile knows), FLAC,
Ogg/Opus, Ogg/Vorbis, MP3, AU, W64, AIFF, CAF and the bare samples of telephone systems, at 8 to
48 kHz; with PyAV installed also M4A, WebM, AMR, Speex, G.722 and others. What ends too early, or
is otherwise odd, is read as far as it goes, with a warning.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Self

import numpy as np
import soxr

from ..errors import AudioError, DeescalateError, SamplesError, shown
from ..logs import get_logger
from ..readings import Samples
from .memory_file import AudioFile
from .metering import ChannelMeter, LevelMeter
from .samples import MAX_LEVEL, check_sample_rate, limited
from .source import NO_AUDIO, AudioSource, open_source

_MISSING_S = 0.1
"""How much earlier than announced a file may end: MP3 headers count the encoder's padding."""

_log = get_logger("recording")


class CallerChannel(StrEnum):
    """Which channel of a stereo recording the caller is on."""

    LEFT = "left"
    RIGHT = "right"


class CallAudio:
    """An open recording, to be iterated once: blocks of mono float32, the last one shorter.

    `source_rate` and `channels` are the file's; `duration_s` is what it announces, None if it does
    not. `samples_read` (at `sample_rate`), `clipped_samples` and `is_silent` (of the caller's
    channel as recorded) count what was read so far and are final after the last block, as are the
    `warnings`: what is odd about the file. A silent recording is no error here: whoever iterates
    knows only at the end, and decides.

    Iterating raises AudioError when the rest of the file is damaged, or holds samples that are not
    numbers.
    """

    def __init__(
        self,
        path: AudioFile,
        source: AudioSource,
        caller_channel: CallerChannel | str | None,
        sample_rate: int,
        block: int,
    ) -> None:
        self.path = path
        self.source_rate: int = source.samplerate
        self.channels: int = source.channels
        self.sample_rate = sample_rate
        self.block_samples = block
        self.samples_read = 0
        self._source = source
        self._channel = _channel_index(path, source.channels, caller_channel)
        self._levels = LevelMeter(source.subtype)
        self._sides = ChannelMeter() if self.channels == 2 else None
        if caller_channel is not None and self.channels == 1:
            source.warnings.append(
                f"the recording is mono: the caller's channel ({caller_channel}) was not used, and "
                "every voice counts as the caller's"
            )
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
    def warnings(self) -> tuple[str, ...]:
        """What is odd about the file, as far as it was read."""
        return tuple(self._source.warnings)

    @property
    def is_silent(self) -> bool:
        """Whether only digital silence was read so far."""
        return self._levels.is_silent

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
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
            yield limited(stream.resample_chunk(piece))
        yield limited(stream.resample_chunk(np.zeros(0, dtype=np.float32), last=True))

    def _caller_samples(self) -> Iterator[Samples]:
        """The caller's channel at the source's rate, checked, counted, limited to [-1, 1]."""
        frames = 0
        for piece in self._source.blocks():
            samples = np.ascontiguousarray(piece[:, self._channel])
            self._check(samples, frames)
            self._levels.add(samples)
            if self._sides is not None:
                self._sides.add(piece)
            frames += len(samples)
            yield limited(samples)
        self._levels.finish()
        self._check_end(frames)

    def _check(self, samples: Samples, frames_before: int) -> None:
        for bad, what in (
            (~np.isfinite(samples), "a sample that is not a number (NaN or infinite)"),
            (np.abs(samples) > MAX_LEVEL, "a level far beyond full scale, which is 1"),
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
            self._source.warnings.append(
                f"cut off: it announces {self.duration_s:.2f} s of audio, the file holds "
                f"{frames / self.source_rate:.2f} s; read as far as it goes"
            )
        if self._sides is not None and self._sides.are_alike:
            self._source.warnings.append(
                "both channels hold the same audio: one was read, and where it holds bot and "
                "caller, the turns are of both"
            )


def open_call(
    path: str | AudioFile,
    *,
    caller_channel: CallerChannel | str | None = None,
    sample_rate: int = 16_000,
    block_ms: int = 100,
) -> CallAudio:
    """Open a recorded call; use it in a `with` statement and iterate over its blocks.

    `caller_channel` says which side of a stereo file is read; with a mono file it is a warning.

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
        return CallAudio(path, source, caller_channel, sample_rate, sample_rate * block_ms // 1000)
    except DeescalateError:
        source.close()
        raise


def read_audio(
    path: str | Path, *, caller_channel: CallerChannel | None = None, sample_rate: int = 16_000
) -> Samples:
    """Read a whole short recording; for long ones use `open_call`, whose memory does not grow.

    What is odd about the file is logged.

    Raises:
        AudioError: As `open_call`.
    """
    with open_call(path, caller_channel=caller_channel, sample_rate=sample_rate) as call:
        samples = np.concatenate(list(call))
    for warning in call.warnings:
        _log.warning("odd_recording", path=shown(call.path), warning=warning)
    return samples


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
