"""What costs tell: a winner only where the labelled calls can name one, else the base policy."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipecat_deescalate import load_policy
from pipecat_deescalate.agent.replay.simulate.command import Options, run_simulation
from pipecat_deescalate.agent.replay.simulate.statistics.call_costs import (
    FEWEST_DIFFERENT,
    FEWEST_LABELLED,
    Difference,
    difference,
    least_cost,
)
from pipecat_deescalate.agent.replay.simulate.statistics.figures import Estimate

from .made_up import MadeUpCall, write_calls

CALM, ANGRY, FAINT = (-2.0,) * 6, (-2.0, 2.5, 2.5, 2.5), (-2.0, 1.2, 1.2, 1.2)
ONCE = (-2.0, 2.5, -2.0, -2.0)
Simulate = Callable[..., tuple[int, dict[str, Any], str]]


@pytest.fixture
def simulate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Simulate:
    """Runs a simulation on made-up calls; gives the exit code, the JSON and what a person sees."""

    def run(calls: Sequence[MadeUpCall], **options: Any) -> tuple[int, dict[str, Any], str]:
        labels, evidence = write_calls(tmp_path / "calls", calls)
        asked: dict[str, Any] = {
            "calls": [str(tmp_path / "calls")],
            "policies": ["balanced"],
            "labels": str(labels),
            "evidence": str(evidence),
            "out": tmp_path / "found.json",
        }
        code = run_simulation(Options(**asked | options))
        found = json.loads((tmp_path / "found.json").read_text())
        return code, found, " ".join(capsys.readouterr().out.split())

    return run


def labelled(distressed: Sequence[float], *, each: int = 120) -> list[MadeUpCall]:
    """As many calm calls as distressed ones, which all sound the same."""
    return [MadeUpCall(True, distressed)] * each + [MadeUpCall(False, CALM)] * each


def test_on_a_tie_the_base_policy_stays(simulate: Simulate, tmp_path: Path) -> None:
    """The first setting of the grid would be deployed, though it is no better than any other."""
    best = tmp_path / "best.yaml"
    code, found, said = simulate(
        labelled(ANGRY), sweep=["least_turn_evidence=0.5,0.7,0.9"], best=best
    )
    swept = found["sweep"]
    assert (code, swept["winner"]) == (0, None)
    assert swept["points"][swept["cheapest"]]["settings"] == {"least_turn_evidence": 0.9}, "nearest"
    assert load_policy(best) == load_policy("balanced")
    assert "No setting costs less than balanced" in said
    assert "(winner)" not in said


def test_what_may_be_chance_names_no_winner(simulate: Simulate, tmp_path: Path) -> None:
    """Five callers of a hundred who fare better by luck would change the policy of the line."""
    calls = [MadeUpCall(True, FAINT)] * 6 + labelled(ANGRY)
    best = tmp_path / "best.yaml"
    _, found, said = simulate(
        calls, policies=[str(_policy(tmp_path, 1.4))], sweep=["least_turn_evidence=1.0"], best=best
    )
    assert found["sweep"]["winner"] is None
    assert "may be chance" in said
    assert load_policy(best).least_turn_evidence == 1.4


def test_a_clear_winner_is_named_and_written(simulate: Simulate, tmp_path: Path) -> None:
    """A sweep that never dares to choose would be no help."""
    best = tmp_path / "best.yaml"
    base = _policy(tmp_path, 1.4)
    _, found, said = simulate(
        labelled(FAINT), policies=[str(base)], sweep=["least_turn_evidence=1.0:1.4:0.2"], best=best
    )
    swept = found["sweep"]
    settings = swept["points"][swept["winner"]]["settings"]
    assert load_policy(best).least_turn_evidence == settings["least_turn_evidence"] < 1.4
    assert "(winner)" in said


def _policy(folder: Path, least: float) -> Path:
    path = folder / "base.yaml"
    path.write_text(f"name: base\nleast_turn_evidence: {least}\n")
    return path


@pytest.mark.parametrize("sweep", [False, True])
def test_too_few_labels_name_no_winner(simulate: Simulate, tmp_path: Path, *, sweep: bool) -> None:
    """Six labelled calls would choose the policy of a call centre."""
    best = tmp_path / "best.yaml"
    code, found, said = simulate(
        labelled(FAINT, each=3),
        policies=["gentle", "balanced"],
        sweep=["memory=0.5:0.9:0.1"] if sweep else [],
        best=best if sweep else None,
    )
    missing = FEWEST_LABELLED - 3
    assert found["labels_missing"] == {"distressed": missing, "calm": missing}
    assert (found["least_cost"], found["recommended"]) == (None, 0)
    assert f"label {missing} more distressed and {missing} more calm calls" in said
    assert "per 1,000" not in said
    assert code == int(sweep)
    if sweep:
        assert found["sweep"]["winner"] is None
        assert not best.exists()


def test_policies_that_cost_the_same_have_no_cheapest(simulate: Simulate) -> None:
    """A badge for the one that was named last would be a choice by accident."""
    _, found, said = simulate(labelled(ANGRY), policies=["eager", "balanced"])
    assert (found["least_cost"], found["recommended"]) == (None, 0)
    assert "No policy costs clearly least" in said


def test_a_policy_that_costs_clearly_less_is_named(simulate: Simulate) -> None:
    """Labels that tell must be heard."""
    _, found, said = simulate(labelled(ONCE), policies=["gentle", "balanced"])
    assert (found["least_cost"], found["recommended"]) == (1, 1)
    assert "balanced costs least" in said


def test_without_labels_nothing_costs_least_and_few_calls_are_counts(simulate: Simulate) -> None:
    """One transfer in thirty calls would be printed as 33.3 of a thousand."""
    calls = [MadeUpCall(True, ANGRY)] + [MadeUpCall(False, CALM)] * 29
    _, found, said = simulate(calls, labels=None, policies=["balanced", "eager"])
    assert found["least_cost"] is None
    assert "1 of 30" in said
    assert "per 1,000" not in said
    assert "33.3" not in said
    assert found["policies"][0]["transfers_per_1000"]["value"] == pytest.approx(1000 / 30)


def test_many_calls_are_rates(simulate: Simulate) -> None:
    """From ten calls on, a rate says more than a count."""
    _, _, said = simulate(labelled(ANGRY), policies=["balanced"])
    assert "500.0 in 1,000" in said


@pytest.mark.parametrize(
    ("gains", "told"), [(FEWEST_DIFFERENT - 1, False), (FEWEST_DIFFERENT, True)]
)
def test_a_few_calls_tell_nothing(gains: int, *, told: bool) -> None:
    """The bootstrap alone would believe five calls."""
    assert difference(np.array([1.0] * gains + [0.0] * 40)).told is told


@given(st.lists(st.floats(0.5, 9), min_size=1, max_size=6), st.data())
def test_what_is_kept_is_the_first_that_may_be_cheapest(
    costs: list[float], data: st.DataObject
) -> None:
    """A later policy must not replace an earlier one that costs as little, as far as calls tell."""
    told = data.draw(st.lists(st.booleans(), min_size=len(costs), max_size=len(costs)))

    def compare(one: int, other: int) -> Difference:
        low = 1.0 if told[one] else -1.0
        return Difference(Estimate(costs[one] - costs[other], low, 2.0), 100)

    kept, least = least_cost(costs, compare)
    best = costs.index(min(costs))
    assert all(told[index] for index in range(kept) if index != best)
    assert kept == best or not told[kept]
    assert least == (best if all(told[i] for i in range(len(costs)) if i != best) else None)
