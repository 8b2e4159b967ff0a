"""Grids of policies, their front and their cheapest point."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipecat_deescalate.agent.replay.simulate.statistics.sweep import (
    Axis,
    Costs,
    Point,
    cheapest,
    grid,
    pareto_front,
    point_of,
)
from pipecat_deescalate.agent.replay.simulate.statistics.tally import Tally
from pipecat_deescalate.models.errors import PolicyError
from pipecat_deescalate.policies import load_policy

BALANCED = load_policy("balanced")
points = st.lists(
    st.builds(Point, st.integers(0, 5), st.integers(0, 5), st.integers(0, 9)), min_size=1
)


def test_an_axis_holds_both_its_ends() -> None:
    """0.1 added up seven times is not 0.7, and must be there all the same."""
    assert Axis.parse("distressed.enter=0.3:0.7:0.1").values == (0.3, 0.4, 0.5, 0.6, 0.7)
    assert Axis.parse("explicit_request=offer,transfer").values == ("offer", "transfer")


@pytest.mark.parametrize(
    "text", ["memory", "memory=", "memory=1:0:0.1", "memory=0:1:0", "=1", "memory=0:1"]
)
def test_what_is_no_axis_is_refused(text: str) -> None:
    """A sweep over nothing would be noticed only by its result."""
    with pytest.raises(PolicyError, match="--sweep key=from:to:step"):
        Axis.parse(text)


def test_the_grid_leaves_out_what_no_policy_may_be() -> None:
    """Strained above distressed is no policy; the rest of the grid must stay."""
    found, invalid = grid(BALANCED, [Axis.parse("strained.enter=0.02:0.05:0.01")])
    assert [one.policy.strained.enter for one in found] == [0.02, 0.03]
    assert invalid == 2
    assert found[0].policy.distressed == BALANCED.distressed


@pytest.mark.parametrize("key", ["distresed.enter", "strained", "name.x", "nothing"])
def test_a_key_that_is_none_is_named(key: str) -> None:
    """A misspelt key would otherwise be swept without any effect."""
    with pytest.raises(PolicyError, match=key):
        grid(BALANCED, [Axis(key, (0.5,))])


@given(points)
def test_nothing_beats_the_front_and_everything_else_is_beaten(all_points: list[Point]) -> None:
    """A dominated policy on the front would be deployed by someone."""
    front = pareto_front(all_points)
    for index, point in enumerate(all_points):
        beaten = any(
            all_points[i].missed <= point.missed
            and all_points[i].false_transfers <= point.false_transfers
            for i in front
        )
        assert beaten
        if index in front:
            assert not any(
                other.missed <= point.missed
                and other.false_transfers <= point.false_transfers
                and (other.missed, other.false_transfers) != (point.missed, point.false_transfers)
                for other in all_points
            )
    assert all_points[cheapest(all_points)].cost == min(point.cost for point in all_points)


def test_costs_are_those_of_a_thousand_calls_at_the_base_rate() -> None:
    """A cost at the labelled set's own rate would choose another policy."""
    counts = Tally(
        distressed=10, calm=100, caught_in_time=6, distressed_transferred=5, calm_transferred=2
    )
    costs = Costs(missed=30, needless=5, minute=1)
    point = point_of(counts, costs, base_rate=0.01, handling_s=300)
    transfers = 0.01 * 0.5 + 0.99 * 0.02
    assert point.missed == pytest.approx(0.4)
    assert point.cost == pytest.approx(1000 * (0.01 * 0.4 * 30 + 0.99 * 0.02 * 5 + transfers * 5))
