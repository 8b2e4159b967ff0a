"""Counts over replayed calls, and the figures made of them."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from pipecat_deescalate.agent.replay.simulate.statistics.call_labels import CallLabel, label_batch
from pipecat_deescalate.agent.replay.simulate.statistics.figures import figures_of
from pipecat_deescalate.agent.replay.simulate.statistics.tally import Tally, tally
from pipecat_deescalate.agent.replay.simulate.vectorized import CallBatch, replay
from pipecat_deescalate.policies import load_policy

MORNING = datetime(2026, 3, 2, 9, 59, 50, tzinfo=UTC)
ANGRY, CALM = 1.11, -2.0
BALANCED = load_policy("balanced")


def batch_of(*calls: list[float], asks: tuple[tuple[int, int], ...] = ()) -> CallBatch:
    """Calls with a turn of a second every ten seconds; `asks` names (call, turn)."""
    offsets = np.cumsum([0, *map(len, calls)])
    at_s = np.array([10.0 * turn for call in calls for turn in range(len(call))])
    asked = np.zeros(len(at_s), bool)
    for call, turn in asks:
        asked[offsets[call] + turn] = True
    return CallBatch(
        call_ids=tuple(f"call-{number}" for number in range(len(calls))),
        offsets=offsets,
        duration_s=np.array([10.0 * len(call) for call in calls]),
        started_at=tuple(MORNING + timedelta(days=number) for number in range(len(calls))),
        started_at_s=at_s,
        ended_at_s=at_s + 1.0,
        log_likelihood_ratio=np.array([llr for call in calls for llr in call]),
        asks_for_human=asked,
        dialog_state=np.full(len(at_s), -1),
    )


def angry_at(*turns: int) -> CallLabel:
    return CallLabel(True, tuple((10.0 * turn, 10.0 * turn + 1) for turn in turns))


def counted(batch: CallBatch, labels: dict[str, CallLabel]) -> Tally:
    return tally(batch, replay(batch, BALANCED), label_batch(batch, labels))


def test_each_kind_of_outcome_is_counted_as_such() -> None:
    """Caught, missed, false and asked-for transfers must not be mixed up: costs hang on them."""
    batch = batch_of(
        [CALM, ANGRY, ANGRY, ANGRY],  # empathy, offer, transfer
        [CALM, CALM, CALM, CALM],  # labelled distressed, and never noticed
        [ANGRY, ANGRY, ANGRY, CALM],  # calm by the label: a false transfer
        [CALM, CALM],  # asks for a human
        asks=((3, 0),),
    )
    labels = {
        "call-0": angry_at(1, 2, 3),
        "call-1": angry_at(2, 3),
        "call-2": CallLabel(False),
        "call-3": CallLabel(False),
    }
    counts = counted(batch, labels)
    assert (counts.distressed, counts.calm) == (2, 2)
    assert (counts.answered, counts.answered_in_time) == (1, 1)
    assert (counts.caught, counts.caught_in_time) == (1, 1)
    assert (counts.transferred, counts.transferred_on_request) == (3, 1)
    assert (counts.calm_transferred, counts.calm_offered) == (1, 1)
    assert counts.negative_before_action[:3].tolist() == [1, 0, 1]
    assert counts.turns_after_transfer == 2
    assert counts.calls_by_highest_action.tolist() == [1, 0, 0, 3]


def test_help_that_comes_late_is_not_in_time() -> None:
    """A caller who was angry four times before anything was offered must count as missed."""
    batch = batch_of([CALM, 0.5, 0.5, 0.5, ANGRY, ANGRY])
    counts = counted(batch, {"call-0": angry_at(1, 2, 3, 4, 5)})
    assert (counts.caught, counts.caught_in_time) == (1, 0)


def test_empathy_before_the_distress_is_no_answer_to_it() -> None:
    """A false alarm early in a call must not be counted as having noticed what came later."""
    batch = batch_of([ANGRY, CALM, CALM, CALM, CALM])
    counts = counted(batch, {"call-0": angry_at(4)})
    assert counts.calls_by_highest_action[1] == 1
    assert counts.answered == 0


def test_a_transfer_counts_in_the_hour_in_which_it_comes() -> None:
    """Humans must be planned for the hour of the transfer, not of the call's first second."""
    counts = counted(batch_of([CALM, ANGRY, ANGRY, ANGRY]), {})
    assert counts.calls_by_hour[9] == counts.transfers_by_hour[10] == 1


def test_batches_add_up_to_the_same_counts() -> None:
    """Results must not depend on how the calls were portioned."""
    calls = [[CALM, ANGRY, ANGRY, ANGRY], [CALM], [ANGRY, ANGRY]]
    whole = counted(batch_of(*calls), {})
    parts = sum((counted(batch_of(call), {}) for call in calls), Tally())
    assert parts.transferred == whole.transferred
    assert parts.turns_by_action.tolist() == whole.turns_by_action.tolist()


def test_the_base_rate_is_put_in_place_of_the_set_s() -> None:
    """Precision on half distressed calls would flatter a policy a hundredfold."""
    counts = Tally(
        calls=200, distressed=100, calm=100, distressed_transferred=80, calm_transferred=1
    )
    labelled = figures_of("test", counts, base_rate=0.01).labelled
    assert labelled is not None
    assert labelled.precision == pytest.approx(80 / 81)
    assert labelled.precision_at_base_rate.value == pytest.approx(0.008 / (0.008 + 0.0099))
    assert labelled.transfers_at_base_rate.value == pytest.approx(8 + 9.9)


@pytest.mark.parametrize(("part", "whole"), [(0, 50), (50, 50), (7, 50)])
def test_intervals_hold_the_figure_and_own_up_to_small_samples(part: int, whole: int) -> None:
    """None of fifty is no proof of none: the interval must reach to about three in fifty."""
    counts = Tally(calls=whole, calm=whole, calm_transferred=part)
    labelled = figures_of("test", counts, base_rate=0.01).labelled
    assert labelled is not None
    found = labelled.false_transfers_per_1000_calm
    assert found.low <= found.value <= found.high
    assert found.high - found.low > 50
    assert math.isnan(labelled.caught.value)
