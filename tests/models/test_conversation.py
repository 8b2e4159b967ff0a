"""What the course of a call tells without words."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipecat_deescalate.models.conversation import (
    TurnStats,
    conversation_cues,
    loudness_db,
    reprompts,
)
from pipecat_deescalate.models.readings import Cue

turns = st.builds(
    TurnStats,
    st.floats(0, 60),
    st.none() | st.floats(-90, 0),
    st.none() | st.sampled_from(["city", "time"]),
    st.booleans(),
)


def test_being_asked_the_same_again_is_counted_in_a_row() -> None:
    """Only an unbroken run of the same dialog state is a bot that does not understand."""
    states = ["city", "time", "time", "city", "city", "city"]
    course = [TurnStats(1.0, -20.0, state) for state in states]
    assert [reprompts(course[: n + 1]) for n in range(6)] == [0, 0, 1, 0, 1, 2]
    assert dict(conversation_cues(course))[Cue.REPROMPTED] == "city asked again 2 times"


def test_going_on_without_a_prompt_is_no_reprompt() -> None:
    """A turn that answers no new prompt neither counts nor hides the prompts around it."""
    states = ["city", None, "city", None]
    course = [TurnStats(1.0, -20.0, state) for state in states]
    assert [reprompts(course[: n + 1]) for n in range(4)] == [0, 0, 1, 0]


def test_a_bot_without_dialog_states_is_never_reprompting() -> None:
    """Two unknown states are not the same state."""
    course = [TurnStats(1.0, -20.0), TurnStats(1.0, -20.0)]
    assert reprompts(course) == 0
    assert conversation_cues(course) == ()


def test_ever_shorter_and_louder_needs_both_three_times() -> None:
    """Short answers alone are normal; so is one loud turn."""
    course = [TurnStats(4.0, -30.0), TurnStats(2.0, -26.0), TurnStats(1.0, -22.0)]
    assert Cue.SHORTER_AND_LOUDER in dict(conversation_cues(course))
    assert conversation_cues(course[1:]) == ()
    quieter = [*course[:2], TurnStats(1.0, -27.0)]
    assert conversation_cues(quieter) == ()
    unheard = [*course[:2], TurnStats(1.0, None)]
    assert conversation_cues(unheard) == ()


def test_speaking_over_the_bot_is_a_cue() -> None:
    """It counts in the turn in which it happens, and says how often it did."""
    course = [TurnStats(1.0, -20.0, barge_in=True), TurnStats(1.0, -20.0, barge_in=True)]
    assert conversation_cues(course) == ((Cue.BARGES_IN, "2 of 2 turns"),)


@given(st.lists(turns, max_size=8))
def test_cues_depend_on_the_call_so_far_only(course: list[TurnStats]) -> None:
    """Whatever the call, the same history gives the same cues, each once."""
    cues = conversation_cues(course)
    assert cues == conversation_cues(list(course))
    assert len(dict(cues)) == len(cues)


def test_loudness_is_relative_to_full_scale() -> None:
    """A sine at full scale is 3 dB below it; silence has no loudness."""
    sine = np.sin(np.linspace(0, 200 * math.pi, 16_000)).astype(np.float32)
    assert loudness_db(sine) is not None
    assert abs(loudness_db(sine) + 3.01) < 0.01
    assert loudness_db(np.zeros(10, np.float32)) is None
    assert loudness_db(np.zeros(0, np.float32)) is None
