"""What an MP3 or Ogg file holds, frame by frame and page by page.

libsndfile silently stops at the end that an MP3 announces, or that it guesses from the bit rate of
the first frame, and at the end of the first of several Ogg streams. The rest would be lost.
"""

from __future__ import annotations

from typing import BinaryIO

from .memory_file import AudioFile

_KBITS_V1 = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_KBITS_V2 = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_RATES = (44_100, 48_000, 32_000)
_RATE_DIVISOR = {0b11: 1, 0b10: 2, 0b00: 4}  # MPEG 1, 2 and 2.5
_HAS_FRAME_COUNT = 1


def read_mp3_length(path: AudioFile) -> tuple[int, bool] | None:
    """Count an MP3 file's samples, and say whether its first frame announces how many there are.

    The count is of whole frames, encoder padding included; it ends where the frames do. None if
    the file does not begin with an MPEG layer III frame.

    Raises:
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        at = _after_id3(file)
        file.seek(at)
        announces = _announces_length(file.read(200))
        samples = 0
        while True:
            file.seek(at)
            frame = _mp3_frame(file.read(4))
            if frame is None:
                return (samples, announces) if samples else None
            at += frame[0]
            samples += frame[1]


def has_further_ogg_stream(path: AudioFile) -> bool:
    """Whether an Ogg file starts another stream after the first one's audio.

    Raises:
        OSError: The file cannot be read.
    """
    starts_over, at = False, 0
    with path.open("rb") as file:
        while True:
            file.seek(at)
            page = file.read(27)
            if len(page) < 27 or page[:4] != b"OggS":
                return False
            is_first = bool(page[5] & 2)
            if is_first and starts_over:
                return True
            starts_over = starts_over or not is_first
            segments = file.read(page[26])
            at += 27 + len(segments) + sum(segments)


def _after_id3(file: BinaryIO) -> int:
    """Where an ID3v2 tag ends; its size is four bytes of seven bits."""
    head = file.read(10)
    if head[:3] != b"ID3" or len(head) < 10:
        return 0
    size = 0
    for byte in head[6:]:
        size = size << 7 | byte & 0x7F
    return size + 10


def _announces_length(frame: bytes) -> bool:
    for name in (b"Xing", b"Info"):
        at = frame.find(name)
        if at >= 0:
            return bool(frame[at + 7 : at + 8] and frame[at + 7] & _HAS_FRAME_COUNT)
    return False


def _mp3_frame(header: bytes) -> tuple[int, int] | None:
    """Length in bytes and in samples of a layer III frame (ISO 11172-3, 13818-3); None if none."""
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE6 != 0xE2:
        return None
    divisor = _RATE_DIVISOR.get(header[1] >> 3 & 3)
    kbits, rate = header[2] >> 4, header[2] >> 2 & 3
    if divisor is None or kbits in (0, 15) or rate == 3:
        return None
    padding = header[2] >> 1 & 1
    if divisor == 1:
        return 144_000 * _KBITS_V1[kbits] // _RATES[rate] + padding, 1_152
    return 72_000 * _KBITS_V2[kbits] * divisor // _RATES[rate] + padding, 576
