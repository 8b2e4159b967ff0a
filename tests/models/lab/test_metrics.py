"""The figures that the README states mean what they say."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipecat_deescalate.models.errors import UnreadableInputError
from pipecat_deescalate.models.lab.evaluation.evaluation_report import EvaluationReport, Role
from pipecat_deescalate.models.lab.evaluation.scoring import evaluate_manifest
from pipecat_deescalate.models.lab.metrics import (
    Interval,
    accuracy,
    bootstrap,
    calibration_error,
    class_figures,
    interval,
    roc_auc,
)
from pipecat_deescalate.models.readings import EmotionReading, Samples, UnknownReason

from ...audio import noise, write_audio

LABELS = [1, 1, 0, 0, 0]
SCORES = [0.9, 0.4, 0.4, 0.2, 0.6]

SCORED = st.lists(
    st.tuples(st.booleans(), st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.9, 1.0])), min_size=1
)


@given(SCORED)
def test_roc_auc_is_the_share_of_pairs_in_the_right_order(rows: list[tuple[bool, float]]) -> None:
    """The fast formula must count ties as half, as the definition does."""
    positive = [score for label, score in rows if label]
    negative = [score for label, score in rows if not label]
    found = roc_auc([label for label, _ in rows], [score for _, score in rows])
    if not positive or not negative:
        assert math.isnan(found)
        return
    pairs = [(p > n) + 0.5 * (p == n) for p in positive for n in negative]
    assert found == pytest.approx(sum(pairs) / len(pairs))


def test_counted_by_hand() -> None:
    """Of five clips: 0.9 and 0.6 are called, one rightly; 0.4 is missed."""
    assert roc_auc(LABELS, SCORES) == pytest.approx(4.5 / 6)
    assert accuracy(LABELS, SCORES) == pytest.approx(3 / 5)
    negative, other = class_figures(LABELS, SCORES)
    assert (negative.precision, negative.recall) == (1 / 2, 1 / 2)
    assert (other.precision, other.recall) == (2 / 3, 2 / 3)


def test_no_call_is_no_precision() -> None:
    """A model that never speaks up has no precision, not a perfect one."""
    negative, _ = class_figures([1, 0], [0.1, 0.2])
    assert math.isnan(negative.precision)
    assert negative.recall == 0


def test_calibration_error_of_honest_and_of_bold_scores() -> None:
    """Scores as likely as they say have none; certainty that is wrong half the time has half."""
    labels = np.repeat([1, 0, 1, 0], [80, 20, 20, 80])
    honest = np.repeat([0.8, 0.8, 0.2, 0.2], [80, 20, 20, 80])
    assert calibration_error(labels, honest) == pytest.approx(0, abs=1e-12)
    assert calibration_error([1, 0, 1, 0], [1.0, 1.0, 1.0, 1.0]) == pytest.approx(0.5)


def test_the_interval_holds_the_figure_and_is_the_same_again() -> None:
    """An interval that moves between runs, or misses its figure, is no statement."""
    rng = np.random.default_rng(1)
    labels = rng.random(300) < 0.4
    scores = rng.normal(labels.astype(float))
    first, again = (interval(bootstrap(labels, scores)) for _ in range(2))
    assert first == again
    assert first.low < roc_auc(labels, scores) < first.high
    assert first.high - first.low < 0.15


@pytest.mark.parametrize(
    ("labels", "scores"), [([], []), ([1], [0.1, 0.2]), ([1, 0], [0.1, np.nan])]
)
def test_rows_that_do_not_fit_are_refused(labels: list[int], scores: list[float]) -> None:
    """A NaN sorts somewhere: it must not slip into a ranking."""
    with pytest.raises(ValueError, match=r"scores|rows"):
        roc_auc(labels, scores)


class Loudness:
    """A classifier that takes loud audio for negative and faint audio for silence."""

    name = "loudness"

    def classify(self, audio: NDArray[np.generic], sample_rate: int) -> EmotionReading:
        level = float(np.sqrt(np.mean(np.square(audio.astype(np.float64)))))
        if level < 1e-3:
            return EmotionReading(
                None, self.name, len(audio) / sample_rate, 0.0, UnknownReason.SILENT
            )
        return EmotionReading(min(1.0, level * 5), self.name, len(audio) / sample_rate, 0.0)


def a_manifest(folder: Path, rows: list[tuple[str, str, int, float]]) -> Path:
    lines = ["path,corpus,language,speaker,emotion,negative,duration_s,split"]
    for index, (corpus, split, negative, level) in enumerate(rows):
        path = f"{corpus}/{index}.wav"
        (folder / corpus).mkdir(exist_ok=True)
        clip: Samples = noise(0.5, level=level, seed=index)
        write_audio(folder / path, clip, 16_000, "pcm16.wav")
        lines.append(f"{path},{corpus},xx,s{index},any,{negative},0.5,{split}")
    manifest = folder / "manifest.csv"
    manifest.write_text("\n".join(lines))
    return manifest


@pytest.fixture
def report(tmp_path: Path) -> EvaluationReport:
    """Two zero-shot corpora, one in training, a probe; one silent clip."""
    rows = [("far", "eval", k, 0.05 + 0.1 * k) for k in (0, 1, 1, 0)]
    rows += [("near", "eval", 1 - k, 0.05 + 0.1 * k) for k in (0, 1)]
    rows += [("near", "eval", 0, 1e-6)]
    rows += [("own", "train", k, 0.05 + 0.1 * k) for k in (0, 1)]
    rows += [("odd", "probe", k, 0.05 + 0.1 * k) for k in (0, 1)]
    return evaluate_manifest(Loudness(), a_manifest(tmp_path, rows), telephone=False)


def test_only_what_was_never_met_counts_in_the_mean(report: EvaluationReport) -> None:
    """Training corpora in the mean would make any model look good."""
    assert report.mean is not None
    assert report.mean.corpora == ("far", "near")
    assert [c.roc_auc for c in report.corpora] == [1.0, 0.0, 1.0, 1.0]
    assert report.mean.roc_auc == pytest.approx(0.5)
    assert report.mean.roc_auc_interval == Interval(0.5, 0.5)
    assert [c.role for c in report.corpora[2:]] == [Role.IN_TRAINING, Role.PROBE]


def test_what_could_not_be_heard_is_counted_not_scored(report: EvaluationReport) -> None:
    """Unknown is never a score, and never hidden."""
    near = report.corpora[1]
    assert (near.clips, near.unknown, near.negatives) == (3, 1, 1)


def test_a_clip_that_cannot_be_read_loses_nothing_but_itself(tmp_path: Path) -> None:
    """One damaged file among thousands must not cost the hours that the others took."""
    manifest = a_manifest(tmp_path, [("far", "eval", k % 2, 0.05 + 0.1 * k) for k in range(4)])
    (tmp_path / "far" / "1.wav").write_text("no audio")
    (tmp_path / "far" / "2.wav").unlink()
    found = evaluate_manifest(Loudness(), manifest, robustness=True)
    (far,) = found.corpora
    assert (far.clips, far.unknown, far.roc_auc) == (4, 2, 1.0)
    assert ["1.wav" in found.failed[0], "2.wav" in found.failed[1]] == [True, True]
    assert len(found.failed) == 2
    for name in ("0.wav", "3.wav"):
        (tmp_path / "far" / name).unlink()
    with pytest.raises(
        UnreadableInputError, match=r"none of its clips could be classified; .*0\.wav"
    ):
        evaluate_manifest(Loudness(), manifest)


def test_a_corpus_without_a_class_is_not_in_the_mean(tmp_path: Path) -> None:
    """A corpus without a figure must not hide those of the others."""
    rows = [("far", "eval", k, 0.05 + 0.1 * k) for k in (0, 1)]
    rows += [("mute", "eval", k, 1e-6) for k in (0, 1)] + [("calm", "eval", 0, 0.3)]
    found = evaluate_manifest(
        Loudness(), a_manifest(tmp_path, rows), telephone=False, robustness=True
    )
    calm, far, mute = found.corpora
    assert (mute.clips, mute.unknown, calm.accuracy) == (2, 2, 0.0)
    assert all(map(math.isnan, (mute.roc_auc, mute.accuracy, calm.roc_auc)))
    assert found.mean is not None
    assert (found.mean.corpora, found.mean.roc_auc) == (("far",), far.roc_auc)
    assert found.mean.roc_auc_interval == far.roc_auc_interval
    plain = found.robustness[0]
    assert (plain.roc_auc, plain.accuracy) == (1.0, far.accuracy)


def test_a_stereo_clip_is_heard_on_both_sides(tmp_path: Path) -> None:
    """Corpora hold stereo clips of one speaker; there is no caller's side to be named."""
    manifest = a_manifest(tmp_path, [("far", "eval", k, 0.1) for k in (0, 1)])
    left = noise(0.5, level=0.1, seed=7)
    soundfile.write(tmp_path / "far" / "0.wav", np.stack([left, np.zeros_like(left)], 1), 16_000)
    quiet, loud = evaluate_manifest(Loudness(), manifest, telephone=False).rows
    assert quiet.p_negative == pytest.approx(loud.p_negative / 2, rel=0.1)


