"""A model re-centred on calls of its own place stays a model, and moves the right way."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from pipecat_deescalate.models.calibration import Calibration
from pipecat_deescalate.models.files import OutputError
from pipecat_deescalate.models.lab.evaluation.recalibration import (
    MAX_SHIFT,
    TooFewTurnsError,
    check_output,
    recalibrate,
    write_recalibrated,
)
from pipecat_deescalate.models.registry import BUNDLED_VOICE
from pipecat_deescalate.models.voice import OnnxEmotionClassifier

from ..audio import CALM, speech_like
from ..commands import in_a_process as deescalate
from ..models.broken import model_of

HONEST = Calibration(slope=1.0, offset=0.0, limit=4.0)
NEGATIVE_SHARE = 0.02


def turns(count: int = 4000, moved: float = 0.0, share: float = NEGATIVE_SHARE) -> list[float]:
    """Log-likelihood ratios of two normal classes two nats apart, and `moved` by a line."""
    rng = np.random.default_rng(5)
    negative = rng.random(count) < share
    # Equal variances v and means +-v/2 make the log-likelihood ratio its own score.
    return [float(x) for x in rng.normal(np.where(negative, 1.0, -1.0), math.sqrt(2)) + moved]


def test_a_line_that_sounds_louder_is_moved_back_half_way() -> None:
    """Calls that all sound a nat angrier than they are must not stay so, nor be taken for calm."""
    made = recalibrate(HONEST, turns(moved=1.0))
    assert made.shift == pytest.approx(-0.5, abs=0.15)
    assert made.over_half[1] < made.over_half[0]


def test_a_line_on_which_the_model_is_right_stays_as_it_is() -> None:
    """Calibrating what is calibrated must change next to nothing."""
    assert recalibrate(HONEST, turns()).shift == pytest.approx(0.0, abs=0.15)


@given(
    st.lists(st.floats(-50, 50), min_size=100, max_size=150),
    st.floats(0.001, 0.2),
)
def test_no_line_moves_a_model_far(logits: list[float], rate: float) -> None:
    """Any audio, such as music on hold, moves only the offset, by 1.5 nats at most."""
    made = recalibrate(HONEST, logits, rate)
    assert abs(made.shift) <= MAX_SHIFT
    assert made.calibration.offset == pytest.approx(HONEST.offset + made.shift)
    assert (made.calibration.slope, made.calibration.limit) == (HONEST.slope, HONEST.limit)


@given(st.floats(-2, 2), st.floats(0.01, 1))
def test_louder_lines_are_moved_further_down(moved: float, further: float) -> None:
    """The shift must follow the line, in one direction."""
    here, there = (recalibrate(HONEST, turns(200, m)).shift for m in (moved, moved + further))
    assert there <= here + 1e-6


def test_too_few_turns_are_refused() -> None:
    """A handful of turns says nothing about a place."""
    with pytest.raises(TooFewTurnsError, match="99 turns were found, 100 are needed"):
        recalibrate(HONEST, [0.0] * 99)


def test_the_new_file_is_a_model_with_a_card_of_its_own(tmp_path: Path) -> None:
    """It must load by the same check of its SHA-256, read differently, and claim no old figures."""
    bundled = OnnxEmotionClassifier(BUNDLED_VOICE)
    made = recalibrate(bundled.calibration, turns(moved=3.0))
    assert made.shift < -0.1
    out = tmp_path / "ours.onnx"
    name = write_recalibrated(BUNDLED_VOICE, out, made, calls=7)
    ours = OnnxEmotionClassifier(out)
    assert ours.name == name != bundled.name
    turn = speech_like(1.5, seed=3)
    assert ours.logits(turn, 16_000) == bundled.logits(turn, 16_000)
    before, after = (c.classify(turn, 16_000).log_likelihood_ratio for c in (bundled, ours))
    assert before is not None
    assert after is not None
    assert after == pytest.approx(max(-4.0, before + made.shift))
    card = json.loads(out.with_suffix(".json").read_text())
    was = json.loads(BUNDLED_VOICE.with_suffix(".json").read_text())
    assert card["evaluation"] is None
    assert card["recalibration"]["of"] == was["sha256"] != card["sha256"]
    assert (card["recalibration"]["turns"], card["recalibration"]["calls"]) == (4000, 7)


def test_a_model_has_a_place_before_the_work_starts(tmp_path: Path) -> None:
    """The card stands beside the model under the same name, so the ending matters."""
    with pytest.raises(OutputError, match=r"named \*\.onnx"):
        check_output(BUNDLED_VOICE, tmp_path / "ours.json")
    with pytest.raises(OutputError, match="would overwrite the source model"):
        check_output(BUNDLED_VOICE, BUNDLED_VOICE)
    with pytest.raises(OutputError, match="folder is missing"):
        check_output(BUNDLED_VOICE, tmp_path / "absent" / "ours.onnx")
    check_output(BUNDLED_VOICE, tmp_path / "ours.onnx")


def test_nothing_that_is_there_is_lost_to_a_card(tmp_path: Path) -> None:
    """A report of the same name, or the card of the model that was named, would be overwritten."""
    report = tmp_path / "ours.json"
    report.write_text("{}")
    with pytest.raises(OutputError, match=r"ours\.json: exists but is not a model card"):
        check_output(BUNDLED_VOICE, tmp_path / "ours.onnx")
    assert report.read_text() == "{}"
    with pytest.raises(OutputError, match="would overwrite the source model or its card"):
        check_output(tmp_path / "ours.model", tmp_path / "ours.onnx")
    (tmp_path / "folder.onnx").mkdir()
    with pytest.raises(OutputError, match="is a directory"):
        check_output(BUNDLED_VOICE, tmp_path / "folder.onnx")


def test_a_model_that_gives_no_numbers_is_named(tmp_path: Path) -> None:
    """Its calls can be read, but there is nothing to re-centre: one line, no stack trace."""
    audio, rate = soundfile.read(CALM, dtype="float32")
    soundfile.write(tmp_path / "call.wav", audio[:, 0], rate)
    broken = model_of("Log", tmp_path / "broken.onnx")
    run = deescalate(
        *(
            "model",
            "calibrate",
            tmp_path / "call.wav",
            "--model",
            broken,
            "--out",
            tmp_path / "o.onnx",
        )
    )
    assert run.returncode == 2
    assert run.stderr == f"deescalate: {broken}: its output is not finite\n"


def test_the_command_makes_a_model_that_analyze_takes(tmp_path: Path) -> None:
    """Calls in, a model out; with too few of them one line and no file."""
    audio, rate = soundfile.read(CALM, dtype="float32")
    few = tmp_path / "few.wav"
    soundfile.write(few, audio[:, 0], rate)
    out = tmp_path / "ours.onnx"
    refused = deescalate("model", "calibrate", few, "--out", out)
    assert refused.returncode == 2
    assert "turns were found, 100 are needed" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    assert not out.exists()
    many = tmp_path / "many.wav"
    soundfile.write(many, np.tile(audio[:, 0], 26), rate)
    made = deescalate("model", "calibrate", many, "--out", out)
    assert made.returncode == 0, made.stderr
    assert "over p = 0.5" in made.stdout
    analyzed = deescalate("analyze", few, "--model", out, "--json")
    assert analyzed.returncode == 0, analyzed.stderr
    assert "recentred" in analyzed.stdout
