"""The simulated caller: what must hold whatever its values are."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipecat_deescalate.agent.replay.simulate.statistics.caller_model import (
    CallerModel,
    load_caller_model,
    play_calls,
    sensitivities,
)
from pipecat_deescalate.agent.replay.simulate.statistics.sweep import Costs
from pipecat_deescalate.models.errors import PolicyError
from pipecat_deescalate.policies import Action, MitigationPolicy, load_policy

MODEL = load_caller_model()
BALANCED, EAGER = load_policy("balanced"), load_policy("eager")
NOTHING = MitigationPolicy.model_validate({"name": "nothing", "highest_action": "proceed"})


def changed(**values: object) -> CallerModel:
    return CallerModel.model_validate({**MODEL.model_dump(), **values})


def hung_up(policy: MitigationPolicy, model: CallerModel) -> float:
    return play_calls(policy, model, Costs(), handling_s=300, calls=300).hung_up


def test_every_call_ends_in_one_way() -> None:
    """Shares that do not add up would hide callers."""
    end = play_calls(BALANCED, MODEL, Costs(), handling_s=300, calls=300)
    assert end.settled + end.hung_up + end.transferred == pytest.approx(1)
    assert end == play_calls(BALANCED, MODEL, Costs(), handling_s=300, calls=300)


def test_the_policy_makes_a_difference_only_where_the_caller_reacts() -> None:
    """Help that works must lose fewer callers; empathy without effect must change nothing."""
    assert hung_up(EAGER, MODEL) < hung_up(NOTHING, MODEL)
    deaf = changed(fall_per_empathy=0.0)
    only_empathy = EAGER.model_copy(update={"highest_action": Action.EMPATHIZE})
    assert hung_up(only_empathy, deaf) == hung_up(NOTHING, deaf)
    assert hung_up(only_empathy, changed(fall_per_empathy=0.3)) < hung_up(NOTHING, MODEL)


def test_a_bot_that_never_fails_loses_nobody() -> None:
    """Frustration must come from somewhere."""
    perfect = changed(failure_rate=0.0, upset_at_start=0.0)
    assert hung_up(NOTHING, perfect) == 0


def test_each_assumption_is_doubted() -> None:
    """A choice that hangs on a guess must show it: every value is varied, both ways."""
    found = sensitivities([BALANCED, EAGER], MODEL, Costs(), handling_s=300, calls=30)
    assert len(found) == 2 * (len(CallerModel.model_fields) + 2)
    for one in found:
        assert one.costs[one.cheapest] == min(one.costs.values())


def test_a_model_with_an_unknown_value_is_refused(tmp_path: Path) -> None:
    """A misspelt assumption would silently be the bundled one."""
    path = tmp_path / "caller.yaml"
    path.write_text("failure_rat: 0.2\n")
    with pytest.raises(PolicyError, match=r"caller\.yaml"):
        load_caller_model(path)
