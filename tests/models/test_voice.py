"""The bundled voice model as a classifier: what it refuses, what it combines, what it survives."""

from __future__ import annotations

import json
import logging
import math
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from pipecat_deescalate import load_classifier
from pipecat_deescalate.models import voice as module
from pipecat_deescalate.models.audio.recording import CallerChannel, open_call, read_audio
from pipecat_deescalate.models.errors import ModelFileError, SamplesError
from pipecat_deescalate.models.lab.datasets import read_manifest
from pipecat_deescalate.models.readings import UnknownReason
from pipecat_deescalate.models.registry import BUNDLED_VOICE
from pipecat_deescalate.models.voice import OnnxEmotionClassifier

from ..audio import ESCALATING, noise, speech_like
from .broken import model_of

RATE = 16_000


@pytest.fixture
def voice() -> OnnxEmotionClassifier:
    """A classifier of the test's own, for it counts its failures."""
    return OnnxEmotionClassifier(BUNDLED_VOICE)


def test_a_reading_is_calibrated_and_says_by_whom() -> None:
    """The probability, the model and the length that was heard belong together."""
    reading = load_classifier().classify(speech_like(2.0, RATE), RATE)
    assert reading.reason is None
    assert 0 < reading.p_negative < 1
    assert reading.model.startswith("voice-")
    assert reading.audio_s == 2.0
    assert reading.inference_ms > 0
    assert load_classifier() is load_classifier()


def test_every_processor_hears_the_same() -> None:
    """Int8 products that overflow, as on AVX2 without VNNI, would give other probabilities."""
    with open_call(ESCALATING, caller_channel=CallerChannel.LEFT, sample_rate=RATE) as call:
        caller = np.concatenate(list(call))
    heard = [
        load_classifier().classify(caller[round(start * RATE) : round(end * RATE)], RATE).p_negative
        for start, end in ((4.44, 7.29), (11.93, 15.99), (21.94, 25.59))
    ]
    assert heard == pytest.approx([0.538, 0.160, 0.571], abs=0.06)


def test_a_model_of_another_format_is_refused(tmp_path: Path) -> None:
    """One that takes features would fail on every turn, one that overflows would mishear."""
    model = tmp_path / "voice.onnx"
    model.write_bytes(BUNDLED_VOICE.read_bytes())
    card = json.loads(BUNDLED_VOICE.with_suffix(".json").read_text())
    model.with_suffix(".json").write_text(json.dumps(card | {"format": "deescalate-voice/1"}))
    with pytest.raises(ModelFileError, match="is of the format deescalate-voice/1, not"):
        OnnxEmotionClassifier(model)


@pytest.mark.parametrize("names", [{"takes": "audio"}, {"gives": "score"}])
def test_a_model_of_other_inputs_or_outputs_is_refused(
    tmp_path: Path, names: dict[str, str]
) -> None:
    """It would load, and every turn of every call would be unknown."""
    pytest.importorskip("onnx", reason="the extra `train` is not installed")
    with pytest.raises(ModelFileError, match="is not a model made by `deescalate model train`"):
        OnnxEmotionClassifier(model_of("Abs", tmp_path / "voice.onnx", **names))


def test_what_cannot_be_heard_is_unknown_not_a_score() -> None:
    """Too little audio, silence and a constant level must not look like calm, or like anger."""
    classify = load_classifier().classify
    assert classify(noise(0.29, RATE), RATE).reason is UnknownReason.TOO_SHORT
    assert classify(np.zeros(0, np.float32), RATE).reason is UnknownReason.TOO_SHORT
    assert classify(np.zeros(RATE, np.float32), RATE).reason is UnknownReason.SILENT
    assert classify(np.full(RATE, 0.5, np.float32), RATE).reason is UnknownReason.SILENT
    assert classify(np.zeros(RATE, np.int16), RATE).p_negative is None
    assert classify(noise(0.3, RATE), RATE).p_negative is not None


@pytest.mark.parametrize(
    "audio",
    [
        np.full(RATE, np.nan, np.float32),
        np.full(RATE, np.inf, np.float32),
        np.zeros((2, RATE), np.float32),
        np.zeros(RATE, np.int32),
    ],
    ids=["nan", "infinite", "two channels", "int32"],
)
def test_what_is_no_mono_audio_is_refused(audio: np.ndarray) -> None:
    """A caller of the function must hear of a mistake, in one line of ours."""
    with pytest.raises(SamplesError):
        load_classifier().classify(audio, RATE)


def test_a_long_turn_is_negative_if_any_window_is(voice: OnnxEmotionClassifier) -> None:
    """Twenty seconds are three equal windows; the ratio is the mean of their ratios."""
    turn = speech_like(20.0, RATE)
    alone = [voice.classify(window, RATE) for window in np.array_split(turn, 3)]
    odds = [reading.p_negative / (1 - reading.p_negative) for reading in alone]
    whole = voice.classify(turn, RATE).p_negative
    assert whole / (1 - whole) == pytest.approx(np.mean(odds), rel=1e-4)


def test_a_turn_of_eight_seconds_is_one_window(voice: OnnxEmotionClassifier) -> None:
    """At the limit nothing may be cut, just beyond it there are two halves."""
    turn = speech_like(8.0, RATE)
    assert voice.classify(turn, RATE).p_negative is not None
    assert voice.classify(np.append(turn, turn[:1]), RATE).p_negative is not None


