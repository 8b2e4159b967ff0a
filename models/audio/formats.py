"""What files of recordings are called, and what their first bytes say."""

from __future__ import annotations

import codecs
from pathlib import PurePath
from typing import Any

_SLIN = {".sln": 8_000, ".slin": 8_000, ".sln8": 8_000} | {
    f".sln{name}": rate
    for name, rate in (
        (12, 12_000),
        (16, 16_000),
        (24, 24_000),
        (32, 32_000),
        (44, 44_100),
        (48, 48_000),
    )
}
HEADERLESS: dict[str, tuple[str, int]] = {
    **dict.fromkeys((".ul", ".ulaw", ".mu", ".mulaw", ".ulw"), ("ULAW", 8_000)),
    **dict.fromkeys((".al", ".alaw", ".alw"), ("ALAW", 8_000)),
    **{name: ("PCM_16", rate) for name, rate in _SLIN.items()},
    ".gsm": ("GSM610", 8_000),
    ".vox": ("VOX_ADPCM", 8_000),
}
"""Bare samples, mono, as Asterisk and its kin name them: libsndfile's name, and the rate in Hz."""

UNKNOWN_RATE = frozenset({".raw", ".pcm"})
"""Bare samples of which the name says too little."""

_DEMUXERS = {".g722": "g722", ".g723": "g723_1", ".g729": "g729"}
_MAGIC = (
    (4, b"ftyp", "mov"),
    (0, b"\x1aE\xdf\xa3", "matroska"),
    (0, b"#!AMR", "amr"),
    (0, b"OggS", "ogg"),
    (0, b"RIFF", "wav"),
    (0, b"0&\xb2u", "asf"),
    (0, b"caff", "caf"),
    (0, b"\xff\xf1", "aac"),
    (0, b"\xff\xf9", "aac"),
)

AUDIO = frozenset(
    [
        ".3gp",
        ".aac",
        ".aif",
        ".aifc",
        ".aiff",
        ".amr",
        ".au",
        ".awb",
        ".bwf",
        ".caf",
        ".flac",
        ".m4a",
        ".m4b",
        ".mka",
        ".mkv",
        ".mov",
        ".mp3",
        ".mp4",
        ".oga",
        ".ogg",
        ".opus",
        ".rf64",
        ".snd",
        ".spx",
        ".w64",
        ".wav",
        ".wav16",
        ".wav49",
        ".wave",
        ".webm",
        ".wma",
    ]
).union(HEADERLESS, UNKNOWN_RATE, _DEMUXERS)
"""File name extensions of recordings, in lower case."""


def is_recording(name: str) -> bool:
    """Whether a file is named as a recording."""
    return PurePath(name).suffix.lower() in AUDIO


def demuxer(suffix: str, head: bytes) -> str | None:
    """FFmpeg's name of the container, from its first bytes or the name; None if it is none of ours.

    FFmpeg is never left to guess: among the formats that it knows are lists of other files to open.
    """
    for at, magic, name in _MAGIC:
        if head[at:].startswith(magic):
            return name
    return _DEMUXERS.get(suffix)


def headerless(suffix: str, head: bytes) -> dict[str, Any] | None:
    """How libsndfile must be told to read bare samples; None if the name says nothing."""
    subtype, rate = HEADERLESS.get(suffix, ("", 0))
    if not subtype or (subtype == "GSM610" and head[:1] and head[0] >> 4 != 0xD):
        return None
    return {"format": "RAW", "subtype": subtype, "samplerate": rate, "channels": 1} | (
        {"endian": "LITTLE"} if subtype == "PCM_16" else {}
    )


def is_text(head: bytes) -> bool:
    """Whether the first bytes of a file are words."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return not any(byte < 9 or 13 < byte < 32 for byte in head)


def id3_bytes(head: bytes) -> int:
    """The length of an ID3v2 tag that begins with these ten bytes, footer left out; 0 if none.

    Its size is four bytes of seven bits.
    """
    if head[:3] != b"ID3" or len(head) < 10 or max(head[6:10]) > 0x7F:
        return 0
    size = 0
    for byte in head[6:10]:
        size = size << 7 | byte
    return size + 10
