"""Opens a recording, and refuses what it can before the first sample is read."""

from __future__ import annotations

import math
import stat
from collections.abc import Iterator
from contextlib import ExitStack
from typing import BinaryIO, Protocol

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from ..errors import AudioError
from .byte_view import ByteView, Part, Plan
from .formats import UNKNOWN_RATE, demuxer, headerless, id3_bytes, is_text
from .memory_file import AudioFile, MemoryFile
from .pyav_source import PyAvSource, is_installed
from .samples import MAX_SAMPLE_RATE, MIN_SAMPLE_RATE
from .streams import mp3_frame, plan_flac, plan_mp3, plan_ogg
from .wav import MPEG_TAGS, announced_share, read_wav

_FORMATS = ("WAV", "WAVEX", "RF64", "FLAC", "OGG", "MP3", "AU", "W64", "AIFF", "CAF", "RAW")
NO_AUDIO = "holds no audio (0 s); record or copy it again"
_CHUNK_FRAMES, _FLAC_CHUNK_FRAMES = 16_384, 4_096
"""A FLAC decoder that fails at the end of a file loses a chunk."""
_BUFFER = 16_384
"""How near the end of a file a decoder that gives up has read all of it."""
_HEAD = 512


class AudioSource(Protocol):
    """A decoder at work: `warnings` and `promised` (frames, None if not known) grow as it reads."""

    samplerate: int
    channels: int
    subtype: str
    promised: int | None
    warnings: list[str]

    def blocks(self) -> Iterator[NDArray[np.float32]]:
        """The audio, shape (frames, channels), once."""

    def close(self) -> None:
        """Close the file; more than once does no harm."""


class ForwardFile(soundfile.SoundFile):  # type: ignore[misc]  # soundfile ships no types
    """A file read from front to back.

    soundfile seeks after every read of a seekable file, which makes libsndfile's MP3 decoder lose
    the bits that it carries from frame to frame: noise at each seam.
    """

    def seekable(self) -> bool:
        """Say no, which is what stops soundfile from seeking."""
        return False


class SoundFileSource:
    """The parts of a file, one after another, through libsndfile."""

    def __init__(self, path: AudioFile, file: BinaryIO, plan: Plan) -> None:
        self._path = path
        self._file = file
        self._parts = plan.parts
        self.warnings = list(plan.warnings)
        rates, channels, seconds = set(), set(), 0.0
        for part in plan.parts:
            with self._open(part)[1] as found:
                if found.format not in _FORMATS:
                    raise AudioError(path, f"is {found.format}; {CONVERT}")
                rates.add(found.samplerate)
                channels.add(found.channels)
                frames = part.frames(found.frames)
                seconds += math.nan if frames is None else frames / found.samplerate
                self.subtype: str = found.subtype
        if len(channels) > 1:
            raise AudioError(path, f"joins mono and stereo recordings; {CONVERT}")
        if len(rates) > 1:
            self.warnings.append(f"the parts have different rates: {sorted(rates)} Hz")
        self.samplerate, self.channels = max(rates), channels.pop()
        self.promised = None if math.isnan(seconds) else round(seconds * self.samplerate)

    def _open(self, part: Part) -> tuple[ByteView, ForwardFile]:
        view = ByteView(self._file, part.pieces)
        return view, ForwardFile(view, **(part.headerless or {}))

    def blocks(self) -> Iterator[NDArray[np.float32]]:
        """The audio of all parts, at the highest of their rates."""
        done_s = 0.0
        for part in self._parts:
            view, file = self._open(part)
            frames, is_other = 0, file.samplerate != self.samplerate
            stream = soxr.ResampleStream(
                file.samplerate, self.samplerate, self.channels, dtype="float32"
            )
            with file:
                while len(piece := self._read(view, file, done_s + frames / file.samplerate)):
                    frames += len(piece)
                    yield stream.resample_chunk(piece) if is_other else piece
                if is_other:
                    yield stream.resample_chunk(piece, last=True)
                done_s += frames / file.samplerate
            if part.block_frames and frames and frames % part.block_frames == 0:
                self.warnings.append(
                    "the FLAC file states no length and ends with a whole block: it may be cut off"
                )

    def _read(self, view: ByteView, file: ForwardFile, at_s: float) -> NDArray[np.float32]:
        try:
            frames = _FLAC_CHUNK_FRAMES if file.format == "FLAC" else _CHUNK_FRAMES
            piece: NDArray[np.float32] = file.read(frames, dtype="float32", always_2d=True)
        except soundfile.LibsndfileError as error:
            if view.size - view.tell() > _BUFFER:
                raise AudioError(
                    self._path, f"is damaged near {at_s:.1f} s ({one_line(error)}); copy it again"
                ) from error
            self.warnings.append(f"cut off or damaged near {at_s:.1f} s; read as far as it goes")
            piece = np.zeros((0, self.channels), np.float32)
        if view.failure is not None:
            raise AudioError(self._path, os_reason(view.failure)) from view.failure
        return piece

    def close(self) -> None:
        """Close the file; more than once does no harm."""
        self._file.close()


CONVERT = "convert it with ffmpeg -i IN OUT.wav"
_INSTALL = 'pip install "pipecat-deescalate[demo]"'
_READABLE = "WAV, FLAC, Ogg, MP3, AU, W64, AIFF or CAF"


