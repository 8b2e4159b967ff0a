"""How a turn sounds, in words: pitch, energy and speaking rate, each low, medium or high.

As in C²SER (Zhao et al., arXiv:2502.18186): a value is low or high if it is more than one standard
deviation from the mean, of a corpus or of this caller's own turns. The human who takes a
call reads this about the caller, and a model learns to reason from it (`training.reasoning`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from ..conversation import loudness_db
from ..readings import Samples
from .pitch import HOP_S as _PITCH_HOP_S
from .pitch import pitch_hz
from .samples import resample

_RATE = 8_000
"""Everything is measured in the telephone band, so that all lines compare."""
_HOP_S = 0.01
_FRAME_S = 0.05
_SMOOTHED_FRAMES = 5
_SPEECH_RANGE_DB = 25.0
_DIP_DB = 2.0
_MIN_TURNS = 3


class RateUnit(StrEnum):
    """What a speaking rate counts; rates of different units are never compared."""

    WORDS = "words"
    SYLLABLES = "syllables"


class Degree(StrEnum):
    """Where a value lies: within one standard deviation of the mean, below or above."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


@dataclass(frozen=True, slots=True)
class Attributes:
    """One turn: median pitch, level of its speech in dB of full scale, words or syllables a second.

    None is what could not be measured: no pitch in a whisper, no level in silence.
    """

    pitch_hz: float | None
    energy_db: float | None
    rate_per_s: float | None
    rate_unit: RateUnit


@dataclass(frozen=True, slots=True)
class Spread:
    """Mean and standard deviation of the turns that a turn is compared with."""

    mean: float
    deviation: float

    def degree(self, value: float) -> Degree:
        """Where a value lies."""
        if value < self.mean - self.deviation:
            return Degree.LOW
        return Degree.HIGH if value > self.mean + self.deviation else Degree.MEDIUM


@dataclass(frozen=True, slots=True)
class Norms:
    """What is usual, each None with fewer than three turns; the rate is in `rate_unit`."""

    pitch_hz: Spread | None
    energy_db: Spread | None
    rate_per_s: Spread | None
    rate_unit: RateUnit


@dataclass(frozen=True, slots=True)
class Degrees:
    """The attributes of a turn against norms; None where one of the two is not known."""

    pitch: Degree | None
    energy: Degree | None
    rate: Degree | None


def measure(samples: Samples, sample_rate: int, text: str | None = None) -> Attributes:
    """Measure a turn's audio, mono; with its words the speaking rate is counted in words.

    Raises:
        SamplesError: a sample rate from 8,000 to 48,000 Hz is needed.
    """
    unit = RateUnit.WORDS if text else RateUnit.SYLLABLES
    audio = resample(samples, sample_rate, _RATE)
    levels = _levels_db(audio)
    spoken = _spoken(levels)
    if spoken is None:
        return Attributes(None, None, None, unit)
    pitches = pitch_hz(audio, _RATE)
    voiced = pitches[~np.isnan(pitches)]
    hop = round(_HOP_S * _RATE)
    speech = audio[spoken.start * hop : spoken.stop * hop]
    count = len(text.split()) if text else _syllables(levels, pitches)
    return Attributes(
        pitch_hz=float(np.median(voiced)) if voiced.size else None,
        energy_db=loudness_db(speech),
        rate_per_s=count * _RATE / speech.size if count and speech.size else None,
        rate_unit=unit,
    )


def norms(turns: Sequence[Attributes], rate_unit: RateUnit) -> Norms:
    """What is usual in these turns: a corpus, or the same caller's turns before."""
    rates = [turn.rate_per_s for turn in turns if turn.rate_unit is rate_unit]
    return Norms(
        pitch_hz=_spread([turn.pitch_hz for turn in turns]),
        energy_db=_spread([turn.energy_db for turn in turns]),
        rate_per_s=_spread(rates),
        rate_unit=rate_unit,
    )


def degrees(turn: Attributes, usual: Norms) -> Degrees:
    """Where a turn's attributes lie."""
    same_unit = turn.rate_unit is usual.rate_unit
    return Degrees(
        pitch=_degree(turn.pitch_hz, usual.pitch_hz),
        energy=_degree(turn.energy_db, usual.energy_db),
        rate=_degree(turn.rate_per_s, usual.rate_per_s if same_unit else None),
    )


