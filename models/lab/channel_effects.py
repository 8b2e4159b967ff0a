"""Channel effects: what a telephone line, a room and a speaker's pace do to a clip; seeded.

Every function takes and returns mono float32 at 16 kHz; none changes whether the speaker is angry.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import soundfile
import soxr

from ..readings import SAMPLE_RATE, Samples

TELEPHONE_RATE = 8_000
PACKET_S = 0.02
_MU = 255.0
_LEAST_ROOM_S = 0.01


class Effect(StrEnum):
    """What can happen to a clip, and in which unit."""

    CROP = "crop"  # seconds that are left
    SPEED = "speed"  # relative change of rate and pitch, faster or slower
    NOISE = "noise"  # signal-to-noise ratio in dB
    TILT = "tilt"  # dB gained or lost from 100 Hz to 4 kHz
    OVERDRIVE = "overdrive"  # dB by which the peaks are cut, then mu-law


@dataclass(frozen=True, slots=True)
class Line:
    """How often (as shares of turns) and how much a line changes a turn.

    A line is `clean`, or may have noise (signal-to-noise ratio in dB), a room (seconds until its
    echo is 60 dB down), one of two codecs, and packet loss (the share of packets that are silent).
    Raises ValueError for shares outside 0 to 1 and for ranges whose first value is the greater.
    """

    clean: float
    noise: float
    noise_db: tuple[float, float]
    room: float
    room_s: tuple[float, float]
    mu_law: float
    gsm: float
    loss: float
    lost: tuple[float, float]

    def __post_init__(self) -> None:
        codecs = self.mu_law + self.gsm
        for share in (self.clean, self.noise, self.room, self.loss, *self.lost):
            if not 0 <= share <= 1:
                raise ValueError(f"a share of {share} is not from 0 to 1")
        if min(self.mu_law, self.gsm) < 0 or codecs > 1:
            raise ValueError("mu_law and gsm are shares of at most 1 together")
        for low, high in (self.noise_db, self.room_s, self.lost):
            if low > high:
                raise ValueError(f"the lesser of {low} and {high} must come first")
        if self.room_s[0] < _LEAST_ROOM_S:
            raise ValueError(f"room_s must be at least {_LEAST_ROOM_S}")


def on_a_line(
    samples: Samples, line: Line, noises: Sequence[Samples], rng: np.random.Generator
) -> Samples:
    """Return the clip as it leaves such a line; its length does not change."""
    if rng.random() < line.clean:
        return telephone(samples)
    if rng.random() < line.room:
        samples = in_a_room(samples, rng.uniform(*line.room_s), rng)
    if rng.random() < line.noise:
        noise = noises[int(rng.integers(len(noises)))]
        samples = noisy(samples, noise, rng.uniform(*line.noise_db), rng)
    codec = rng.random()
    if codec < line.gsm:
        samples = gsm(samples)
    else:
        samples = telephone(samples)
        if codec < line.gsm + line.mu_law:
            samples = mu_law(samples)
    if rng.random() < line.loss:
        samples = without_packets(samples, rng.uniform(*line.lost), rng)
    return samples


def telephone(samples: Samples) -> Samples:
    """Return the clip in the band of an 8 kHz line."""
    narrowband = soxr.resample(samples, SAMPLE_RATE, TELEPHONE_RATE)
    return _float32(soxr.resample(narrowband, TELEPHONE_RATE, SAMPLE_RATE))


def with_effect(
    samples: Samples,
    kind: Effect,
    amount: tuple[float, float],
    noises: Sequence[Samples],
    rng: np.random.Generator,
) -> Samples:
    """Return a copy in the telephone band with one effect, its amount drawn from a range.

    `noises` are needed for noise only.
    """
    drawn = rng.uniform(*amount)
    sign = 1 if rng.random() < 0.5 else -1
    match kind:
        case Effect.CROP:
            return telephone(cropped(samples, drawn, rng))
        case Effect.SPEED:
            return telephone(faster(samples, 1 + sign * drawn))
        case Effect.NOISE:
            return telephone(noisy(samples, noises[int(rng.integers(len(noises)))], drawn, rng))
        case Effect.TILT:
            return telephone(tilted(samples, sign * drawn))
        case Effect.OVERDRIVE:
            return mu_law(telephone(overdriven(samples, drawn)))


def cropped(samples: Samples, seconds: float, rng: np.random.Generator) -> Samples:
    """Return a piece at least as loud as the clip is on average; shorter clips stay whole."""
    length = int(seconds * SAMPLE_RATE)
    if samples.size <= length:
        return samples
    energy = np.concatenate([[0.0], np.cumsum(np.square(samples, dtype=np.float64))])
    pieces = energy[length:] - energy[:-length]
    loud = np.flatnonzero(pieces >= min(energy[-1] * length / samples.size, pieces.max()))
    start = int(loud[rng.integers(loud.size)])
    return samples[start : start + length]


def faster(samples: Samples, factor: float) -> Samples:
    """Return the clip played `factor` times as fast, pitch included."""
    return _float32(soxr.resample(samples, SAMPLE_RATE * factor, SAMPLE_RATE))


def tilted(samples: Samples, decibels: float) -> Samples:
    """Return the clip with a spectrum that rises by `decibels` from 100 Hz to 4 kHz."""
    spectrum = np.fft.rfft(samples)
    hertz = np.fft.rfftfreq(samples.size, 1 / SAMPLE_RATE)
    slope = np.log2(np.clip(hertz, 100, 4000) / 100) / np.log2(40)
    return _float32(np.fft.irfft(spectrum * 10 ** (decibels * slope / 20), samples.size))


def noisy(samples: Samples, noise: Samples, snr_db: float, rng: np.random.Generator) -> Samples:
    """Return the clip with a piece of noise (repeated if short) under it."""
    start = int(rng.integers(noise.size))
    piece = np.take(noise, np.arange(start, start + samples.size), mode="wrap")
    level = np.sqrt(np.mean(np.square(samples)) / (np.mean(np.square(piece)) + 1e-12))
    return _float32(samples + piece * level * 10 ** (-snr_db / 20))


def overdriven(samples: Samples, decibels: float) -> Samples:
    """Return the clip with its peaks cut off `decibels` below the highest one."""
    limit = np.abs(samples).max() * 10 ** (-decibels / 20)
    return np.clip(samples, -limit, limit)


def in_a_room(samples: Samples, seconds: float, rng: np.random.Generator) -> Samples:
    """Return the clip with an echo 0 to 8 dB below it that falls by 60 dB in `seconds`."""
    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    echo = rng.standard_normal(time.size) * 10 ** (-3 * time / seconds)
    echo *= 10 ** (-rng.uniform(0, 8) / 20) / np.sqrt(np.square(echo).sum())
    echo[0] += 1
    size = samples.size + time.size
    both = np.fft.rfft(samples, size) * np.fft.rfft(echo, size)
    return _float32(np.fft.irfft(both, size)[: samples.size])


def gsm(samples: Samples) -> Samples:
    """Return the clip after GSM 06.10 full rate (13 kbit/s, 8 kHz)."""
    narrowband = soxr.resample(samples, SAMPLE_RATE, TELEPHONE_RATE)
    coded = io.BytesIO()
    soundfile.write(coded, narrowband, TELEPHONE_RATE, subtype="GSM610", format="WAV")
    coded.seek(0)
    decoded, _ = soundfile.read(coded, dtype="float32")
    wide = _float32(soxr.resample(decoded, TELEPHONE_RATE, SAMPLE_RATE))[: samples.size]
    return np.pad(wide, (0, samples.size - wide.size))


def without_packets(samples: Samples, share: float, rng: np.random.Generator) -> Samples:
    """Return the clip with a share of its 20 ms packets silent: no concealment, the worst case."""
    length = int(PACKET_S * SAMPLE_RATE)
    lost = rng.random(-(-samples.size // length)) < share
    return np.where(np.repeat(lost, length)[: samples.size], np.float32(0), samples)


def mu_law(samples: Samples) -> Samples:
    """Return the clip after 8-bit μ-law (ITU-T G.711's curve, continuous form)."""
    scaled = samples / max(1.0, float(np.abs(samples).max()))
    pressed = np.sign(scaled) * np.log1p(_MU * np.abs(scaled)) / np.log1p(_MU)
    steps = np.round(pressed * 127) / 127
    return _float32(np.sign(steps) * np.expm1(np.abs(steps) * np.log1p(_MU)) / _MU)


def _float32(samples: np.ndarray[tuple[int, ...], np.dtype[np.floating]]) -> Samples:
    return samples.astype(np.float32, copy=False)
