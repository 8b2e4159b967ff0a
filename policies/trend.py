"""Whether the caller's anger clearly rose or fell within a turn."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

_LEAST_WINDOWS = 3
_CLEAR = 0.25
"""How far apart the halves of a turn must be, in probability."""


def trend_of(timeline: Sequence[float]) -> str | None:
    """How the caller's anger changed within a turn, in words; None if it did not clearly change.

    Takes `EmotionReading.timeline`. One half of the turn must be more likely negative than not,
    and clearly more so than the other.
    """
    if len(timeline) < _LEAST_WINDOWS:
        return None
    half = len(timeline) // 2
    before, after = fmean(timeline[:half]), fmean(timeline[-half:])
    if after - before >= _CLEAR and after >= 0.5:
        return "anger rose in the second half of the turn"
    if before - after >= _CLEAR and before >= 0.5:
        return "anger fell in the second half of the turn"
    return None
