"""The changes do to a clip what their names say, and no more."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipecat_deescalate.models.lab.channel_effects import (
    Effect,
    Line,
    cropped,
    faster,
    gsm,
    in_a_room,
    mu_law,
    noisy,
    on_a_line,
    overdriven,
    telephone,
    tilted,
    with_effect,
)
from pipecat_deescalate.models.readings import Samples

from ..audio import noise, speech_like, tone

RATE = 16_000
AMOUNTS = {
    Effect.CROP: (0.5, 1.0),
    Effect.SPEED: (0.1, 0.2),
    Effect.NOISE: (5.0, 10.0),
    Effect.TILT: (4.0, 8.0),
    Effect.OVERDRIVE: (3.0, 9.0),
}


def _level(samples: Samples, low_hz: float, high_hz: float) -> float:
    """Power between two frequencies in dB."""
    power = np.abs(np.fft.rfft(samples)) ** 2
    hertz = np.fft.rfftfreq(samples.size, 1 / RATE)
    return float(10 * np.log10(power[(hertz >= low_hz) & (hertz < high_hz)].sum() + 1e-12))


@pytest.mark.parametrize("kind", Effect)
def test_a_change_is_seeded_and_changes_something(kind: Effect) -> None:
    """A copy that cannot be drawn again, or that is the clip itself, spoils a training run."""
    clip, noises = speech_like(2.0), [noise(1.0, seed=4)]
    one, again, other = (
        with_effect(clip, kind, AMOUNTS[kind], noises, np.random.default_rng(seed))
        for seed in (1, 1, 2)
    )
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)
    assert not np.array_equal(one, telephone(clip))
    assert one.dtype == np.float32
    assert np.isfinite(one).all()


def test_the_telephone_band_ends_at_4_khz() -> None:
    """What a line cannot carry must not help in training or evaluation."""
    through = telephone(noise(2.0))
    assert _level(through, 300, 3_000) - _level(through, 4_200, 8_000) > 40


def test_a_cut_is_not_silence() -> None:
    """A piece of silence labelled angry teaches nothing."""
    clip = np.concatenate([np.zeros(3 * RATE, np.float32), tone(1.0)])
    for seed in range(10):
        piece = cropped(clip, 0.5, np.random.default_rng(seed))
        assert piece.size == RATE // 2
        assert np.mean(piece**2) > 0.2 * np.mean(tone(1.0) ** 2)


def test_a_short_clip_stays_whole() -> None:
    """There is nothing to cut from a clip that is shorter than the cut."""
    clip = tone(0.4)
    assert cropped(clip, 0.5, np.random.default_rng(0)) is clip


def test_faster_is_shorter_and_higher() -> None:
    """Speed moves rate and pitch together, as another speaker would."""
    quick = faster(tone(1.0, hz=400.0), 1.25)
    assert quick.size == pytest.approx(RATE / 1.25, abs=2)
    assert _level(quick, 480, 520) > _level(quick, 380, 420) + 20


def test_noise_lies_as_far_under_the_clip_as_asked() -> None:
    """The stated signal-to-noise ratio is what the recipe was chosen by."""
    clip = speech_like(2.0)
    added = noisy(clip, noise(0.7, level=0.01), 10.0, np.random.default_rng(0)) - clip
    ratio = 10 * np.log10(np.mean(clip**2) / np.mean(added**2))
    assert ratio == pytest.approx(10.0, abs=0.2)


def test_a_tilt_lifts_the_high_end_only() -> None:
    """Another microphone changes the balance of a voice, not its low end."""
    clip = noise(2.0)
    brighter = tilted(clip, 6.0)
    assert _level(brighter, 50, 100) == pytest.approx(_level(clip, 50, 100), abs=0.1)
    assert _level(brighter, 4_000, 8_000) - _level(clip, 4_000, 8_000) == pytest.approx(6, abs=0.1)


def test_overdrive_cuts_peaks_and_mu_law_stays_close() -> None:
    """Both are what cheap lines do: audible, not destructive."""
    clip = speech_like(1.0)
    assert np.abs(overdriven(clip, 6.0)).max() == pytest.approx(np.abs(clip).max() / 2, rel=0.01)
    coded = mu_law(clip)
    assert 10 * np.log10(np.mean(clip**2) / np.mean((coded - clip) ** 2)) > 25


BAD_LINE = Line(
    clean=0.2,
    noise=0.5,
    noise_db=(5.0, 20.0),
    room=0.5,
    room_s=(0.15, 0.6),
    mu_law=0.3,
    gsm=0.3,
    loss=0.5,
    lost=(0.02, 0.1),
)


@pytest.mark.parametrize("seed", range(12))
def test_a_line_neither_shifts_nor_cuts_a_turn(seed: int) -> None:
    """A student that is trained frame by frame would learn from frames of another moment."""
    clip = np.zeros(16_000, np.float32)
    clip[6_000:10_000] = speech_like(0.25, seed=2)[:4_000]
    heard = on_a_line(clip, BAD_LINE, [noise(1.0, seed=4)], np.random.default_rng(seed))
    assert heard.shape == clip.shape
    assert heard.dtype == np.float32
    wide = np.square(heard).reshape(-1, 1_000).sum(axis=1)
    assert 6 <= int(wide.argmax()) <= 10


def test_a_clean_line_is_the_telephone_band_alone() -> None:
    """The clean share keeps the student good on clean audio."""
    clip = speech_like(1.0, seed=1)
    line = replace(BAD_LINE, clean=1.0)
    heard = on_a_line(clip, line, [], np.random.default_rng(0))
    assert np.array_equal(heard, telephone(clip))


def test_a_codec_and_a_room_leave_the_words_and_change_the_sound() -> None:
    """Were they to do nothing, or to leave no speech, the student would learn nothing from them."""
    clip = telephone(speech_like(1.5, seed=6))
    for heard in (gsm(clip), in_a_room(clip, 0.3, np.random.default_rng(1))):
        assert heard.shape == clip.shape
        assert 0.5 < np.corrcoef(clip, heard)[0, 1] < 0.999
