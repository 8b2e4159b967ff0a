"""Whether a WAV file holds the audio that its header promises.

libsndfile shortens a file that was cut off without an error, so the header is read here first.
Layout: RIFF (also big-endian RIFX), and RF64 (EBU Tech 3306) with 64-bit sizes in a `ds64` chunk.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import BinaryIO

from ..errors import AudioError
from .memory_file import AudioFile

_BYTE_ORDER = {b"RIFF": "<", b"RF64": "<", b"RIFX": ">"}
_UNKNOWN_LENGTH = 0x7FFF_F000
"""Data sizes from here on stand for "not known yet" where the file is shorter: programs that write
WAV to a pipe put 0x7FFFF000 (SoX), 0x7FFFFFFF, 0x80000000 or 0xFFFFFFFF (ffmpeg) there."""
_MAX_CHUNKS = 4096
_EXTENSIBLE = 0xFFFE
_SAMPLE_BITS = {1: range(1, 33), 3: (32, 64), 6: (8,), 7: (8,)}
"""Bits per sample by format tag: PCM, float, A-law, mu-law. Other tags are block codecs."""


@dataclass(frozen=True, slots=True)
class WavHeader:
    """A WAV file's form, and how much audio it promises and holds.

    A frame is one sample of each channel, or one block of a codec. `data_bytes` is None where the
    header leaves the length open; `available_bytes` is all that follows `data_at` in the file.
    `is_consistent` is False if block align or byte rate contradicts the form: only block codecs
    need them to be decoded.
    """

    channels: int
    sample_rate: int
    frame_bytes: int
    bytes_per_s: int
    is_consistent: bool
    data_at: int
    data_bytes: int | None
    available_bytes: int


def read_wav_header(path: AudioFile) -> WavHeader | None:
    """Read the header of a WAV file; None if the file is no WAV.

    Raises:
        AudioError: The header is cut off, names no format before its audio, or one of no size.
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        riff = file.read(12)
        order = _BYTE_ORDER.get(riff[:4])
        if order is None or riff[8:12] not in (b"WAVE", b""):
            return None
        return _read_chunks(path, file, order, file.seek(0, 2))


def check_wav_length(path: AudioFile, header: WavHeader) -> None:
    """Refuse a file that ends before its audio does, or goes on where its header ends.

    Raises:
        AudioError: It does; the reason says how to repair it.
    """
    promised, available = header.data_bytes, header.available_bytes
    if promised is None:
        return
    promised_s, available_s = promised / header.bytes_per_s, available / header.bytes_per_s
    if promised // header.frame_bytes > available // header.frame_bytes:
        raise AudioError(
            path,
            f"is cut off: its WAV header promises {promised_s:.2f} s of audio, the file holds "
            f"{available_s:.2f} s; copy it again, or keep what is there with ffmpeg -i IN OUT.wav",
        )
    behind_s = _unclaimed_bytes(path, header, promised + promised % 2) / header.bytes_per_s
    if behind_s >= 1 or (promised == 0 and behind_s > 0):
        raise AudioError(
            path,
            f"has a WAV header that promises {promised_s:.2f} s of audio, but {behind_s:.2f} s "
            "more follow (it was not closed properly); repair it with "
            "ffmpeg -ignore_length 1 -i IN OUT.wav",
        )


def _read_chunks(path: AudioFile, file: BinaryIO, order: str, size: int) -> WavHeader:
    """Walk the chunks up to `data`."""
    at, fmt, long_data_bytes = 12, b"", None
    for _ in range(_MAX_CHUNKS):
        file.seek(at)
        head = file.read(8)
        if len(head) < 8:
            break
        name, length = head[:4], struct.unpack(order + "I", head[4:])[0]
        available = size - at - 8
        if name == b"fmt ":
            fmt = file.read(min(length, 40))
        elif name == b"ds64":
            sizes = file.read(16)
            if len(sizes) == 16:
                long_data_bytes = struct.unpack(order + "8xQ", sizes)[0]
        elif name == b"data":
            if length == 0xFFFF_FFFF and long_data_bytes is not None:
                length = _long_length(path, long_data_bytes, available)
            is_open = length >= _UNKNOWN_LENGTH and length > available
            form = _read_form(path, fmt, order)
            return WavHeader(*form, at + 8, None if is_open else length, available)
        at += 8 + length + length % 2
    raise AudioError(path, "ends inside its WAV header, before any audio; copy or record it again")


def _long_length(path: AudioFile, data_bytes: int, available: int) -> int:
    """What `ds64` promises; libsndfile cannot read on where a recorder left that open."""
    if data_bytes == 0xFFFF_FFFF_FFFF_FFFF or (data_bytes == 0 and available):
        raise AudioError(
            path,
            "has an RF64 header that was not completed; "
            "repair it with ffmpeg -ignore_length 1 -i IN OUT.wav",
        )
    return data_bytes


def _read_form(path: AudioFile, fmt: bytes, order: str) -> tuple[int, int, int, int, bool]:
    """The first five fields of a `WavHeader`, from its `fmt ` chunk."""
    if len(fmt) < 16:
        raise AudioError(path, "has no format in its WAV header; write the file again")
    tag, channels, rate, byte_rate, block_align, bits = struct.unpack(order + "HHIIHH", fmt[:16])
    if tag == _EXTENSIBLE and len(fmt) >= 26:
        tag = struct.unpack(order + "H", fmt[24:26])[0]
    if tag not in _SAMPLE_BITS:
        if block_align == 0 or byte_rate == 0:
            raise AudioError(path, "has a WAV header with sizes of 0; write the file again")
        return channels, rate, block_align, byte_rate, True
    if bits not in _SAMPLE_BITS[tag]:
        raise AudioError(
            path, f"has {bits} bits a sample in its WAV header; convert it to 16-bit PCM"
        )
    frame = channels * ((bits + 7) // 8)
    return channels, rate, frame, rate * frame, (block_align, byte_rate) == (frame, rate * frame)


def _unclaimed_bytes(path: AudioFile, header: WavHeader, end: int) -> int:
    """Bytes behind the audio that belong to no further chunk (LIST, bext and the like)."""
    behind = header.available_bytes - end
    if behind < 8:
        return 0
    with path.open("rb") as file:
        file.seek(header.data_at + end)
        name, length = struct.unpack("<4sI", file.read(8))
    is_chunk = all(0x20 <= byte < 0x7F for byte in name) and length <= behind
    return 0 if is_chunk else behind
