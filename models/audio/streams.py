"""What an MP3, Ogg or FLAC file holds, frame by frame and page by page.

libsndfile silently stops at the end that an MP3 announces, or that it guesses from the bit rate of
the first frame, and at the end of the first of several recordings in one file. It does not say
when an Ogg stream, or a FLAC file of no stated length, was cut off. So each is looked through here.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from .byte_view import Part, Plan
from .formats import id3_bytes

_KBITS_V1 = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_KBITS_V2 = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_RATES = (44_100, 48_000, 32_000)
_RATE_DIVISOR = {0b11: 1, 0b10: 2, 0b00: 4}  # MPEG 1, 2 and 2.5
_FRAME_COUNT, _BYTE_COUNT = 1, 2
_BLOCK = 1 << 16
_STREAMINFO = tuple(b"fLaC" + first + b"\0\0\x22" for first in (b"\0", b"\x80"))

JOINED = "{} recordings stand in this file one after another; all of them were read"
CUT_OFF = "cut off: {}; read as far as it goes"


@dataclass(slots=True)
class _Run:
    """Layer III frames of one form in a row; `noted` is what their first frame announces."""

    start: int
    end: int
    header: bytes
    frames: int = 0
    noted: int | None = None
    has_note: bool = False


def plan_mp3(file: BinaryIO, whole: range) -> Plan | None:
    """The recordings in an MP3 stream; None if it does not hold two layer III frames in a row.

    Raises:
        OSError: The file cannot be read.
    """
    runs: list[_Run] = []
    skipped, cut, at, new = 0, False, whole.start, True
    while at < whole.stop:
        file.seek(at)
        head = file.read(200)
        frame = mp3_frame(head)
        tag = id3_bytes(head[:10]) or (128 if head[:3] == b"TAG" else 0)
        if frame is None or tag:
            at += tag or 1
            if not tag:
                beyond = _next_frame(file, range(at, whole.stop))
                if not runs and beyond is None:
                    return None
                skipped += (beyond or whole.stop) - at + 1
                at = beyond or whole.stop
            new = True
            continue
        if at + frame[0] > whole.stop:
            cut = True
            break
        _add_frame(runs, at, head, frame[0], new=new)
        at, new = at + frame[0], False
    if not any(run.frames > 1 for run in runs):
        return None
    runs = [run for run in runs if run.frames]
    return Plan(tuple(map(_mp3_part, runs)), tuple(_mp3_warnings(runs, skipped, cut=cut)))


def _add_frame(runs: list[_Run], at: int, head: bytes, length: int, *, new: bool) -> None:
    """Take a frame into the last run; begin another behind a tag, a note or in another form."""
    noted, has_note = _note(head)
    if new or has_note or not runs or _form(head) != _form(runs[-1].header):
        runs.append(_Run(at, at, head[:4], 0, noted, has_note))
    runs[-1].frames += not has_note
    runs[-1].end = at + length


def _mp3_warnings(runs: list[_Run], skipped: int, *, cut: bool) -> Iterator[str]:
    if len(runs) > 1 and skipped <= 4:
        yield JOINED.format(len(runs))
    if skipped > 4:
        yield f"{skipped} bytes between the MP3 frames are no audio and were left out"
    if cut:
        yield CUT_OFF.format("the last MP3 frame is not whole")
    for run in runs:
        if run.noted is not None and run.noted < run.frames - 1:
            yield "the MP3 header announces less audio than there is; all of it was read"


def _mp3_part(run: _Run) -> Part:
    """A run as libsndfile reads all of it: with a first frame that notes how long it is."""
    per_frame = _samples(run.header)
    if run.noted is not None and abs(run.noted - run.frames) <= 1:
        return Part((range(run.start, run.end),))
    start = run.start
    if run.has_note:
        frame = mp3_frame(run.header)
        start += frame[0] if frame else 0
    size = run.end - start
    missing = run.noted is not None and run.noted > run.frames
    return Part(
        (_noting_frame(run.header, run.frames, size), range(start, run.end)),
        announced=run.noted * per_frame if missing and run.noted else None,
        is_open=run.noted is None,
    )


def _noting_frame(header: bytes, frames: int, size: int) -> bytes:
    """A silent frame of the same form that notes the number of frames and bytes (Xing)."""
    form = bytearray(header[:4])
    form[1] |= 1  # no checksum
    form[2] = form[2] & 0x0F | 0x80  # long enough for the note at any rate
    length = (mp3_frame(bytes(form)) or (0, 0))[0]
    is_mono, is_v1 = form[3] >> 6 == 3, form[1] >> 3 & 3 == 3
    side = (17 if is_mono else 32) if is_v1 else (9 if is_mono else 17)
    note = b"Xing" + struct.pack(">III", _FRAME_COUNT | _BYTE_COUNT, frames, size + length)
    return (bytes(form) + bytes(side) + note).ljust(length, b"\0")


def _next_frame(file: BinaryIO, place: range) -> int | None:
    """Where the next frame begins that another one follows."""
    at = place.start
    while at < place.stop:
        file.seek(at)
        block = file.read(_BLOCK)
        found = block.find(b"\xff")
        while found >= 0:
            frame = mp3_frame(block[found : found + 4])
            if frame is not None:
                file.seek(at + found + frame[0])
                if mp3_frame(file.read(4)) is not None:
                    return at + found
            found = block.find(b"\xff", found + 1)
        at += max(1, len(block) - 3)
    return None


def _note(frame: bytes) -> tuple[int | None, bool]:
    """How many frames an encoder's first frame says there are, and whether it is such a frame."""
    for name in (b"Xing", b"Info"):
        at = frame.find(name, 4, 48)
        if at >= 0 and len(frame) >= at + 12:
            flags, frames = struct.unpack(">II", frame[at + 4 : at + 12])
            return (frames if flags & _FRAME_COUNT and frames else None), True
    return None, False


