"""What a human is told of the course of a turn, and when nothing is said."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipecat_deescalate.policies import Action, Evidence, Level
from pipecat_deescalate.policies.record import TurnRecord
from pipecat_deescalate.policies.transfer.request import summarize
from pipecat_deescalate.policies.trend import trend_of

from .readings import decision


@pytest.mark.parametrize(
    ("timeline", "said"),
    [
        ((0.2, 0.3, 0.7, 0.9), "anger rose in the second half of the turn"),
        ((0.9, 0.8, 0.3, 0.2), "anger fell in the second half of the turn"),
        ((0.05, 0.1, 0.3, 0.45), None),  # it rose, but to nothing
        ((0.7, 0.8, 0.8, 0.9), None),  # angry from the beginning
        ((0.1, 0.9), None),  # too short for halves
        ((), None),
    ],
)
def test_only_a_clear_course_is_told(timeline: tuple[float, ...], said: str | None) -> None:
    """A human with seconds must not read what says nothing, nor miss what does."""
    assert trend_of(timeline) == said


@given(st.lists(st.floats(0, 1), max_size=60))
def test_a_turn_backwards_has_the_opposite_course(timeline: list[float]) -> None:
    """A half counted twice, or not at all, would favour one direction."""
    there, back = trend_of(timeline), trend_of(timeline[::-1])
    assert (there is None) == (back is None)
    assert there is None or there != back


def test_the_note_tells_the_course_of_the_last_turn() -> None:
    """The summary stays two lines, and speaks of the turn that the human is called for."""
    first = decision(Action.TRANSFER, Level.DISTRESSED)
    reading = first.evidence.reading
    risen = replace(reading, voice=replace(reading.voice, timeline=(0.2, 0.2, 0.8, 0.9)))
    last = replace(first, evidence=Evidence(risen))
    told, cause = summarize([TurnRecord(first), TurnRecord(last)]).split("\n")
    assert told.endswith("; anger rose in the second half of the turn")
    assert cause.startswith("Handed over because")
    assert "anger" not in summarize([TurnRecord(last), TurnRecord(first)])
