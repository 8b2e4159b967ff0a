"""Who spoke when: prompts and barge-ins of a live call, told as those of a recorded one are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipecat_deescalate.agent.replay.transcript import Transcript, TranscriptLine
from pipecat_deescalate.models.reader import VoiceTurn
from pipecat_deescalate.models.readings import EmotionReading
from pipecat_deescalate.processors.session.bot_speech import BotSpeechTracker

VOICE = EmotionReading(0.5, "test", 1.0, 0.0)
speaking = st.lists(st.floats(0.05, 4.0), min_size=2, max_size=20)
taking_turns = st.lists(st.floats(0.2, 4.0), min_size=2, max_size=20)
"""Speech and the pause that ends a turn: the next one never begins within `BARGE_IN_S`."""


def stretches(spans: list[float]) -> list[tuple[float, float]]:
    """Silence and speech in turns."""
    at, found = 0.0, []
    for gap, length in zip(spans[::2], spans[1::2], strict=False):
        found.append((at + gap, at + gap + length))
        at += gap + length
    return found


@given(speaking, taking_turns)
def test_a_live_call_is_told_as_its_recording(bot: list[float], caller: list[float]) -> None:
    """A policy tuned on recordings must meet the same cues on the line."""
    said, turns = stretches(bot), stretches(caller)
    utterances = [
        TranscriptLine(start_s=a, end_s=b, text="?", speaker="bot", dialog_state="asks")
        for a, b in said
    ]
    heard = [VoiceTurn(i, a, b, None, VOICE) for i, (a, b) in enumerate(turns)]
    tracker = BotSpeechTracker()
    steps = [(a, tracker.bot_started) for a, _ in said] + [
        (b, tracker.bot_stopped) for _, b in said
    ]
    steps += [(a, tracker.caller_began) for a, _ in turns]
    live = []
    for at, step in sorted(steps, key=lambda pair: (pair[0], pair[1] == tracker.bot_started)):
        if live:
            live[-1] = (live[-1][0], live[-1][1] or tracker.barge_in(at))
        step(at)
        if step == tracker.caller_began:
            live.append((tracker.prompted, False))
    words = Transcript(utterances).align(heard)
    assert [prompted for prompted, _ in live] == [one.prompted for one in words]
    assert [over for _, over in live][:-1] == [one.barge_in for one in words][:-1]


@pytest.mark.parametrize(
    ("stops_s", "cut", "expected"),
    [(9.9, False, False), (10.25, False, False), (10.35, False, True), (10.25, True, True)],
    ids=["before", "a little", "long", "cut off"],
)
def test_a_barge_in_is_more_than_a_quick_answer(
    stops_s: float, *, cut: bool, expected: bool
) -> None:
    """People answer before a prompt is quite over; that is not impatience."""
    tracker = BotSpeechTracker()
    tracker.bot_started(8.0)
    if stops_s < 10.0:
        tracker.bot_stopped(stops_s)
    tracker.caller_began(10.0)
    if cut:
        tracker.interrupted()
    if stops_s >= 10.0:
        tracker.bot_stopped(stops_s)
    tracker.bot_started(12.0)
    assert tracker.barge_in(13.0) is expected


def test_a_barge_in_is_known_while_the_bot_goes_on() -> None:
    """A bot that cannot be interrupted may still speak when the turn is read."""
    tracker = BotSpeechTracker()
    tracker.bot_started(8.0)
    tracker.caller_began(10.0)
    assert not tracker.barge_in(10.2)
    assert tracker.barge_in(11.0)


def test_a_bot_that_never_spoke_was_not_interrupted() -> None:
    """A caller who speaks first interrupts nobody."""
    tracker = BotSpeechTracker()
    tracker.interrupted()
    tracker.caller_began(1.0)
    assert not tracker.prompted
    assert not tracker.barge_in(2.0)
