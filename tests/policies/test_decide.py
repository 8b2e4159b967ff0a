"""What a call gets, turn by turn."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipecat_deescalate.models.readings import Cue
from pipecat_deescalate.policies import (
    Action,
    CallState,
    Evidence,
    Level,
    MitigationPolicy,
    decide,
    load_policy,
)

from .readings import play, turn

ANGRY, CALM = 1.3, -2.0
A_LITTLE, FURIOUS = 1.11, 2.6
PRESETS = ("gentle", "balanced", "eager")
ratios = st.none() | st.floats(allow_nan=True, allow_infinity=True)
calls = st.lists(ratios, max_size=30)
presets = st.sampled_from([load_policy(name) for name in PRESETS])


def actions(policy: MitigationPolicy, *evidence: Evidence | float | None) -> list[str]:
    return [decision.action.value for decision in play(policy, *evidence)[1]]


def test_anger_that_goes_on_is_answered_step_by_step() -> None:
    """The ladder of the balanced preset must be empathy, an offer, then a hand-over, once."""
    got = actions(load_policy("balanced"), CALM, *[A_LITTLE] * 4)
    assert got == ["proceed", "empathize", "offer_human", "transfer", "proceed"]


@pytest.mark.parametrize("preset", PRESETS)
def test_one_loud_turn_never_transfers(preset: str) -> None:
    """A single turn, however loud, must not hand a caller over on its own."""
    got = actions(load_policy(preset), CALM, math.inf, CALM, CALM)
    assert "transfer" not in got


@pytest.mark.parametrize("preset", PRESETS)
def test_long_calm_does_not_deafen(preset: str) -> None:
    """After fifty calm turns anger must count as much as at the start of a call."""
    policy = load_policy(preset)
    late = actions(policy, *[CALM] * 50, ANGRY, ANGRY, ANGRY, ANGRY)
    assert late[50:] == actions(policy, ANGRY, ANGRY, ANGRY, ANGRY)


def test_asking_for_a_human_is_enough() -> None:
    """A calm caller who asks for a human must get one at once under the balanced preset."""
    asks = Evidence(turn(CALM, cues=(Cue.ASKS_FOR_HUMAN,)))
    assert actions(load_policy("balanced"), asks) == ["transfer"]


def test_the_second_request_always_transfers() -> None:
    """Under a policy that only offers, asking again must transfer, whatever the dialog state."""
    policy = load_policy("gentle").model_copy(
        update={"dialog_states": {"pin": {"highest_action": "proceed"}}}
    )
    asks = Evidence(turn(None, cues=(Cue.ASKS_FOR_HUMAN,)), dialog_state="pin")
    _, decisions = play(policy, asks, None, asks)
    assert [d.action for d in decisions] == [Action.OFFER_HUMAN, Action.PROCEED, Action.TRANSFER]
    assert decisions[2].reason == "asked for a human twice"


def test_nobody_available_is_a_call_back_not_a_dead_transfer() -> None:
    """Without agents neither distress nor a request may transfer; a call back is offered once."""
    policy = load_policy("balanced")
    turns = [Evidence(turn(ANGRY), agents_available=False) for _ in range(6)]
    _, decisions = play(policy, *turns)
    assert all(d.action is not Action.TRANSFER for d in decisions)
    assert sum(d.callback for d in decisions) == 1
    asks = Evidence(turn(CALM, cues=(Cue.ASKS_FOR_HUMAN,)), agents_available=False)
    assert play(policy, asks)[1][0].callback


def test_a_clearly_angry_turn_brings_the_offer_at_once() -> None:
    """Waiting for a second turn like that would lose callers who are angry only now and then."""
    got = actions(load_policy("balanced"), CALM, FURIOUS, FURIOUS)
    assert got == ["proceed", "offer_human", "transfer"]


def test_who_gets_angry_anew_is_offered_a_human_anew() -> None:
    """An offer made long before the anger, and forgotten since, must not be the last one."""
    got = actions(load_policy("balanced"), FURIOUS, CALM, CALM, FURIOUS)
    assert got == ["offer_human", "proceed", "proceed", "offer_human"]


@pytest.mark.parametrize("preset", PRESETS)
def test_weak_readings_do_not_add_up(preset: str) -> None:
    """A caller whose voice sounds a little raised in every turn must not be taken for angry."""
    policy = load_policy(preset)
    weak = policy.least_turn_evidence - 0.01
    assert set(actions(policy, *[weak] * 40)) == {"proceed"}


def test_a_failed_transfer_is_followed_by_a_call_back() -> None:
    """After a transfer that failed the caller must not be left as if it had worked."""
    policy = load_policy("balanced")
    failed = Evidence(turn(ANGRY), agents_available=False, transfer_failed=True)
    asks = Evidence(
        turn(CALM, cues=(Cue.ASKS_FOR_HUMAN,)), agents_available=False, transfer_failed=True
    )
    _, decisions = play(policy, A_LITTLE, A_LITTLE, A_LITTLE, failed, asks)
    assert decisions[2].action is Action.TRANSFER
    assert decisions[3].action is not Action.TRANSFER
    assert decisions[3].reason != "already handed over"
    assert decisions[4].callback


def test_empathy_does_not_become_a_habit() -> None:
    """No more than max_empathy empathic turns may come before empathy_cooldown turns of rest."""
    policy = MitigationPolicy(max_empathy=2, empathy_cooldown=3, highest_action=Action.EMPATHIZE)
    got = actions(policy, *[ANGRY] * 7)
    rest = ["proceed"] * 3
    assert got == ["empathize", "empathize", *rest, "empathize", "empathize"]


def test_a_dialog_state_can_forbid_what_is_only_inferred() -> None:
    """An override must bind in its own dialog state and nowhere else."""
    policy = MitigationPolicy(dialog_states={"payment": {"highest_action": "empathize"}})
    in_payment = Evidence(turn(ANGRY), dialog_state="payment")
    assert set(actions(policy, *[in_payment] * 5)) <= {"empathize", "proceed"}
    assert "transfer" in actions(policy, *[Evidence(turn(ANGRY), dialog_state="menu")] * 5)


def test_a_decision_says_what_drove_it() -> None:
    """The reason is what an operator reads: it must name the voice and the run of turns."""
    _, decisions = play(load_policy("balanced"), *[A_LITTLE] * 3)
    assert decisions[2].reason == "voice 0.75, 3 angry turns in a row"
    assert play(load_policy("balanced"), None)[1][0].reason == "nothing to go by: too short"


def test_hysteresis_holds_a_level_between_its_thresholds() -> None:
    """A belief between leave and enter must keep the level that was reached, not flap."""
    bands = {"strained": {"enter": 0.1, "leave": 0.04}, "distressed": {"enter": 0.5, "leave": 0.2}}
    policy = MitigationPolicy(memory=0.9, **bands)
    _, decisions = play(policy, 3.0, -0.5, -0.2)
    assert [d.level for d in decisions] == [Level.STRAINED] * 3
    assert decisions[1].belief < policy.strained.enter


@given(calls, ratios, presets)
def test_same_evidence_same_decisions(call: list[float | None], more: float, policy) -> None:
    """Replay is what makes a policy tunable: nothing but the evidence may matter."""
    assert repr(play(policy, *call, more)) == repr(play(policy, *call, more))


@given(calls, presets)
def test_belief_stays_a_probability(call: list[float | None], policy: MitigationPolicy) -> None:
    """No ratio, infinite or NaN, may break the belief of a call."""
    state, decisions = play(policy, *call)
    assert math.isfinite(state.support)
    assert state.support >= 0
    assert all(0 <= d.belief <= 1 for d in decisions)


@given(calls, presets)
def test_missing_evidence_never_escalates(call: list[float | None], policy) -> None:
    """A turn that could not be heard must lower the belief, keep the level or less, do nothing."""
    state, _ = play(policy, *call)
    after, decision = decide(state, Evidence(turn(None)), policy)
    assert decision.action is Action.PROCEED
    assert decision.level.rank <= state.level.rank
    assert after.support <= state.support


@given(
    st.lists(st.floats(-30, 30), min_size=1, max_size=20),
    st.lists(st.floats(0, 30), min_size=20, max_size=20),
    presets,
)
def test_more_negative_evidence_never_lowers_the_level(
    call: list[float], extra: list[float], policy: MitigationPolicy
) -> None:
    """A call that is angrier in every turn must never stand at a lower level."""
    _, calmer = play(policy, *call)
    _, angrier = play(policy, *[a + b for a, b in zip(call, extra, strict=False)])
    for low, high in zip(calmer, angrier, strict=True):
        assert high.level.rank >= low.level.rank
        assert high.belief >= low.belief


@given(calls, presets)
def test_at_most_one_transfer_a_call(call: list[float | None], policy: MitigationPolicy) -> None:
    """However long the anger, a call is handed over once."""
    _, decisions = play(policy, *call)
    assert sum(d.action is Action.TRANSFER for d in decisions) <= 1


def test_the_initial_state_is_calm() -> None:
    """A call must begin at the base rate, not at some belief of its own."""
    policy = load_policy("balanced")
    _, decision = decide(CallState(), Evidence(turn(None)), policy)
    assert decision.belief == pytest.approx(policy.expected_negative_rate)
