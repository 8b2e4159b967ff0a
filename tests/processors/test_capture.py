"""The caller's turns, cut out of a live call by what VAD and turn strategies report."""

from __future__ import annotations

import numpy as np
import pytest

from pipecat_deescalate.processors.session.capture import STALE_S, TurnCapture

from ..audio import noise, pcm16


def feed(capture: TurnCapture, seconds: float, rate: int, *, channels: int = 1) -> None:
    for _ in range(round(seconds * 50)):
        frame = np.frombuffer(pcm16(noise(0.02, rate)), "<i2")
        capture.audio(np.repeat(frame, channels).tobytes(), rate, channels)


@pytest.mark.parametrize("rate", [8_000, 16_000, 24_000, 48_000])
@pytest.mark.parametrize("channels", [1, 2])
def test_a_turn_has_its_pre_roll_at_every_rate(rate: int, channels: int) -> None:
    """Telephone and web calls differ in rate; the turn must be the same stretch of time."""
    capture = TurnCapture(rate)
    feed(capture, 2.0, rate, channels=channels)
    assert capture.speech_started(0.2)
    capture.turn_started()
    feed(capture, 1.0, rate, channels=channels)
    audio = capture.speech_stopped(0.2)
    assert audio is not None
    assert audio.started_at_s == pytest.approx(1.8)
    assert audio.ended_at_s == pytest.approx(2.8)
    assert len(audio.samples) / rate == pytest.approx(0.5 + 1.0 + 0.1)
    assert capture.turn_stopped() is None


def test_pauses_belong_to_the_turn() -> None:
    """A caller who breathes in mid-sentence must not lose the first half of it."""
    capture = TurnCapture(8_000)
    capture.speech_started(0.0)
    capture.turn_started()
    feed(capture, 1.0, 8_000)
    first = capture.speech_stopped(0.2)
    feed(capture, STALE_S + 1.0, 8_000)
    assert not capture.speech_started(0.2)
    feed(capture, 1.0, 8_000)
    second = capture.speech_stopped(0.2)
    assert first is not None
    assert second is not None
    assert first.index == second.index
    assert second.started_at_s == first.started_at_s == 0.0
    assert second.ended_at_s == pytest.approx(STALE_S + 2.8)


def test_a_cough_between_turns_is_forgotten() -> None:
    """Else the next turn would begin with it and with all the silence since."""
    capture = TurnCapture(8_000)
    feed(capture, 1.0, 8_000)
    capture.speech_started(0.2)
    feed(capture, 0.3, 8_000)
    capture.speech_stopped(0.2)
    feed(capture, 10.0, 8_000)
    assert capture.speech_started(0.2)
    capture.turn_started()
    feed(capture, 1.0, 8_000)
    audio = capture.speech_stopped(0.2)
    assert audio is not None
    assert audio.started_at_s == pytest.approx(11.1)


def test_speech_just_before_its_turn_belongs_to_it() -> None:
    """Strategies that wait for words open the turn after the first stretch of speech."""
    capture = TurnCapture(8_000)
    feed(capture, 1.0, 8_000)
    capture.speech_started(0.2)
    feed(capture, 1.0, 8_000)
    capture.speech_stopped(0.2)
    feed(capture, 0.5, 8_000)
    assert not capture.speech_started(0.2)
    capture.turn_started()


def test_a_turn_that_ends_in_mid_speech_is_given_out() -> None:
    """A turn cut off by a time limit has no VAD stop of its own."""
    capture = TurnCapture(8_000)
    capture.speech_started(0.0)
    capture.turn_started()
    feed(capture, 1.0, 8_000)
    audio = capture.turn_stopped()
    assert audio is not None
    assert len(audio.samples) == 8_000


def test_a_turn_without_speech_has_no_samples() -> None:
    """A turn that only the transcript knows is a turn; what was heard around it is not its own."""
    capture = TurnCapture(8_000)
    capture.has_vad()
    feed(capture, 3.0, 8_000)
    capture.turn_started()
    feed(capture, 1.0, 8_000)
    audio = capture.turn_stopped()
    assert audio is not None
    assert audio.samples.size == 0
    assert audio.started_at_s == audio.ended_at_s == pytest.approx(4.0)
    assert capture.turn_stopped() is None


def test_another_rate_in_mid_call_starts_anew() -> None:
    """A transport that renegotiates its rate must not turn speech into chirps."""
    capture = TurnCapture(16_000)
    feed(capture, 2.0, 16_000)
    feed(capture, 1.0, 8_000)
    capture.speech_started(0.0)
    feed(capture, 1.0, 8_000)
    audio = capture.speech_stopped(0.0)
    assert audio is not None
    assert audio.sample_rate == capture.sample_rate == 8_000
    assert audio.started_at_s == pytest.approx(3.0)
    assert capture.elapsed_s == pytest.approx(4.0)


