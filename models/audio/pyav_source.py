"""The second decoder, where it is installed: PyAV, for the formats that libsndfile cannot read.

It comes with the extra `demo`. It gets an open file and the name of the container, so that no
recording can make it open another file.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from ..errors import AudioError
from .memory_file import AudioFile

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame

_STATES_LENGTH = frozenset({"mov", "matroska", "caf"})
"""Containers that store a length; of the others FFmpeg guesses it from the bit rate."""
_FRAMES = 4_096


def is_installed() -> bool:
    """Whether PyAV can be imported."""
    return find_spec("av") is not None


class PyAvSource:
    """The first audio stream of a file; see `source.AudioSource`."""

    def __init__(self, path: AudioFile, file: BinaryIO, container: str, advice: str) -> None:
        import av  # noqa: PLC0415 - not in the core install, and slow to import

        self._path = path
        self._file = file
        self.warnings: list[str] = []
        self.subtype = ""
        file.seek(0)
        try:
            self._container = av.open(file, "r", container, metadata_errors="replace")
            if not self._container.streams.audio:
                raise AudioError(path, "holds no audio; name the recording itself")
            self._stream = self._container.streams.audio[0]
            codec = self._stream.codec_context
            if codec is None:
                raise LookupError("unknown codec")
            self.samplerate, self.channels = codec.sample_rate, codec.channels
        except (av.FFmpegError, ValueError, LookupError) as error:
            reason = getattr(error, "strerror", None) or error
            raise AudioError(path, f"cannot be read ({reason}); {advice}") from error
        self.promised = self._stated_frames() if container in _STATES_LENGTH else None

    def _stated_frames(self) -> int | None:
        stream = self._stream
        if stream.duration is None or stream.time_base is None:
            return None
        return int(stream.duration * stream.time_base * self.samplerate)

    def blocks(self) -> Iterator[NDArray[np.float32]]:
        """The audio, some thousand frames at a time."""
        import av  # noqa: PLC0415 - as above

        resampler = av.AudioResampler(
            format="fltp", layout=self._stream.codec_context.layout, rate=self.samplerate
        )
        waiting: list[NDArray[np.float32]] = []
        try:
            for frame in self._frames():
                waiting += [
                    cast("NDArray[np.float32]", one.to_ndarray().T)
                    for one in resampler.resample(frame)
                ]
                if sum(map(len, waiting)) >= _FRAMES:
                    yield np.concatenate(waiting)
                    waiting = []
            waiting += [
                cast("NDArray[np.float32]", one.to_ndarray().T) for one in resampler.resample(None)
            ]
        except ValueError as error:
            raise AudioError(self._path, f"changes its form on the way ({error})") from error
        if waiting:
            yield np.concatenate(waiting)

    def _frames(self) -> Iterator[AudioFrame]:
        """What can be decoded; silence for a packet that cannot, to keep the clock."""
        import av  # noqa: PLC0415 - as above

        lost, packets, latest = 0, self._container.demux(self._stream), None
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                break
            except av.FFmpegError:
                self.warnings.append("cut off or damaged; read as far as it goes")
                break
            try:
                for latest in packet.decode():
                    yield latest
            except av.FFmpegError:
                lost += 1
                if latest is not None:
                    yield _silence(latest)
        if lost:
            self.warnings.append(f"{lost} packets could not be decoded: silence is in their place")

    def close(self) -> None:
        """Close the file; more than once does no harm."""
        self._container.close()
        self._file.close()


def _silence(like: AudioFrame) -> AudioFrame:
    """A frame of the same form without sound."""
    from av.audio.frame import AudioFrame  # noqa: PLC0415 - as above

    frame = AudioFrame.from_ndarray(
        np.zeros_like(like.to_ndarray()), format=like.format.name, layout=like.layout.name
    )
    frame.sample_rate = like.sample_rate
    return frame