def _form(header: bytes) -> tuple[int, int, bool]:
    """Version, rate and whether it is mono: what cannot change within a recording."""
    return header[1] >> 3 & 3, header[2] >> 2 & 3, header[3] >> 6 == 3


def _samples(header: bytes) -> int:
    return 1_152 if header[1] >> 3 & 3 == 0b11 else 576


def mp3_frame(header: bytes) -> tuple[int, int] | None:
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


def plan_ogg(file: BinaryIO, size: int) -> Plan:
    """The recordings in an Ogg file (RFC 3533); one that lacks its last page was cut off.

    Raises:
        OSError: The file cannot be read.
    """
    starts, at, in_audio, is_whole, lost = [0], 0, False, True, False
    numbers: dict[bytes, int] = {}
    while at < size:
        file.seek(at)
        page = file.read(27)
        segments = file.read(page[26]) if len(page) == 27 else b""
        end = at + 27 + len(segments) + sum(segments)
        if page[:4] != b"OggS" or not segments or end > size:
            is_whole = False
            break
        is_first, is_last = bool(page[5] & 2), bool(page[5] & 4)
        if is_first and in_audio:
            starts.append(at)
        in_audio, is_whole = not is_first, is_last
        number = struct.unpack("<I", page[18:22])[0]
        lost |= not is_first and number != numbers.get(page[14:18], number - 1) + 1
        numbers[page[14:18]] = number
        at = end
    warnings = [JOINED.format(len(starts))] if len(starts) > 1 else []
    if lost:
        warnings.append("pages of the Ogg stream are missing: some of the audio is lost")
    if not is_whole:
        warnings.append(CUT_OFF.format("the Ogg stream has no last page"))
    ends = [*starts[1:], size]
    parts = (Part((range(*place),)) for place in zip(starts, ends, strict=True))
    return Plan(tuple(parts), tuple(warnings))


def plan_flac(file: BinaryIO, size: int) -> Plan:
    """The recordings in a FLAC file (RFC 9639), each without the length that it states.

    The decoder would stop there, whatever follows, and fail at a tag behind the audio.

    Raises:
        OSError: The file cannot be read.
    """
    starts = sorted(_found(file, size, _STREAMINFO))
    parts = [] if starts else [Part((range(size),))]
    for start, end in zip(starts, [*starts[1:], size], strict=True):
        file.seek(max(start, end - 128))
        stop = end - 128 if file.read(3) == b"TAG" else end
        file.seek(start + 8)
        smallest, largest = struct.unpack(">HH", file.read(4))
        file.seek(start + 21)
        stated = file.read(5)
        frames = int.from_bytes(stated) & (1 << 36) - 1
        unstated = bytes([stated[0] & 0xF0]) + bytes(4)
        parts.append(
            Part(
                (range(start, start + 21), unstated, range(start + 26, stop)),
                announced=frames or None,
                is_open=not frames,
                block_frames=smallest if smallest == largest and not frames else None,
            )
        )
    return Plan(tuple(parts), (JOINED.format(len(parts)),) if len(parts) > 1 else ())


def _found(file: BinaryIO, size: int, signatures: tuple[bytes, ...]) -> set[int]:
    """Where these bytes begin in a file, wherever a FLAC stream has room for its header."""
    found = set()
    for at in range(0, size, _BLOCK):
        file.seek(at)
        block = file.read(_BLOCK + len(signatures[0]) - 1)
        for signature in signatures:
            place = block.find(signature)
            while place >= 0:
                if at + place + 42 <= size:
                    found.add(at + place)
                place = block.find(signature, place + 1)
    return found
