"""Audio that counts: each 10 ms of it says which one it is, through mu-law and back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .telephony import RATE, Pcm, from_mulaw

BLOCK = RATE // 100
"""Samples of one level."""

_CODES = bytes(code for code in range(256) if code & 0x7F < 0x70)
_LEVELS = from_mulaw(_CODES)
_ORDER = np.argsort(_LEVELS)


@dataclass(frozen=True, slots=True)
class Stretch:
    """So many samples of one block, in the order in which they came."""

    block: int
    samples: int


def levels(first: int, last: int) -> Pcm:
    """The audio of the blocks from `first` to before `last`."""
    return np.repeat(_LEVELS[np.arange(first, last) % len(_LEVELS)], BLOCK)


def stretches(pcm: Pcm) -> list[Stretch]:
    """The blocks in what came over a line; silence between them is left out.

    A level tells a block up to multiples of 224: steps are taken as forward, so that one back
    shows as a step of nearly that many.
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
