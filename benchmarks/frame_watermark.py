"""Audio whose every 10 ms block carries its number, through mu-law and back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tests.telephony import RATE, Pcm, from_mulaw

BLOCK = RATE // 100
"""Samples per block."""

_CODES = bytes(code for code in range(256) if code & 0x7F < 0x70)
_LEVELS = from_mulaw(_CODES)
_ORDER = np.argsort(_LEVELS)


@dataclass(frozen=True, slots=True)
class Stretch:
    """A run of samples of one block."""

    block: int
    samples: int


def levels(first: int, last: int) -> Pcm:
    """The audio of the blocks from `first` up to, but without, `last`."""
    return np.repeat(_LEVELS[np.arange(first, last) % len(_LEVELS)], BLOCK)


def stretches(pcm: Pcm) -> list[Stretch]:
    """The blocks in audio from a line; silence between them is left out.

    A level identifies a block up to multiples of 224. Steps count as forward, so a step back
    appears as one of nearly 224.
    """
    at = np.searchsorted(_LEVELS, pcm, sorter=_ORDER).clip(0, len(_LEVELS) - 1)
    found = _ORDER[at]
    found = found[_LEVELS[found] == pcm]
    if not found.size:
        return []
    starts = np.flatnonzero(np.diff(found, prepend=-1))
    sizes = np.diff(starts, append=found.size)
    steps = np.diff(found[starts], prepend=0) % len(_LEVELS)
    return [
        Stretch(int(block), int(size)) for block, size in zip(np.cumsum(steps), sizes, strict=True)
    ]
