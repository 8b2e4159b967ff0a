"""Erlang C against published values and against a queue that is played out."""

from __future__ import annotations

import heapq

import numpy as np
import pytest

from pipecat_deescalate.agent.replay.simulate.statistics.staffing import (
    Service,
    agents_needed,
    answered_within,
    waiting_probability,
)


@pytest.mark.parametrize(
    ("agents", "erlangs", "expected"), [(1, 0.5, 0.5), (2, 1.0, 1 / 3), (5, 4.0, 0.554)]
)
def test_waiting_probability(agents: int, erlangs: float, expected: float) -> None:
    """One server waits as often as it is busy; the others are in every table of Erlang C."""
    assert waiting_probability(agents, erlangs) == pytest.approx(expected, abs=5e-4)


def test_a_queue_played_out_waits_as_the_formula_says() -> None:
    """A formula with a slip would send too few people to work."""
    rng = np.random.default_rng(0)
    arrivals = np.cumsum(rng.exponential(60.0, 40_000))  # one a minute
    free_at = [0.0] * 8
    heapq.heapify(free_at)
    in_time = 0
    for arrival, work in zip(arrivals, rng.exponential(360.0, 40_000), strict=True):
        start = max(arrival, heapq.heappop(free_at))
        in_time += start - arrival <= 20.0
        heapq.heappush(free_at, start + work)
    assert in_time / 40_000 == pytest.approx(answered_within(20.0, 8, 6.0, 360.0), abs=0.02)


def test_the_fewest_agents_that_keep_the_promise() -> None:
    """One agent fewer must break it; no transfers need nobody."""
    service = Service(handling_s=360.0, wait_s=20.0, level=0.8)
    agents = agents_needed(60.0, service)
    assert answered_within(20.0, agents, 6.0, 360.0) >= 0.8
    assert answered_within(20.0, agents - 1, 6.0, 360.0) < 0.8
    assert agents_needed(0.0, service) == 0