def test_the_rate_of_the_line_does_not_matter(voice: OnnxEmotionClassifier) -> None:
    """16-bit audio at 8 kHz and floats at 16 kHz of one turn must read nearly alike."""
    turn = speech_like(2.0, 8_000)
    low = voice.classify((turn * 32_767).astype(np.int16), 8_000)
    high = voice.classify(np.repeat(turn, 1), 8_000)
    assert low.p_negative == pytest.approx(high.p_negative, abs=0.06)


@pytest.mark.parametrize("output", ["raises", math.nan, math.inf])
def test_a_failing_model_is_unknown_counted_and_logged_once(
    voice: OnnxEmotionClassifier,
    output: str | float,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Whatever the model does, the call goes on and no score is made up."""

    def broken(_window: object) -> dict[str, np.ndarray]:
        if output == "raises":
            raise RuntimeError("what the caller said")
        return {"logit": np.array([output])}

    monkeypatch.setattr(voice, "_run", broken)
    with caplog.at_level(logging.ERROR, module.__name__.split(".")[0]):
        readings = [voice.classify(noise(1.0, RATE), RATE) for _ in range(3)]
    assert {reading.reason for reading in readings} == {UnknownReason.MODEL_FAILED}
    assert voice.failures == 3
    assert len(caplog.records) == 1
    assert "what the caller said" not in caplog.text


def test_threads_share_one_session(voice: OnnxEmotionClassifier) -> None:
    """All calls of a process read at once; each must get what it would get alone."""
    turns = [speech_like(0.5 + 0.1 * index, RATE, seed=index) for index in range(16)]
    alone = [voice.classify(turn, RATE).p_negative for turn in turns]
    with ThreadPoolExecutor(4) as threads:
        together = list(threads.map(lambda turn: voice.classify(turn, RATE).p_negative, turns))
    assert together == alone


@pytest.mark.parametrize(
    ("turn_s", "windows"),
    [(0.4, 1), (1.0, 1), (1.4, 1), (1.5, 2), (4.0, 7), (8.0, 15), (12.0, 23)],
)
def test_the_timeline_has_a_window_of_a_second_every_half(turn_s: float, windows: int) -> None:
    """A timeline of another length would put the rise at another time of the turn."""
    reading = load_classifier().classify(speech_like(turn_s, RATE), RATE)
    assert len(reading.timeline) == windows
    assert all(0 < p < 1 for p in reading.timeline)
    if windows == 1:
        assert reading.timeline[0] == pytest.approx(reading.p_negative, abs=0.02)


def test_the_timeline_follows_the_turn(
    voice: OnnxEmotionClassifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What rises in the turn must rise in the timeline, at its time, also beyond 8 s."""
    calm, angry = np.full(250, -1.0, np.float32), np.full(250, 1.0, np.float32)
    courses = iter([calm, angry])
    monkeypatch.setattr(
        voice, "_run", lambda _window: {"logit": np.zeros(1), "course": next(courses)}
    )
    timeline = voice.classify(noise(10.0, RATE), RATE).timeline
    assert list(timeline) == sorted(timeline)
    assert timeline[8] == timeline[0] == pytest.approx(voice.calibration.probability(-1.0))
    assert timeline[10] == timeline[-1] == pytest.approx(voice.calibration.probability(1.0))


@pytest.mark.shared
def test_the_timeline_rises_where_a_caller_becomes_angry(shared: Path) -> None:
    """It must tell a hand-over note where in the turn the anger began."""
    clips = [
        clip for clip in read_manifest(shared / "speech" / "manifest.csv") if clip.corpus == "emodb"
    ]
    rises = []
    for speaker in sorted({clip.speaker for clip in clips}):
        calm, angry = (
            next(read_audio(c.path) for c in clips if (c.speaker, c.emotion) == (speaker, emotion))
            for emotion in ("neutral", "anger")
        )
        reading = load_classifier().classify(np.concatenate([calm, angry]), RATE)
        before = round(len(calm) / RATE / 0.5)
        rises.append(np.mean(reading.timeline[before:]) - np.mean(reading.timeline[: before - 1]))
    assert np.mean(np.array(rises) > 0.1) >= 0.8


def test_arousal_and_valence_come_with_what_was_heard() -> None:
    """Coordinates must stay on the circumplex, and there are none of what was not heard."""
    heard = load_classifier().classify(speech_like(2.0, RATE), RATE)
    assert -1 <= heard.arousal <= 1
    assert -1 <= heard.valence <= 1
    unheard = load_classifier().classify(np.zeros(RATE, np.float32), RATE)
    assert (unheard.arousal, unheard.valence, unheard.timeline) == (None, None, ())


def test_a_model_without_secondary_outputs_still_reads(
    voice: OnnxEmotionClassifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that tells no more than the logit must not fail for what it lacks."""
    monkeypatch.setattr(voice, "_run", lambda _window: {"logit": np.array([0.5])})
    reading = voice.classify(speech_like(2.0, RATE), RATE)
    assert reading.p_negative == pytest.approx(voice.calibration.probability(0.5))
    assert (reading.arousal, reading.valence, reading.timeline) == (None, None, ())
