"""Where turns start and end in a recording."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from pipecat.audio.vad.silero import SileroVADAnalyzer
from pipecat.audio.vad.vad_analyzer import VADParams, VADState

from pipecat_deescalate.agent.replay.segments import TurnRules, VoiceActivity, cut_turns, find_turns
from pipecat_deescalate.agent.replay.vad import SAMPLE_RATE, WINDOW, WINDOW_MS, SileroVad
from pipecat_deescalate.models.audio.recording import CallerChannel, open_call

from ...audio import noise

CALL = Path(__file__).parents[3] / "examples" / "calls" / "synthetic_escalating.ogg"


@pytest.fixture(scope="module")
def windows() -> list[np.ndarray]:
    """A call in windows, on the grid of 16-bit samples that Pipecat's analyzer takes."""
    with open_call(CALL, caller_channel=CallerChannel.LEFT, block_ms=WINDOW_MS) as call:
        pieces = [block for block in call if len(block) == WINDOW]
    return [np.trunc(piece * 32_768) / np.float32(32_768) for piece in pieces]


def pcm(window: np.ndarray) -> bytes:
    return np.clip(window * 32_768, -32_768, 32_767).astype(np.int16).tobytes()


async def test_speech_is_heard_as_pipecat_hears_it(windows: list[np.ndarray]) -> None:
    """A recorded call must be cut where a live one would be, resets of the model included."""
    params = VADParams(start_secs=0.2, stop_secs=0.2, confidence=0.7, min_volume=0.0)
    theirs = SileroVADAnalyzer(sample_rate=SAMPLE_RATE, params=params)
    theirs.set_sample_rate(SAMPLE_RATE)
    ours = VoiceActivity(TurnRules())
    talking = (VADState.SPEAKING, VADState.STOPPING)
    heard = [(ours.update(w), await theirs.analyze_audio(pcm(w)) in talking) for w in windows]
    await theirs.cleanup()
    assert sum(a for a, _ in heard) > 100
    assert all(a == b for a, b in heard)


def test_confidence_is_that_of_pipecat(windows: list[np.ndarray]) -> None:
    """The bare model, context and state carried over, must score each window alike."""
    theirs = SileroVADAnalyzer(sample_rate=SAMPLE_RATE)
    theirs.set_sample_rate(SAMPLE_RATE)
    ours = SileroVad()
    for window in windows:
        expected = np.asarray(theirs.voice_confidence(pcm(window))).item()
        assert ours.confidence(window, quiet=True) == pytest.approx(expected, abs=1e-5)


def test_no_speech_gives_no_turn() -> None:
    """Hiss, or a call of one window, must not become a turn."""
    hiss = noise(3.0, SAMPLE_RATE, level=0.01)
    blocks = [hiss[at : at + WINDOW] for at in range(0, len(hiss), WINDOW)]
    assert list(find_turns(blocks, TurnRules())) == []
    assert list(find_turns([], TurnRules())) == []
    assert list(find_turns([hiss[:10]], TurnRules())) == []


def test_a_shorter_gap_makes_more_turns(windows: list[np.ndarray]) -> None:
    """The gap is what an operator sets to match the bot's own patience."""
    few = list(find_turns(windows, TurnRules(gap_s=3.0)))
    many = list(find_turns(windows, TurnRules(gap_s=0.25)))
    assert len(few) <= 5 <= len(many)
    assert [turn.index for turn in many] == list(range(len(many)))
    assert all(a.ended_at_s <= b.started_at_s for a, b in pairwise(many))


@pytest.mark.parametrize("windows_left", [0, 30, 45])
def test_turns_cut_by_their_times_are_the_turns_found(
    windows: list[np.ndarray], windows_left: int
) -> None:
    """A recording that is heard again by a new model must be heard in the very same turns."""
    call = windows[: len(windows) - windows_left]
    found = list(find_turns(call, TurnRules()))
    again = list(
        cut_turns(iter(call), [(turn.started_at_s, turn.ended_at_s) for turn in found], TurnRules())
    )
    assert len(found) >= 4
    for one, other in zip(found, again, strict=True):
        assert (one.index, one.started_at_s) == (other.index, other.started_at_s)
        assert one.ended_at_s == other.ended_at_s
        assert np.array_equal(one.samples, other.samples)
