"""Pitch, level and rate of turns whose pitch, level and rate are known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipecat_deescalate.models.audio.attributes import (
    Attributes,
    Degree,
    Degrees,
    RateUnit,
    degrees,
    description,
    measure,
    norms,
)
from pipecat_deescalate.models.audio.pitch import pitch_hz

from ..audio import noise, speech_like, tone


@pytest.mark.parametrize("rate", [8_000, 16_000])
@pytest.mark.parametrize("hz", [70.0, 98.0, 155.5, 220.0, 333.0, 480.0])
def test_the_pitch_of_a_tone_is_found_in_every_frame(hz: float, rate: int) -> None:
    """An octave too high or too low is the usual fault of such methods."""
    found = pitch_hz(tone(0.5, rate, hz=hz), rate)
    assert np.abs(found / hz - 1).max() < 0.002


def test_a_voice_without_its_fundamental_has_its_pitch_all_the_same() -> None:
    """A telephone band leaves out what lies below 300 Hz; the period is still there."""
    voice = sum(tone(0.5, 8_000, hz=120.0 * n, level=0.1) for n in range(3, 12))
    found = pitch_hz(np.asarray(voice, np.float32), 8_000)
    assert np.abs(found / 120 - 1).max() < 0.005


def test_noise_and_silence_have_no_pitch() -> None:
    """A pitch made up from noise would be reasoned from."""
    assert np.isnan(pitch_hz(noise(1.0), 16_000)).mean() > 0.98
    assert np.isnan(pitch_hz(np.zeros(16_000, np.float32), 16_000)).all()
    assert pitch_hz(np.zeros(10, np.float32), 16_000).size == 0


@pytest.mark.parametrize("seed", range(3))
def test_what_is_like_speech_has_the_pitch_and_pace_that_it_was_made_with(seed: int) -> None:
    """Four syllables a second around 140 Hz; the level follows the gain, the rest does not."""
    audio = speech_like(3.0, seed=seed)
    heard, softer = measure(audio, 16_000), measure(audio / 4, 16_000)
    assert heard.pitch_hz == pytest.approx(140, rel=0.1)
    assert heard.rate_per_s == pytest.approx(4, rel=0.15)
    assert heard.energy_db is not None
    assert softer.energy_db == pytest.approx(heard.energy_db - 12.04, abs=0.01)
    assert softer.rate_per_s == pytest.approx(heard.rate_per_s, rel=0.1)


def test_silence_around_a_turn_changes_nothing() -> None:
    """How tightly a turn was cut must not make a caller slow or soft."""
    audio = speech_like(2.0, seed=4)
    padded = np.pad(audio, 16_000)
    near, far = (
        measure(audio, 16_000, "one two three"),
        measure(padded, 16_000, "one two three"),
    )
    assert far.rate_per_s == pytest.approx(near.rate_per_s, rel=0.05)
    assert far.energy_db == pytest.approx(near.energy_db, abs=0.3)
    assert near.rate_unit is RateUnit.WORDS


@pytest.mark.parametrize("audio", [np.zeros(0), np.zeros(100), np.zeros(16_000)])
def test_nothing_is_heard_in_nothing(audio: np.ndarray) -> None:
    """Empty and silent turns have unknown attributes, not low ones."""
    heard = measure(audio.astype(np.float32), 16_000)
    assert heard == Attributes(None, None, None, RateUnit.SYLLABLES)


@given(
    st.lists(st.floats(-1, 1, width=32), max_size=40),
    st.integers(0, 2_000),
    st.sampled_from([8_000, 16_000, 44_100]),
)
def test_whatever_was_said_is_measured(said: list[float], around: int, rate: int) -> None:
    """A click at the very end, a single sample: a live reading is made beside this."""
    heard = measure(np.pad(np.array(said, np.float32), (around, 0)), rate, "two words")
    for value in (heard.pitch_hz, heard.energy_db, heard.rate_per_s):
        assert value is None or np.isfinite(value)


def turn(pitch: float | None, rate: float, unit: RateUnit = RateUnit.WORDS) -> Attributes:
    return Attributes(pitch, -20.0, rate, unit)


def test_degrees_begin_one_standard_deviation_from_the_mean() -> None:
    """At the bound a value is still medium; beyond it, it is not."""
    usual = norms([turn(100, 2), turn(120, 3), turn(140, 4)], RateUnit.WORDS)
    assert usual.pitch_hz is not None
    edge = usual.pitch_hz.mean + usual.pitch_hz.deviation
    assert degrees(turn(edge, 3), usual).pitch is Degree.MEDIUM
    assert degrees(turn(edge + 0.1, 1), usual) == Degrees(Degree.HIGH, Degree.MEDIUM, Degree.LOW)


def test_what_cannot_be_compared_is_not() -> None:
    """Syllables are no words, two turns are no norm, and a whisper has no pitch."""
    usual = norms([turn(None, 2), turn(120, 3), turn(140, 4)], RateUnit.WORDS)
    assert usual.pitch_hz is None
    found = degrees(turn(100, 9, RateUnit.SYLLABLES), usual)
    assert (found.pitch, found.rate) == (None, None)


def test_the_description_says_what_is_known_and_no_more() -> None:
    """A model learns to say what it is shown: an unknown pitch must not be spoken of."""
    heard = Attributes(None, -12.3, 5.25, RateUnit.SYLLABLES)
    found = Degrees(None, Degree.HIGH, Degree.MEDIUM)
    assert description(heard, found, own_turns=True) == (
        "Compared with this caller's other turns, the voice is loud (-12 dB) and the speech is of "
        "medium pace (5.2 syllables a second)."
    )
    assert description(heard, Degrees(None, None, None), own_turns=False) is None
