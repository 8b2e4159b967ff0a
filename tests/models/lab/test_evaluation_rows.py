"""The rows beside the main table: abstaining, what a line does, groups of speakers, raters."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipecat_deescalate.models.lab.channel_effects import without_packets
from pipecat_deescalate.models.lab.datasets import Clip
from pipecat_deescalate.models.lab.evaluation.conditions import Condition, under
from pipecat_deescalate.models.lab.evaluation.evaluation_report import (
    EvaluationReport,
    Role,
    ScoredClip,
    report,
)
from pipecat_deescalate.models.lab.evaluation.scoring import evaluate_manifest
from pipecat_deescalate.models.lab.evaluation.selective import Selective, selective
from pipecat_deescalate.models.lab.metrics import false_positive_rate, rank_correlation

from ...audio import noise, speech_like
from .test_metrics import Loudness, a_manifest

SCORED = st.lists(
    st.tuples(st.booleans(), st.sampled_from([0.0, 0.2, 0.5, 0.8, 0.9])), min_size=1, max_size=40
)
CLIP = Clip(Path("a.wav"), "far", "s", "any", False, "eval")


def chosen(labels: list[int], p: list[float]) -> Selective:
    return selective(np.array(labels, bool), np.array(p))


def test_deciding_less_is_deciding_better_where_certainty_means_something() -> None:
    """Counted by hand: of four turns the two least certain are the wrong ones."""
    found = chosen([1, 0, 1, 0], [0.95, 0.1, 0.4, 0.7])
    assert [d.coverage for d in found.decided] == [1.0, 0.9, 0.75, 0.5]
    assert [round(d.accuracy, 3) for d in found.decided] == [0.5, 0.556, 0.667, 1.0]
    assert found.decided[0].negative_precision == 0.5
    assert found.decided[-1].negative_precision == 1.0
    assert found.risk_coverage_area == pytest.approx((0 + 0 + 1 / 3 + 2 / 4) / 4)


@given(SCORED, st.randoms())
def test_equally_certain_turns_have_no_order(
    rows: list[tuple[bool, float]], shuffle: object
) -> None:
    """A figure that depended on the order of the files would be luck."""
    first = chosen([r[0] for r in rows], [r[1] for r in rows])
    shuffle.shuffle(rows)
    again = chosen([r[0] for r in rows], [r[1] for r in rows])
    assert first.risk_coverage_area == pytest.approx(again.risk_coverage_area)
    for one, other in zip(first.decided, again.decided, strict=True):
        assert one.accuracy == pytest.approx(other.accuracy)
        assert one.negative_precision == pytest.approx(other.negative_precision, nan_ok=True)


def test_nobody_called_negative_is_no_precision() -> None:
    """A model that decides nothing as negative is not perfectly precise."""
    assert math.isnan(chosen([1, 0], [0.1, 0.1]).decided[0].negative_precision)


def test_false_positives_are_counted_among_the_calm() -> None:
    """Dividing by all turns would make any rare alarm look harmless."""
    assert false_positive_rate([1, 0, 0, 0, 0], [0.9, 0.8, 0.7, 0.2, 0.1], 0.75) == 0.25
    assert math.isnan(false_positive_rate([1], [0.9], 0.5))


def test_agreement_with_raters_is_that_of_ranks() -> None:
    """Raters' shares and probabilities lie on different scales; only their order is compared."""
    assert rank_correlation([0.0, 0.1, 0.9, 1.0], [0.2, 0.3, 0.31, 0.99]) == pytest.approx(1)
    assert rank_correlation([0.0, 0.5, 0.5, 1.0], [3, 2, 2, 1]) == pytest.approx(-1)
    assert math.isnan(rank_correlation([0.5, 0.5], [0.1, 0.9]))


@pytest.mark.parametrize("condition", list(Condition))
def test_a_condition_changes_a_clip_the_same_way_each_time(condition: Condition) -> None:
    """Two models must meet the same noise and the same lost packets, whatever ran before."""
    clip = speech_like(1.0, seed=4)
    noises = [noise(0.5, seed=index) for index in range(3)]
    first, again = (under(condition, clip, CLIP, noises) for _ in range(2))
    assert np.array_equal(first, again)
    assert first.dtype == np.float32
    assert abs(len(first) - len(clip)) <= 2
    if condition is not Condition.CLEAN:
        plain = under(Condition.TELEPHONE, clip, CLIP, ())
        assert np.array_equal(first, plain) == (condition is Condition.TELEPHONE)