def test_vad_frames_out_of_order_do_no_harm() -> None:
    """A stop before any start, or twice, comes from muting and from restarts."""
    capture = TurnCapture(8_000)
    assert capture.speech_stopped(0.2) is None
    assert capture.turn_stopped() is None
    capture.speech_started(0.2)
    capture.speech_started(0.2)
    feed(capture, 1.0, 8_000)
    assert capture.speech_stopped(0.2) is not None
    assert capture.speech_stopped(0.2) is not None


def test_without_a_vad_a_turn_is_heard_from_its_start_to_its_stop() -> None:
    """Where STT decides the turns no VAD frame ever comes; the caller must be heard still."""
    capture = TurnCapture(8_000)
    feed(capture, 3.0, 8_000)
    assert capture.turn_started()
    feed(capture, 2.0, 8_000)
    audio = capture.turn_stopped()
    assert audio is not None
    assert (audio.started_at_s, audio.ended_at_s) == (pytest.approx(3.0), pytest.approx(5.0))
    assert len(audio.samples) == 8_000 * (0.5 + 2.0)


def test_a_vad_that_speaks_up_in_a_turn_is_believed() -> None:
    """Where both report, the VAD knows better when speech began and ended."""
    capture = TurnCapture(8_000)
    capture.turn_started()
    feed(capture, 1.0, 8_000)
    assert not capture.speech_started(0.2)
    feed(capture, 1.0, 8_000)
    audio = capture.speech_stopped(0.2)
    assert audio is not None
    assert audio.ended_at_s == pytest.approx(1.8)
    assert capture.turn_stopped() is None


def test_a_cough_hides_no_turn_without_speech() -> None:
    """A turn that only the transcript knows still is one, however long ago somebody coughed."""
    capture = TurnCapture(8_000)
    capture.speech_started(0.2)
    feed(capture, 0.3, 8_000)
    capture.speech_stopped(0.2)
    feed(capture, 5.0, 8_000)
    assert capture.drop_stale()
    assert not capture.drop_stale()
    capture.turn_started()
    feed(capture, 1.0, 8_000)
    audio = capture.turn_stopped()
    assert audio is not None
    assert audio.samples.size == 0
    assert audio.started_at_s == pytest.approx(6.3)


def test_a_mute_ends_speech_whose_stop_is_lost() -> None:
    """Else the turn would hold all the silence of the mute, and the next turn with it."""
    capture = TurnCapture(8_000)
    capture.speech_started(0.0)
    capture.turn_started()
    feed(capture, 1.0, 8_000)
    before = capture.muted()
    feed(capture, 5.0, 8_000)
    capture.unmuted()
    feed(capture, 3.0, 8_000)
    assert before is not None
    assert before.ended_at_s == pytest.approx(1.0)
    assert capture.speech_started(0.0)
    feed(capture, 1.0, 8_000)
    after = capture.speech_stopped(0.0)
    assert after is not None
    assert (after.started_at_s, after.ended_at_s) == (pytest.approx(9.0), pytest.approx(10.0))
    assert capture.muted() is None


@pytest.mark.parametrize(("speaks_s", "ends_s"), [(0.2, 1.0), (2.0, 5.0)])
def test_who_speaks_on_after_a_mute_is_heard(speaks_s: float, ends_s: float) -> None:
    """A VAD that was deaf meanwhile reports no new start; its late stop alone is no speech."""
    capture = TurnCapture(8_000)
    capture.speech_started(0.0)
    capture.turn_started()
    feed(capture, 1.0, 8_000)
    capture.muted()
    feed(capture, 2.0, 8_000)
    capture.unmuted()
    feed(capture, speaks_s + 0.2, 8_000)
    audio = capture.speech_stopped(0.2)
    assert audio is not None
    assert audio.ended_at_s == pytest.approx(ends_s)


def test_without_a_vad_a_turn_goes_on_after_a_mute() -> None:
    """Its next start is the next turn's; what is left of this one must be heard."""
    capture = TurnCapture(8_000)
    capture.turn_started()
    feed(capture, 1.0, 8_000)
    assert capture.muted() is not None
    feed(capture, 1.0, 8_000)
    capture.unmuted()
    feed(capture, 1.0, 8_000)
    audio = capture.turn_stopped()
    assert audio is not None
    assert audio.ended_at_s == pytest.approx(3.0)
