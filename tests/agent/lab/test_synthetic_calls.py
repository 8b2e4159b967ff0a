"""Synthetic calls from labelled utterances."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipecat_deescalate.agent.lab.synthetic_calls import (
    SyntheticCallsError,
    group_by_speaker,
    plan_calls,
    write_synthetic_calls,
)
from pipecat_deescalate.agent.replay.simulate.label_files import read_call_labels

from ..replay.simulate.conftest import corpus

__all__ = ["corpus"]

FOUND = group_by_speaker(
    [(corpus, speaker, negative, n) for corpus in "ab" for speaker in "xy" for negative in (0, 1)
     for n in range(3)],
    lambda item: (item[0], item[1], bool(item[2])),
)  # fmt: skip


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 1.0])
def test_the_share_of_distressed_calls_is_as_asked(share: float) -> None:
    """Figures for a set with another rate than requested would be wrong."""
    plans = list(plan_calls(FOUND, calls=200, distressed=share, seed=1))
    assert sum(plan.distressed for plan in plans) == round(200 * share)
    for plan in plans:
        assert any(turn.negative for turn in plan.turns) == plan.distressed
        assert {turn.item[:2] for turn in plan.turns} == {(plan.corpus, plan.speaker)}
        assert all(bool(turn.item[2]) == turn.negative for turn in plan.turns)


def test_a_call_is_the_same_among_many_as_among_few() -> None:
    """A larger set must hold the smaller one, so that results can be compared."""
    few = list(plan_calls(FOUND, calls=10, distressed=0.5, seed=1))
    assert list(plan_calls(FOUND, calls=30, distressed=0.5, seed=1))[:10] == few
    assert list(plan_calls(FOUND, calls=10, distressed=0.5, seed=2)) != few


def test_synthetic_calls_are_the_same_again(corpus: Path, tmp_path: Path) -> None:
    """Published figures must be reproducible from the arguments alone."""
    for name in ("one", "two"):
        write_synthetic_calls(
            corpus, tmp_path / name, split="eval", calls=2, distressed=0.5, seed=3
        )
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert files == ["call-000000.wav", "call-000001.wav", "calls.csv", "labels.csv"]
    for name in files:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    rows = list(read_call_labels(str(tmp_path / "one" / "labels.csv")))
    assert len({row.call_id for row in rows}) == 2
    (distressed,) = {row.call_id for row in rows if row.distressed}
    assert {row.call_id for row in rows if row.span is not None} == {distressed}


def test_a_split_without_both_kinds_is_refused(corpus: Path, tmp_path: Path) -> None:
    """Calls that can only be calm, or only distressed, would measure nothing."""
    with pytest.raises(SyntheticCallsError, match="split train"):
        write_synthetic_calls(
            corpus, tmp_path / "out", split="train", calls=2, distressed=0.5, seed=3
        )