_PITCH = {Degree.LOW: "low", Degree.MEDIUM: "of medium height", Degree.HIGH: "high"}
_ENERGY = {Degree.LOW: "soft", Degree.MEDIUM: "of medium loudness", Degree.HIGH: "loud"}
_RATES = {Degree.LOW: "slow", Degree.MEDIUM: "of medium pace", Degree.HIGH: "fast"}


def description(turn: Attributes, found: Degrees, *, own_turns: bool) -> str | None:
    """A sentence on how a turn sounds, and against what; None where nothing can be compared.

    `own_turns` says that the norms were this caller's; what is not known is not mentioned.
    """
    parts = []
    if found.pitch is not None:
        parts.append(f"the pitch is {_PITCH[found.pitch]} ({turn.pitch_hz:.0f} Hz)")
    if found.energy is not None:
        parts.append(f"the voice is {_ENERGY[found.energy]} ({turn.energy_db:.0f} dB)")
    if found.rate is not None:
        rate = f"{turn.rate_per_s:.1f} {turn.rate_unit.value} a second"
        parts.append(f"the speech is {_RATES[found.rate]} ({rate})")
    if not parts:
        return None
    against = "this caller's other turns" if own_turns else "other callers"
    listed = " and ".join([*([", ".join(parts[:-1])] if parts[:-1] else []), parts[-1]])
    return f"Compared with {against}, {listed}."


def _degree(value: float | None, usual: Spread | None) -> Degree | None:
    return None if value is None or usual is None else usual.degree(value)


def _spread(values: Sequence[float | None]) -> Spread | None:
    known = [value for value in values if value is not None]
    if len(known) < _MIN_TURNS:
        return None
    return Spread(float(np.mean(known)), float(np.std(known)))


def _levels_db(samples: Samples) -> NDArray[np.float64]:
    """The level around every `_HOP_S`, smoothed; at least -120."""
    hop, half = round(_HOP_S * _RATE), round(_FRAME_S * _RATE / 2)
    power = np.cumsum(np.pad(np.square(samples, dtype=np.float64), (half + 1, half)))
    means = (power[2 * half :] - power[: -2 * half])[::hop] / (2 * half)
    kernel = np.hanning(_SMOOTHED_FRAMES + 2)[1:-1]
    smooth = np.convolve(means, kernel / kernel.sum(), mode="same")
    return 10 * np.log10(np.maximum(smooth, 1e-12))


def _spoken(levels: NDArray[np.float64]) -> range | None:
    """The frames from the first to the last speech; None in silence."""
    loud = np.flatnonzero(levels > max(_floor_db(levels), -90.0)) if levels.size else levels
    return range(int(loud[0]), int(loud[-1]) + 1) if loud.size else None


def _floor_db(levels: NDArray[np.float64]) -> float:
    return float(np.quantile(levels, 0.99)) - _SPEECH_RANGE_DB


def _syllables(levels: NDArray[np.float64], pitches: NDArray[np.float32]) -> int:
    """Count syllable nuclei: voiced peaks of the level with a dip of 2 dB before and after.

    N. de Jong and T. Wempe, Behavior Research Methods 41(2), 2009; with the threshold of their
    script's second version, 25 dB below the 99 % quantile of the level.
    """
    floor, count, rising = _floor_db(levels), 0, True
    every = round(_PITCH_HOP_S / _HOP_S)
    low = peak = -math.inf
    peak_at = 0
    for at, level in enumerate([*levels, -math.inf]):
        if rising and level > peak:
            peak, peak_at = level, at
        elif rising and peak - level >= _DIP_DB:
            voiced = pitches[max(0, (peak_at - 3) // every) : (peak_at + 3) // every + 1]
            count += bool(peak > floor and not np.isnan(voiced).all())
            rising, low = False, level
        elif not rising and level - low >= _DIP_DB:
            rising, peak, peak_at = True, level, at
        elif not rising:
            low = min(low, level)
    return count
