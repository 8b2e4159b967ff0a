"""WAV files as every player reads them: what is slightly off is put right, and said.

libsndfile refuses some of these, and shortens a file that was cut off without an error, so the
header is read here first. Layout: RIFF (also big-endian RIFX), and RF64 (EBU Tech 3306) with 64-bit
sizes in a `ds64` chunk. `announced_share` does the same for W64, AIFF and AU.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import BinaryIO

import numpy as np
import soundfile

from ..errors import AudioError
from .byte_view import ByteView, Part, Plan
from .formats import id3_bytes, is_text
from .memory_file import AudioFile

_BYTE_ORDER = {b"RIFF": "<", b"RF64": "<", b"RIFX": ">"}
_UNKNOWN_LENGTH = 0x7FFF_F000
"""Data sizes from here on stand for "not known yet" where the file is shorter: programs that write
WAV to a pipe put 0x7FFFF000 (SoX), 0x7FFFFFFF, 0x80000000 or 0xFFFFFFFF (ffmpeg) there."""
_MAX_CHUNKS = 4096
_EXTENSIBLE = 0xFFFE
_FLOAT, _ALAW, _MULAW = 3, 6, 7
_SAMPLE_BITS = {1: range(1, 33), _FLOAT: (32, 64), _ALAW: (8,), _MULAW: (8,)}
"""Bits per sample by format tag: PCM, float, A-law, mu-law. Other tags are block codecs."""
MPEG_TAGS = (0x50, 0x55)
_SLIP_S = 0.1
_LONGEST_TAG = 1 << 16
_SCANNED = 1 << 20


@dataclass(slots=True)
class WavFile:
    """What a WAV file's header says, and where its audio is; filled in chunk by chunk.

    A frame is one sample of each channel, or one block of a codec. `stated` and `held` count the
    bytes of audio that the header announces and that the file has.
    """

    order: str
    size: int
    fmt: bytes = b""
    tag: int = 0
    channels: int = 0
    rate: int = 0
    bits: int = 0
    frame_bytes: int = 1
    audio: list[range] = field(default_factory=list)
    stated: int = 0
    is_open: bool = False
    warnings: list[str] = field(default_factory=list)

    @property
    def bytes_per_s(self) -> int:
        """Of audio; what the header says if the format has blocks."""
        if self.tag in _SAMPLE_BITS:
            return self.frame_bytes * self.rate
        return int(struct.unpack(self.order + "I", self.fmt[8:12])[0])

    @property
    def held(self) -> int:
        """Bytes of audio in the file."""
        return sum(map(len, self.audio))

    def seconds(self, count: int) -> str:
        """Bytes as a length."""
        return f"{count / self.bytes_per_s:.2f} s" if self.bytes_per_s else f"{count} bytes"

    def plan(self) -> Plan:
        """The file as a decoder should see it: as it is, or with a header that says what is so."""
        share = self.held / self.stated if 0 < self.held < self.stated else 1.0
        pieces: tuple[bytes | range, ...] = (range(self.size),)
        if self.warnings:
            pieces = (self._header(), *self.audio)
        part = Part(pieces, announced_share=share)
        return Plan((part,), tuple(self.warnings))

    def _header(self) -> bytes:
        fmt = self.fmt
        if self.tag in _SAMPLE_BITS:
            fmt = struct.pack(
                self.order + "HHIIHH",
                *(self.tag, self.channels, self.rate, self.rate * self.frame_bytes),
                *(self.frame_bytes, self.bits),
            )
        number = struct.Struct(self.order + "I")
        length = min(self.held, 2**32 - 1)  # the decoder reads what is longer to its end
        body = b"WAVEfmt " + number.pack(len(fmt)) + fmt + b"data" + number.pack(length)
        name = b"RIFX" if self.order == ">" else b"RIFF"
        return name + number.pack(min(len(body) + self.held, 2**32 - 1)) + body


def read_wav(path: AudioFile, file: BinaryIO, size: int) -> WavFile | None:
    """Read the header of a WAV file; None if the file is no WAV.

    Raises:
        AudioError: The header is cut off, names no format before its audio, or one of no size.
        OSError: The file cannot be read.
    """
    file.seek(0)
    riff = file.read(12)
    order = _BYTE_ORDER.get(riff[:4])
    if order is None or riff[8:12] not in (b"WAVE", b""):
        return None
    wav = WavFile(order, size)
    _walk(path, file, wav)
    if not wav.audio:
        raise AudioError(
            path, "ends inside its WAV header, before any audio; copy or record it again"
        )
    return wav


def _walk(path: AudioFile, file: BinaryIO, wav: WavFile) -> None:
    """Go from chunk to chunk to the end of the file, or to what is no chunk."""
    at, long_bytes = 12, 0
    for _ in range(_MAX_CHUNKS):
        chunk = _chunk(file, wav, at, lenient=not wav.audio)
        if chunk is None:
            if wav.audio:
                _note_what_is_behind(file, wav, at)
            return
        name, length = chunk
        if name in _BYTE_ORDER and wav.audio:  # another file was put behind this one
            at += 12
            continue
        if name == b"fmt ":
            fmt = file.read(min(length, 64))
            if len(fmt) < min(length, 16):
                return
            _take_form(path, wav, fmt)
        elif name == b"ds64":
            sizes = file.read(16)
            long_bytes = struct.unpack(wav.order + "8xQ", sizes)[0] if len(sizes) == 16 else 0
        elif name == b"data":
            if not wav.fmt:
                raise AudioError(path, "has no format in its WAV header; write the file again")
            at = _take_audio(file, wav, at + 8, length, long_bytes)
            continue
        at += 8 + length + length % 2


def _chunk(file: BinaryIO, wav: WavFile, at: int, *, lenient: bool) -> tuple[bytes, int] | None:
    """The name and length of the chunk here; behind audio only what can be one."""
    file.seek(at)
    head = file.read(8)
    if len(head) < 8:
        return None
    name, length = head[:4], int(struct.unpack(wav.order + "I", head[4:])[0])
    if lenient or name in (b"data", *_BYTE_ORDER):
        return name, length
    is_name = all(0x20 <= byte < 0x7F for byte in name)
    return (name, length) if is_name and at + 8 + length <= wav.size else None


def _take_form(path: AudioFile, wav: WavFile, fmt: bytes) -> None:
    """Read a `fmt ` chunk; a second one, of another file joined to this, must say the same."""
    if len(fmt) < 16:
        raise AudioError(path, "has no format in its WAV header; write the file again")
    if wav.fmt:
        if fmt[:8] != wav.fmt[:8]:
            raise AudioError(
                path, "joins WAV files of different formats; cut it apart and convert each"
            )
        return
    wav.fmt = fmt
    tag, wav.channels, wav.rate, byte_rate, block, wav.bits = struct.unpack(
        wav.order + "HHIIHH", fmt[:16]
    )
    if tag == _EXTENSIBLE and len(fmt) >= 26:
        tag = struct.unpack(wav.order + "H", fmt[24:26])[0]
    wav.tag, wav.frame_bytes = tag, max(block, 1)
    if tag not in _SAMPLE_BITS:
        if block == 0 and tag not in MPEG_TAGS:
            raise AudioError(path, "has a WAV header with sizes of 0; write the file again")
        return
    stated_bits, container = wav.bits, block // wav.channels if wav.channels else 0
    if tag in (_ALAW, _MULAW):
        wav.bits = 8
    elif wav.bits not in _SAMPLE_BITS[tag]:
        raise AudioError(
            path, f"has {wav.bits} bits a sample in its WAV header; convert it to 16-bit PCM"
        )
    wider = block and byte_rate == wav.rate * block and (wav.bits + 7) // 8 < container <= 4
    wav.frame_bytes = block if wider else wav.channels * ((wav.bits + 7) // 8)
    said = (stated_bits, block, byte_rate)
    if said != (wav.bits, wav.frame_bytes, wav.rate * wav.frame_bytes):
        wav.warnings.append(
            "the WAV header contradicts itself: its bits per sample, block align or byte rate were "
            "ignored"
        )


def _take_audio(file: BinaryIO, wav: WavFile, start: int, stated: int, long_bytes: int) -> int:
    """Take the audio of a `data` chunk; return where the next chunk begins."""
    there = wav.size - start
    is_open = stated >= _UNKNOWN_LENGTH and stated > there
    if stated == 0xFFFF_FFFF and 0 < long_bytes < 2**63:
        stated, is_open = long_bytes, False
    follows = stated == 0 and there >= 8
    if is_open or (follows and _chunk(file, wav, start, lenient=False) is None):
        end = _end_before_tags(file, wav, start)
        if end - start:
            wav.warnings.append(
                "the WAV header does not say how long the audio is: all "
                f"{wav.seconds(end - start)} of it were read"
            )
        wav.audio.append(range(start, end))
        wav.stated += end - start
        return wav.size
    wav.stated += stated
    wav.audio.append(range(start, start + min(stated, there)))
    if stated > there:
        if stated - there < _SLIP_S * wav.bytes_per_s:  # more is noticed when the audio ends
            wav.warnings.append(
                f"the WAV header announces {stated - there} bytes more than the file holds"
            )
        return wav.size
    if len(wav.audio) > 1:
        wav.warnings.append(f"the audio is in {len(wav.audio)} pieces; all of them were read")
    end = start + stated
    if stated % 2 == 0 or end >= wav.size or _chunk(file, wav, end, lenient=False) is None:
        return end + stated % 2
    wav.warnings.append("the WAV's audio is not padded to an even size; what follows was not read")
    return end


def _end_before_tags(file: BinaryIO, wav: WavFile, start: int) -> int:
    """Where audio of no stated length ends: before the tags that reach to the end of the file."""
    since = max(start, wav.size - _LONGEST_TAG)
    file.seek(since)
    tail = file.read()
    ends = [len(tail)]
    for name in (b"LIST", b"id3 ", b"ID3 ", b"bext", b"JUNK"):
        at = tail.rfind(name)
        if 0 <= at <= len(tail) - 8:
            reaches = at + 8 + struct.unpack(wav.order + "I", tail[at + 4 : at + 8])[0]
            ends += [at] if len(tail) - 1 <= reaches <= len(tail) else []
    ends += [at for at in (len(tail) - 128,) if at >= 0 and tail[at : at + 3] == b"TAG"]
    at = tail.rfind(b"ID3")
    ends += [at] if at >= 0 and at + id3_bytes(tail[at : at + 10]) == len(tail) else []
    return since + min(ends)


def _note_what_is_behind(file: BinaryIO, wav: WavFile, at: int) -> None:
    """Say what follows the announced audio; take it if it is audio too."""
    behind = range(at, wav.size)
    if len(behind) < 8:
        return
    if _is_audio(file, wav, behind):
        wav.warnings.append(
            f"the WAV header announces {wav.seconds(wav.held)} of audio, and "
            f"{wav.seconds(len(behind))} more follow: all of it was read"
        )
        wav.audio.append(behind)
        wav.stated += len(behind)
    else:
        wav.warnings.append(f"{len(behind)} bytes behind the WAV's audio are no audio; not read")


def _is_audio(file: BinaryIO, wav: WavFile, behind: range) -> bool:
    """Whether bytes that belong to no chunk sound like a recording: no tag, no text, no noise."""
    file.seek(behind.start)
    head = file.read(min(len(behind), _SCANNED))
    subtypes = {1: f"PCM_{wav.bits}", _FLOAT: "FLOAT", _ALAW: "ALAW", _MULAW: "ULAW"}
    subtype = "PCM_U8" if (wav.tag, wav.bits) == (1, 8) else subtypes.get(wav.tag)
    if not head.strip(b"\0") or head[:3] in (b"ID3", b"TAG", b"APE") or is_text(head[:512]):
        return False
    if subtype not in soundfile.available_subtypes("RAW") or wav.bits == 64:
        return False
    endian = "BIG" if wav.order == ">" else "LITTLE"
    view = ByteView(file, (range(behind.start, behind.start + len(head)),))
    with soundfile.SoundFile(
        view, "r", wav.rate, wav.channels, subtype, endian, format="RAW"
    ) as raw:
        samples = raw.read(dtype="float32", always_2d=True)[:, 0]
    if not np.isfinite(samples).all() or samples.size < 2:
        return False
    power = float(np.mean(samples**2))
    return power < 0.04 or float(np.mean(samples[1:] * samples[:-1])) > 0.2 * power


def announced_share(file: BinaryIO, size: int) -> float:
    """How much of its announced audio a W64, AIFF or AU file holds: 1 if all, or if not known.

    Raises:
        OSError: The file cannot be read.
    """
    file.seek(0)
    head = file.read(16)
    if head[:4] == b".snd" and len(head) >= 12:
        start, stated = struct.unpack(">II", head[4:12])
        return 1.0 if stated in (0, 0xFFFF_FFFF) else _share(stated, size - start)
    if head[:4] == b"FORM":
        at, name, step, count, is_padded = 12, b"SSND", 8, ">I", 2
    elif head[:4] == b"riff":
        at, name, step, count, is_padded = 40, b"data", 24, "<Q", 8
    else:
        return 1.0
    for _ in range(_MAX_CHUNKS):
        file.seek(at)
        chunk = file.read(step)
        if len(chunk) < step:
            break
        stated = struct.unpack(count, chunk[-struct.calcsize(count) :])[0]
        stated -= step if count == "<Q" else 0
        if chunk[:4] == name:
            return _share(stated, size - at - step)
        at += step + stated + -stated % is_padded
    return 1.0


def _share(stated: int, held: int) -> float:
    return held / stated if 0 < held < stated else 1.0
