"""Calls by the column must be decided as calls one by one."""

from __future__ import annotations

import math
from datetime import UTC, datetime, time, timedelta

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pipecat_deescalate.agent.replay.simulate.vectorized import CallBatch, replay
from pipecat_deescalate.models.readings import Cue
from pipecat_deescalate.policies import (
    Action,
    CallState,
    Evidence,
    MitigationPolicy,
    decide,
    load_policy,
)
from pipecat_deescalate.policies.config import OpeningHours

from ....policies.readings import turn

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
STATES = ("payment", "address")
POLICIES = [
    load_policy("gentle"),
    load_policy("balanced"),
    load_policy("eager"),
    MitigationPolicy(
        expected_negative_rate=0.05,
        memory=0.9,
        transfer_after=1,
        explicit_request="offer",
        opening_hours=OpeningHours(opens=time(9), closes=time(12, 0, 8)),
        dialog_states={
            "payment": {"highest_action": "empathize", "max_empathy": 1},
            "address": {"distressed": {"enter": 0.2, "leave": 0.1}, "explicit_request": "transfer"},
        },
    ),
]
turns = st.tuples(
    st.floats(-8, 8) | st.just(math.nan) | st.just(math.inf),
    st.sampled_from([False] * 5 + [True]),
    st.sampled_from([None, *STATES, "other"]),
)
recordings = st.lists(st.lists(turns, max_size=12), min_size=1, max_size=6)


def batch_of(calls: list[list[tuple[float, bool, str | None]]]) -> CallBatch:
    rows = [row for call in calls for row in call]
    names = (*STATES, "other")
    at_s = np.array([float(at) for call in calls for at in range(len(call))])
    return CallBatch(
        call_ids=tuple(f"call-{number}" for number in range(len(calls))),
        offsets=np.cumsum([0, *map(len, calls)]),
        duration_s=np.array([float(len(call)) for call in calls]),
        started_at=tuple(None if number == 1 else NOON for number in range(len(calls))),
        started_at_s=at_s,
        ended_at_s=at_s + 1.0,
        log_likelihood_ratio=np.array([row[0] for row in rows], float),
        asks_for_human=np.array([row[1] for row in rows], bool),
        dialog_state=np.array([-1 if row[2] is None else names.index(row[2]) for row in rows], int),
        state_names=names,
    )


@given(recordings, st.sampled_from(POLICIES))
@settings(max_examples=300, deadline=None)
def test_the_columns_decide_as_decide_does(
    calls: list[list[tuple[float, bool, str | None]]], policy: MitigationPolicy
) -> None:
    """A policy tuned on a replay that differs from the live decision would surprise its owner."""
    batch = batch_of(calls)
    found, row = replay(batch, policy), 0
    for call, began in zip(calls, batch.started_at, strict=True):
        state = CallState()
        for index, (llr, asks, dialog_state) in enumerate(call):
            cues = (Cue.ASKS_FOR_HUMAN,) if asks else ()
            reading = turn(None if math.isnan(llr) else llr, index=index, cues=cues)
            hours, now = policy.opening_hours, timedelta(seconds=reading.ended_at_s)
            humans = hours is None or began is None or hours.is_open(began + now)
            evidence = Evidence(reading, dialog_state, humans)
            state, decision = decide(state, evidence, policy)
            assume(_clear(decision.belief, policy, dialog_state))
            assert math.isclose(found.belief[row], decision.belief, rel_tol=1e-12)
            assert found.level[row] == decision.level.rank
            assert found.action[row] == decision.action.rank
            assert found.callback[row] == decision.callback
            row += 1


def _clear(belief: float, policy: MitigationPolicy, dialog_state: str | None) -> bool:
    """Whether rounding cannot put the belief on the other side of a threshold."""
    rules = policy.rules_in(dialog_state)
    bands = (rules.strained, rules.distressed)
    return all(abs(belief - edge) > 1e-9 for band in bands for edge in (band.enter, band.leave))


def test_a_call_without_turns_is_a_call() -> None:
    """Recordings in which nobody speaks are among thousands, and must not shift the others."""
    batch = batch_of([[], [(3.0, True, None)], []])
    found = replay(batch, load_policy("balanced"))
    assert batch.first_turn(found.action == Action.TRANSFER.rank).tolist() == [-1, 0, -1]