def test_noise_is_ten_decibels_under_the_speech() -> None:
    """A row that says 10 dB must mean it."""
    clip = speech_like(2.0, seed=4)
    quiet = noise(3.0, seed=9, level=1e-3)
    line = under(Condition.TELEPHONE, clip, CLIP, ())
    added = under(Condition.NOISE, clip, CLIP, [quiet]) - line
    white_on_the_line = 0.5  # a 4 kHz line lets half of white noise through
    ratio = np.mean(np.square(line)) * white_on_the_line / np.mean(np.square(added))
    assert 10 * np.log10(ratio) == pytest.approx(10, abs=0.7)


def test_lost_packets_are_whole_ones_and_as_many_as_it_says() -> None:
    """Single lost samples would be a crackle, not a packet."""
    clip = np.ones(16_000 * 60, np.float32)
    heard = without_packets(clip, 0.05, np.random.default_rng(1)).reshape(-1, 320)
    assert set(heard.mean(axis=1)) == {0.0, 1.0}
    assert 0.035 < 1 - heard.mean() < 0.065


@pytest.fixture
def robust(tmp_path: Path) -> EvaluationReport:
    rows = [("far", "eval", k, 0.05 + 0.1 * k) for k in (0, 1, 1, 0)]
    rows += [("own", "train", k, 0.05 + 0.1 * k) for k in (0, 1)]
    return evaluate_manifest(
        Loudness(), a_manifest(tmp_path, rows), robustness=True, noises=[noise(0.5, seed=3)]
    )


def test_robustness_has_a_row_for_each_condition(robust: EvaluationReport) -> None:
    """Only corpora never met are in it, and the plain condition is not read twice."""
    assert [row.condition for row in robust.robustness] == list(Condition)
    assert all(set(row.by_corpus) == {"far"} for row in robust.robustness)
    plain = robust.robustness[list(Condition).index(Condition.TELEPHONE)]
    assert robust.mean is not None
    assert (plain.roc_auc, plain.accuracy) == (robust.mean.roc_auc, robust.mean.accuracy)
    assert len(robust.rows) == 6


def test_without_noise_there_is_no_row_of_noise(tmp_path: Path) -> None:
    """A row of noise without any noise in it would be a lie."""
    manifest = a_manifest(tmp_path, [("far", "eval", k, 0.1 + 0.1 * k) for k in (0, 1)])
    found = evaluate_manifest(Loudness(), manifest, robustness=True)
    assert Condition.NOISE not in [row.condition for row in found.robustness]
    assert len(found.robustness) == len(Condition) - 1


def scored(group: str, negative: int, p: float | None, soft: float | None = None) -> ScoredClip:
    return ScoredClip("x", "far", Role.ZERO_SHOT, "s", "any", bool(negative), p, group, soft)


def test_groups_are_compared_within_their_corpus() -> None:
    """One group that is called angry while calm must be seen, and by how much."""
    rows = [scored("female", k, 0.9 * k) for k in (0, 1, 0, 1)]
    rows += [scored("male", k, 0.6 + 0.3 * k) for k in (0, 1, 0, 1)]
    rows += [scored("male", 0, None), scored("", 0, 0.99)]
    (corpus,) = report("any", rows, telephone=True).groups
    female, male = corpus.groups
    assert (female.group, female.clips, female.roc_auc) == ("female", 4, 1.0)
    assert (male.clips, male.false_positives_over_half, male.false_positives_over_alarm) == (
        4,
        1.0,
        0.0,
    )
    assert corpus.largest_gap == {
        "roc_auc": 0.0,
        "false_positives_over_half": 1.0,
        "false_positives_over_alarm": 0.0,
    }


def test_a_group_without_a_figure_leaves_the_gap_of_the_others() -> None:
    """One person who was never angry must not hide how far apart the others are."""
    rows = [scored("female", k, 0.9 * k) for k in (0, 1)]
    rows += [scored("male", k, 0.9 - 0.8 * k) for k in (0, 1)] + [scored("other", 1, 0.9)]
    (corpus,) = report("any", rows, telephone=True).groups
    assert corpus.largest_gap["roc_auc"] == 1.0
    (lone,) = report("any", [*rows[:2], rows[-1]], telephone=True).groups
    assert math.isnan(lone.largest_gap["roc_auc"])


def test_one_group_is_no_comparison() -> None:
    """A gap of nothing to nothing would look like fairness."""
    rows = [scored("female", k, 0.5) for k in (0, 1)] + [scored("", 0, 0.5)]
    assert report("any", rows, telephone=True).groups == ()


def test_soft_labels_are_compared_where_there_are_any() -> None:
    """The share of raters says more than one label; without it there is no figure, not a zero."""
    rows = [scored("", k > 0.5, p, k) for k, p in ((0.1, 0.2), (0.4, 0.5), (0.9, 0.6))]
    (with_raters,) = report("any", rows, telephone=True).corpora
    assert with_raters.rater_correlation == pytest.approx(1.0)
    (without,) = report("any", [scored("", k, 0.1) for k in (0, 1)], telephone=True).corpora
    assert without.rater_correlation is None