@pytest.mark.parametrize(
    ("last", "complaint"),
    [
        (("far", "dev", 1, 0.1), "row 3: unknown split 'dev'"),
        (None, r"row 3: 1\.wav of far is listed twice"),
    ],
)
def test_a_manifest_is_checked_whole_before_any_clip_is_read(
    last: tuple[str, str, int, float] | None, complaint: str, tmp_path: Path
) -> None:
    """A clip that counts twice makes intervals too narrow; an error after an hour costs it."""
    rows = [("far", "eval", k, 0.1) for k in (0, 1)] + ([last] if last else [])
    manifest = a_manifest(tmp_path, rows)
    if last is None:
        lines = manifest.read_text().splitlines()
        manifest.write_text("\n".join([*lines, lines[-1]]))
    begun: list[str] = []
    with pytest.raises(UnreadableInputError, match=complaint):
        evaluate_manifest(
            Loudness(), manifest, progress=lambda what, _done, _all: begun.append(what)
        )
    assert not begun


@pytest.mark.parametrize("share", ["nan", "7", "-0.1"])
def test_a_share_of_raters_is_a_share(share: str, tmp_path: Path) -> None:
    """A NaN sorts somewhere: the correlation with the raters would be made up."""
    manifest = a_manifest(tmp_path, [("far", "eval", k, 0.1) for k in (0, 1)])
    header, first, second = manifest.read_text().splitlines()
    manifest.write_text(f"{header},soft_negative\n{first},0.5\n{second},{share}\n")
    with pytest.raises(UnreadableInputError, match=r"row 2: soft_negative is .*, not from 0 to 1"):
        evaluate_manifest(Loudness(), manifest)


def test_predictions_of_the_training_run_replace_the_models_own(tmp_path: Path) -> None:
    """A model asked about its own training clips only shows that it learned them."""
    manifest = a_manifest(tmp_path, [("own", "train", k, 0.05 + 0.1 * k) for k in (0, 1)])
    kept = tmp_path / "out_of_fold.csv"
    kept.write_text("path,p_speaker_left_out\nown/0.wav,0.7\nown/1.wav,0.6\n")
    (own,) = evaluate_manifest(Loudness(), manifest, out_of_fold=kept).corpora
    assert own.role is Role.SPEAKERS_LEFT_OUT
    assert own.roc_auc == 0.0


def test_a_manifest_without_clips_is_an_error(tmp_path: Path) -> None:
    """An empty table of figures would read like a result."""
    with pytest.raises(UnreadableInputError, match="lists no clips"):
        evaluate_manifest(Loudness(), a_manifest(tmp_path, []))