def open_source(path: AudioFile) -> AudioSource:
    """Open a recording of one or two channels and 8 to 48 kHz.

    Raises:
        AudioError: It is not one; the reason says what to do about it.
    """
    with ExitStack() as undo:
        try:
            size = _check_file(path)
            file = undo.enter_context(path.open("rb"))
            source = _open(path, file, size)
        except (OSError, ValueError) as error:  # such as a name with a zero byte
            raise AudioError(path, os_reason(error)) from error
        _check_form(path, source.samplerate, source.channels)
        if source.promised == 0:
            raise AudioError(path, NO_AUDIO)
        undo.pop_all()
    return source


def _check_file(path: AudioFile) -> int:
    """Refuse what cannot hold a recording; return the file's size in bytes."""
    if isinstance(path, MemoryFile):
        size = path.size
    else:
        status = path.stat()
        size = status.st_size
        if stat.S_ISDIR(status.st_mode):
            next(path.iterdir(), None)  # one that may not be read says so
            raise AudioError(path, "is a directory; name the recordings in it")
        if not stat.S_ISREG(status.st_mode):
            raise AudioError(path, "is a pipe or device; save the recording to a file first")
    if size == 0:
        raise AudioError(path, "is empty (0 bytes); record or copy it again")
    return size


def _open(path: AudioFile, file: BinaryIO, size: int) -> AudioSource:
    """Open it with libsndfile, else with PyAV where that is installed."""
    head, suffix = file.read(_HEAD), path.suffix.lower()
    if is_text(head) and not head.startswith((b"RIFF", b"RIFX", b"RF64")):
        raise AudioError(path, "holds text, not audio; name the recording itself")
    try:
        return SoundFileSource(path, file, _plan(path, file, size, head))
    except soundfile.LibsndfileError as error:
        name = demuxer(suffix, head)
        if name is not None and is_installed():
            return PyAvSource(path, file, name, CONVERT)
        raise AudioError(path, _unknown_format(suffix, name, error)) from error


def _unknown_format(suffix: str, container: str | None, error: Exception) -> str:
    if container is not None:
        return f"is in a format that takes PyAV to read: {_INSTALL}, or {CONVERT}"
    if suffix in UNKNOWN_RATE:
        return (
            "has no header with its sample rate; if it is 16-bit PCM at 8000 Hz, convert it with "
            "ffmpeg -f s16le -ar 8000 -ac 1 -i IN OUT.wav"
        )
    detail = one_line(error).rsplit(": ", 1)[-1]
    return f"cannot be read as {_READABLE} ({detail or 'unknown format'}); {CONVERT}"


def _plan(path: AudioFile, file: BinaryIO, size: int, head: bytes) -> Plan:
    """Which bytes libsndfile is given, and as what."""
    wav = read_wav(path, file, size)
    if wav is not None and wav.tag in MPEG_TAGS:
        mp3 = plan_mp3(file, wav.audio[0])
        note = "a WAV file with MP3 inside; read as MP3"
        return wav.plan() if mp3 is None else Plan(mp3.parts, (note, *mp3.warnings))
    if wav is not None:
        _check_form(path, wav.rate, wav.channels)
        return wav.plan()
    return _stream_plan(path.suffix.lower(), file, size, head) or _bare_plan(
        path.suffix.lower(), file, size, head
    )


def _stream_plan(suffix: str, file: BinaryIO, size: int, head: bytes) -> Plan | None:
    """The recordings in an Ogg, FLAC or MP3 file; None if it is none of them."""
    if head[:4] == b"OggS":
        return plan_ogg(file, size)
    file.seek(id3_bytes(head))
    first = file.read(4)
    if first == b"fLaC":
        return plan_flac(file, size)
    return plan_mp3(file, range(size)) if mp3_frame(first) or suffix == ".mp3" else None


def _bare_plan(suffix: str, file: BinaryIO, size: int, head: bytes) -> Plan:
    """Bare samples, if the name says so and the first bytes do not say otherwise."""
    has_magic = head[:4] in (b".snd", b"FORM", b"riff") or demuxer("", head) not in (None, "aac")
    bare = None if has_magic else headerless(suffix, head)
    if bare is None:
        return Plan((Part((range(size),), announced_share=announced_share(file, size)),))
    form = f"{bare['subtype']}, mono, at {bare['samplerate']} Hz"
    note = f"no header: read as {form}, as the file's name says"
    return Plan((Part((range(size),), headerless=bare),), (note,))


def _check_form(path: AudioFile, sample_rate: int, channels: int) -> None:
    if not MIN_SAMPLE_RATE <= sample_rate <= MAX_SAMPLE_RATE:
        raise AudioError(
            path,
            f"has a sample rate of {sample_rate} Hz; convert it to one from {MIN_SAMPLE_RATE} to "
            f"{MAX_SAMPLE_RATE} with ffmpeg -i IN -ar 16000 OUT.wav",
        )
    if channels not in (1, 2):
        raise AudioError(
            path,
            f"has {channels} channels; take out the caller's, counted from 0, with "
            "ffmpeg -i IN -af pan=mono|c0=c0 OUT.wav",
        )


def os_reason(error: Exception) -> str:
    """What the system says of a file, and what to do about it."""
    match error:
        case FileNotFoundError():
            return "is not there; check the path"
        case PermissionError():
            return "may not be read (permission denied); change its permissions"
        case OSError():
            return f"cannot be read ({error.strerror or error})"
        case _:
            return f"cannot be read ({one_line(error)})"


def one_line(error: Exception) -> str:
    """An error's text for the end of a line of ours."""
    return " ".join(str(error).split()).removeprefix("Error : ").rstrip(".")
