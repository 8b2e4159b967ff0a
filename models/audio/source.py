"""Opens a recording, and refuses what it can before the first sample is read."""

from __future__ import annotations

import codecs
import stat
from pathlib import Path

import soundfile

from ..errors import AudioError
from .memory_file import AudioFile, MemoryFile
from .samples import MAX_SAMPLE_RATE, MIN_SAMPLE_RATE
from .streams import has_further_ogg_stream, read_mp3_length
from .wav import WavHeader, check_wav_length, read_wav_header

_FORMATS = ("WAV", "WAVEX", "RF64", "FLAC", "OGG", "MP3")
_MP3_PADDING_S = 0.5
NO_AUDIO = "holds no audio (0 s); record or copy it again"


class ForwardFile(soundfile.SoundFile):  # type: ignore[misc]  # soundfile ships no types
    """A file read from front to back.

    `promised` is how many frames it announces, None if it does not; `has_consistent_header` is
    False for a WAV file whose header contradicts itself.

    soundfile seeks after every read of a seekable file, which makes libsndfile's MP3 decoder lose
    the bits that it carries from frame to frame: noise at each seam.
    """

    def __init__(self, path: AudioFile) -> None:
        super().__init__(path if isinstance(path, Path) else path.open())
        self.promised: int | None = self.frames if self.frames < 2**62 else None
        self.has_consistent_header = True

    def seekable(self) -> bool:
        """Say no, which is what stops soundfile from seeking."""
        return False


def open_source(path: AudioFile) -> ForwardFile:
    """Open a recording of one or two channels and 8 to 48 kHz.

    Raises:
        AudioError: It is not one; the reason says what to do about it.
    """
    try:
        header = _check_file(path)
        source = _open_known_format(path)
    except OSError as error:
        raise AudioError(path, _os_reason(error)) from error
    try:
        _check_form(path, source.samplerate, source.channels)
        if source.frames == 0:
            raise AudioError(path, NO_AUDIO)
        _check_streams(path, source)
        source.has_consistent_header = header is None or header.is_consistent
    except AudioError:
        source.close()
        raise
    return source


def _check_file(path: AudioFile) -> WavHeader | None:
    """Refuse what cannot hold a whole recording before opening it; return a WAV's header."""
    if isinstance(path, MemoryFile):
        size = path.size
    else:
        status = path.stat()
        size = status.st_size
        if stat.S_ISDIR(status.st_mode):
            raise AudioError(path, "is a directory; name the recordings in it")
        if not stat.S_ISREG(status.st_mode):
            raise AudioError(path, "is a pipe or device; save the recording to a file first")
    if size == 0:
        raise AudioError(path, "is empty (0 bytes); record or copy it again")
    header = read_wav_header(path)
    if header is not None:
        _check_form(path, header.sample_rate, header.channels)
        check_wav_length(path, header)
    return header


def _open_known_format(path: AudioFile) -> ForwardFile:
    if path.suffix.lower() == ".raw":
        raise AudioError(path, "has no header with its sample rate; convert it to WAV")
    try:
        source = ForwardFile(path)
    except soundfile.LibsndfileError as error:
        raise AudioError(path, _unknown_format(path, error)) from error
    if source.format not in _FORMATS:
        source.close()
        raise AudioError(path, f"is {source.format}; convert it to WAV, FLAC, Ogg or MP3")
    return source


def _unknown_format(path: AudioFile, error: soundfile.LibsndfileError) -> str:
    if _is_text(path):
        return "holds text, not audio; name the recording itself"
    detail = one_line(error).rsplit(": ", 1)[-1]
    return f"cannot be read as WAV, FLAC, Ogg or MP3 ({detail}); convert it to WAV"


def _check_streams(path: AudioFile, source: ForwardFile) -> None:
    """Refuse what libsndfile would not read to its end; drop a length that it only guessed."""
    if source.format == "OGG" and has_further_ogg_stream(path):
        raise AudioError(
            path, "holds several Ogg streams in a row; join them with ffmpeg -i IN OUT.wav"
        )
    mp3 = read_mp3_length(path) if source.format == "MP3" else None
    if mp3 is None:
        return
    samples, announces_length = mp3
    missed_s = (samples - source.frames) / source.samplerate
    if missed_s > _MP3_PADDING_S:
        raise AudioError(
            path,
            f"has {missed_s:.1f} s more audio than its MP3 header says; "
            "convert it with ffmpeg -i IN OUT.wav",
        )
    if not announces_length:
        source.promised = None


def _is_text(path: AudioFile) -> bool:
    with path.open("rb") as file:
        head = file.read(512)
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return not any(byte < 9 or 13 < byte < 32 for byte in head)


def _check_form(path: AudioFile, sample_rate: int, channels: int) -> None:
    if not MIN_SAMPLE_RATE <= sample_rate <= MAX_SAMPLE_RATE:
        raise AudioError(
            path,
            f"has a sample rate of {sample_rate} Hz; convert it to one from "
            f"{MIN_SAMPLE_RATE} to {MAX_SAMPLE_RATE}",
        )
    if channels not in (1, 2):
        raise AudioError(path, f"has {channels} channels; convert it to mono, the caller alone")


def _os_reason(error: OSError) -> str:
    match error:
        case FileNotFoundError():
            return "is not there; check the path"
        case PermissionError():
            return "may not be read (permission denied); change its permissions"
        case _:
            return f"cannot be read ({error.strerror or error})"


def one_line(error: Exception) -> str:
    """An error's text for the end of a line of ours."""
    return " ".join(str(error).split()).removeprefix("Error : ").rstrip(".")
