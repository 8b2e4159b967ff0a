"""What a WAV file's header promises, held against the bytes that are there.

libsndfile believes a header that contradicts itself and shortens a file that was cut off without a
word, so the header is read here first. Layout: RIFF (also big-endian RIFX), and RF64 (EBU Tech
3306) with its 64-bit sizes in a `ds64` chunk.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import BinaryIO

from ..errors import AudioError
from .in_memory import AudioFile

_BYTE_ORDER = {b"RIFF": "<", b"RF64": "<", b"RIFX": ">"}
_UNKNOWN_LENGTH = 0x7FFF_F000
"""Data sizes from here on stand for "not known yet" where the file is shorter: programs that write
WAV to a pipe put 0x7FFFF000 (SoX), 0x7FFFFFFF, 0x80000000 or 0xFFFFFFFF (ffmpeg) there."""
_MAX_CHUNKS = 4096
_PCM, _FLOAT, _A_LAW, _MU_LAW, _EXTENSIBLE = 1, 3, 6, 7, 0xFFFE
_SAMPLE_BITS = {_PCM: range(1, 33), _FLOAT: (32, 64), _A_LAW: (8,), _MU_LAW: (8,)}


@dataclass(frozen=True, slots=True)
class WavHeader:
    """The `fmt ` chunk of a WAV file, and where its audio lies.

    `data_bytes` is what the header promises: None where it leaves the length open, as programs
    that write to a pipe do. `available_bytes` is all that follows in the file.
    """

    tag: int
    channels: int
    sample_rate: int
    byte_rate: int
    block_align: int
    bits: int
    data_at: int
    data_bytes: int | None
    available_bytes: int


def read_wav_header(path: AudioFile) -> WavHeader | None:
    """Read the header of a WAV file; None if the file is no WAV. Nothing is checked but its form.

    Raises:
        AudioError: The header is cut off, or has no format before its audio.
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        riff = file.read(12)
        order = _BYTE_ORDER.get(riff[:4])
        if order is None or riff[8:12] not in (b"WAVE", b""):
            return None
        size = file.seek(0, 2)
        return _read_chunks(path, file, order, size)


def check_wav_header(path: AudioFile, header: WavHeader) -> None:
    """Refuse a header that contradicts itself or the length of its file.

    Raises:
        AudioError: Block align or byte rate does not follow from channels, bits and rate; the file
            ends before its audio does; audio lies behind what the header says is its end.
    """
    _check_format(path, header)
    _check_length(path, header)


def _read_chunks(path: AudioFile, file: BinaryIO, order: str, size: int) -> WavHeader:
    """Walk the chunks up to `data`."""
    at, fmt, long_data_bytes = 12, None, None
    for _ in range(_MAX_CHUNKS):
        file.seek(at)
        head = file.read(8)
        if len(head) < 8:
            break
        name, length = head[:4], struct.unpack(order + "I", head[4:])[0]
        if name == b"fmt ":
            fmt = file.read(min(length, 40))
        elif name == b"ds64":
            sizes = file.read(16)
            if len(sizes) == 16:
                long_data_bytes = struct.unpack(order + "8xQ", sizes)[0]
        elif name == b"data":
            if fmt is None or len(fmt) < 16:
                raise AudioError(path, "has no format in its WAV header; write the file again")
            if length == 0xFFFF_FFFF and long_data_bytes is not None:
                length = _long_length(path, long_data_bytes, size - at - 8)
            return _header(fmt, order, at + 8, length, size - at - 8)
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


def _header(fmt: bytes, order: str, data_at: int, length: int, available: int) -> WavHeader:
    tag, channels, rate, byte_rate, block_align, bits = struct.unpack(order + "HHIIHH", fmt[:16])
    if tag == _EXTENSIBLE and len(fmt) >= 26:
        tag = struct.unpack(order + "H", fmt[24:26])[0]
    left_open = length >= _UNKNOWN_LENGTH and length > available
    return WavHeader(
        tag=tag,
        channels=channels,
        sample_rate=rate,
        byte_rate=byte_rate,
        block_align=block_align,
        bits=bits,
        data_at=data_at,
        data_bytes=None if left_open else length,
        available_bytes=available,
    )


def _check_format(path: AudioFile, header: WavHeader) -> None:
    """Sizes must follow from the format; of block codecs (ADPCM, GSM) only that there are any."""
    allowed = _SAMPLE_BITS.get(header.tag)
    if allowed is None:
        if header.block_align == 0 or header.byte_rate == 0:
            raise AudioError(path, "has a WAV header with sizes of 0; write the file again")
        return
    if header.bits not in allowed:
        raise AudioError(
            path, f"has {header.bits} bits a sample in its WAV header; convert it to 16-bit PCM"
        )
    frame = header.channels * ((header.bits + 7) // 8)
    if header.block_align != frame:
        raise AudioError(
            path,
            f"has a WAV header that contradicts itself: {header.channels} channel(s) of "
            f"{header.bits} bits are {frame} bytes a frame, it says {header.block_align}; "
            "write the file again",
        )
    if header.byte_rate != header.sample_rate * frame:
        raise AudioError(
            path,
            f"has a WAV header that contradicts itself: {header.sample_rate} Hz at {frame} bytes "
            f"a frame are {header.sample_rate * frame} bytes a second, it says "
            f"{header.byte_rate}; write the file again",
        )


def _check_length(path: AudioFile, header: WavHeader) -> None:
    promised, there = header.data_bytes, header.available_bytes
    if promised is None:
        return
    promised_s, there_s = promised / header.byte_rate, there / header.byte_rate
    if promised // header.block_align > there // header.block_align:
        raise AudioError(
            path,
            f"is cut off: its WAV header promises {promised_s:.2f} s of audio, the file holds "
            f"{there_s:.2f} s; copy it again, or keep what is there with ffmpeg -i IN OUT.wav",
        )
    behind_s = _unclaimed_bytes(path, header) / header.byte_rate
    if behind_s >= 1 or (promised == 0 and behind_s > 0):
        raise AudioError(
            path,
            f"has a WAV header that promises {promised_s:.2f} s of audio, but {behind_s:.2f} s "
            "more follow (it was not closed properly); repair it with "
            "ffmpeg -ignore_length 1 -i IN OUT.wav",
        )


def _unclaimed_bytes(path: AudioFile, header: WavHeader) -> int:
    """Bytes behind the audio that belong to no further chunk (LIST, bext and the like)."""
    promised = header.data_bytes or 0
    behind = header.available_bytes - promised - promised % 2
    if behind < 8:
        return 0
    with path.open("rb") as file:
        file.seek(header.data_at + promised + promised % 2)
        name, length = struct.unpack("<4sI", file.read(8))
    is_chunk = all(0x20 <= byte < 0x7F for byte in name) and length <= behind
    return 0 if is_chunk else behind
