"""A recorded call in, a decided call out, in one process."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import soxr

from pipecat_deescalate import CallRecord, analyze_call, load_policy
from pipecat_deescalate.models.audio.recording import CallerChannel
from pipecat_deescalate.models.errors import AudioError, SamplesError
from pipecat_deescalate.models.reader import CallReader
from pipecat_deescalate.models.readings import EmotionReading, TurnReading
from pipecat_deescalate.policies import OpeningHours
from pipecat_deescalate.policies.decide import decide
from pipecat_deescalate.policies.types import Action, CallState

from ...audio import ESCALATING


class AlwaysAngry:
    """A classifier of one's own, as the protocol has it."""

    name = "always-angry"

    def classify(self, audio: np.ndarray, sample_rate: int) -> EmotionReading:
        return EmotionReading(0.95, self.name, len(audio) / sample_rate, 0.0)


def test_turns_are_where_the_transcript_says() -> None:
    """A turn that starts or ends elsewhere would be read with the wrong audio."""
    record = analyze_call(
        ESCALATING,
        caller_channel=CallerChannel.LEFT,
        transcript=ESCALATING.with_suffix(".jsonl"),
        keep_text=True,
    )
    assert len(record.turns) == 5
    assert all(turn.text for turn in record.turns)
    assert record.turns[0].text == "Hi, I was charged twice for the same purchase."
    assert record.turns[0].reading.started_at_s == pytest.approx(4.4, abs=0.3)


def test_the_bots_question_goes_with_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Words are read in view of the prompt; a replay without it decides unlike the live bot."""
    asked: list[str | None] = []
    read = CallReader.read

    def spy(self: CallReader, *args: Any, **options: Any) -> TurnReading:
        asked.append(options["prompt"])
        return read(self, *args, **options)

    monkeypatch.setattr(CallReader, "read", spy)
    words = ESCALATING.with_suffix(".jsonl")
    analyze_call(ESCALATING, caller_channel=CallerChannel.LEFT, transcript=words)
    lines = [json.loads(line) for line in words.read_text().splitlines()]
    assert asked == [line["text"] for line in lines if line["speaker"] == "bot"]


def test_a_classifier_of_ones_own_drives_the_policy() -> None:
    """The protocol is the seam for other models; its readings must reach the decisions."""
    record = analyze_call(ESCALATING, classifier=AlwaysAngry(), caller_channel=CallerChannel.LEFT)
    assert record.model == "always-angry"
    actions = [turn.decision.action for turn in record.turns]
    assert actions[:2] == [Action.OFFER_HUMAN, Action.TRANSFER]


def test_a_record_replays_to_the_same_decisions() -> None:
    """Evidence in, decisions out: what was decided must follow from what is in the record."""
    record = analyze_call(ESCALATING, caller_channel=CallerChannel.LEFT)
    state = CallState()
    for turn in record.turns:
        state, decision = decide(state, turn.decision.evidence, record.policy)
        assert decision == turn.decision


def test_the_side_of_the_line_matters() -> None:
    """The bot on the right channel speaks at other times than the caller on the left."""
    left = analyze_call(ESCALATING, caller_channel=CallerChannel.LEFT)
    right = analyze_call(ESCALATING, caller_channel=CallerChannel.RIGHT)
    assert left.turns[0].reading.started_at_s > 2.0
    assert right.turns[0].reading.started_at_s < 1.0


def test_turns_do_not_depend_on_the_sample_rate(tmp_path: Path) -> None:
    """An 8 kHz and a 48 kHz copy of a call must be cut alike and read alike."""
    audio, rate = soundfile.read(ESCALATING, dtype="float32")
    paths = [tmp_path / "8k.wav", tmp_path / "48k.flac"]

    soundfile.write(paths[0], soxr.resample(audio[:, 0], rate, 8_000), 8_000)
    soundfile.write(paths[1], soxr.resample(audio[:, 0], rate, 48_000), 48_000)
    low, high = (analyze_call(path) for path in paths)
    assert len(low.turns) == len(high.turns)
    for a, b in zip(low.turns, high.turns, strict=True):
        assert a.reading.started_at_s == pytest.approx(b.reading.started_at_s, abs=0.1)


def test_outside_opening_hours_a_call_back_is_offered() -> None:
    """At night nobody answers a transfer."""
    hours = OpeningHours(opens="09:00", closes="17:00")
    policy = load_policy("balanced").model_copy(update={"opening_hours": hours})
    record = analyze_call(
        ESCALATING,
        policy=policy,
        classifier=AlwaysAngry(),
        caller_channel=CallerChannel.LEFT,
        started_at=datetime(2026, 3, 4, 3, 0, tzinfo=UTC),
    )
    assert record.actions["transfer"] == 0
    assert sum(turn.decision.callback for turn in record.turns) == 1


def untimed(record: CallRecord) -> dict[str, Any]:
    """Everything that must not depend on where the recording came from."""
    found = replace(record, call_id="", source="").to_dict()
    for turn in found["turns"]:
        turn["voice"]["inference_ms"] = None
    return found


@pytest.fixture(scope="module")
def short_stereo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first two turns of a call, as 16-bit WAV."""
    audio, rate = soundfile.read(ESCALATING, dtype="int16")
    path = tmp_path_factory.mktemp("short") / "call-7.wav"
    soundfile.write(path, audio[: 14 * rate], rate)
    return path


def test_a_recording_may_be_bytes_or_a_file_object(short_stereo: Path) -> None:
    """Recordings come from object stores and uploads too; the call is the same."""
    on_disk = analyze_call(short_stereo, caller_channel="left")
    assert on_disk.turns
    data = short_stereo.read_bytes()
    in_memory = analyze_call(data, caller_channel="left", call_id="CA1")
    assert untimed(in_memory) == untimed(on_disk)
    assert (in_memory.call_id, in_memory.source) == ("CA1", "bytes")
    with short_stereo.open("rb") as file:
        opened = analyze_call(file, caller_channel="left")
    assert untimed(opened) == untimed(on_disk)
    assert (opened.call_id, opened.source) == ("call-7", str(short_stereo))
    assert analyze_call(io.BytesIO(data), caller_channel="left").call_id == "bytes"


@pytest.mark.parametrize("dtype", ["int16", "float32", "float64"])
def test_a_recording_may_be_samples(dtype: str, short_stereo: Path) -> None:
    """Notebooks hold arrays; every sample format that they use must give the same call."""
    on_disk = analyze_call(short_stereo, caller_channel="right")
    samples, rate = soundfile.read(short_stereo, dtype=dtype)
    both = analyze_call(samples, sample_rate=rate, caller_channel="right")
    assert untimed(both) == untimed(on_disk)
    assert (both.call_id, both.source) == ("samples", "samples")
    mono = analyze_call(samples[:, 1], sample_rate=rate)
    assert untimed(mono) == untimed(on_disk)


@pytest.mark.parametrize("suffix", [".ogg", ".mp3", ".flac"])
def test_compressed_bytes_are_read_as_from_a_file(
    suffix: str, short_stereo: Path, tmp_path: Path
) -> None:
    """Each format has a check of its own that reads the file beside the decoder."""
    samples, rate = soundfile.read(short_stereo)
    path = tmp_path / f"call{suffix}"
    soundfile.write(path, samples[:, 0], rate)
    assert untimed(analyze_call(path.read_bytes())) == untimed(analyze_call(path))


@pytest.mark.parametrize(
    ("recording", "arguments", "error", "complaint"),
    [
        (np.zeros(9), {}, SamplesError, "samples need their sample_rate="),
        (b"RIFF", {"sample_rate": 8_000}, SamplesError, "sample_rate= is for arrays"),
        ([0.0, 0.1], {}, SamplesError, "a recording of type list"),
        (io.StringIO("words"), {}, SamplesError, "a recording of type StringIO"),
        (np.zeros(9, np.int32), {"sample_rate": 8_000}, SamplesError, "audio of type int32"),
        (np.zeros((2, 99)), {"sample_rate": 8_000}, SamplesError, r"audio of shape \(2, 99\)"),
        (np.zeros(99), {"sample_rate": 8_000.5}, SamplesError, "a sample rate of 8000.5 Hz"),
        (np.zeros(99), {"sample_rate": 4_000}, AudioError, "samples: has a sample rate of 4000"),
        (np.zeros(8_000), {"sample_rate": 8_000}, AudioError, "samples: holds only digital"),
        (np.zeros((99, 2)), {"sample_rate": 8_000}, AudioError, 'caller_channel="left" or'),
        (np.zeros(0), {"sample_rate": 8_000}, AudioError, "samples: holds no audio"),
        (b"", {}, AudioError, "bytes: is empty"),
        (b"hello there", {}, AudioError, "bytes: holds text"),
        (ESCALATING, {"caller_channel": "middle"}, SamplesError, "caller_channel='middle'"),
    ],
)
def test_what_is_no_recording_is_refused(
    recording: Any, arguments: dict[str, Any], error: type[Exception], complaint: str
) -> None:
    """Errors must name what was given and the argument to change."""
    with pytest.raises(error, match=complaint):
        analyze_call(recording, **arguments)


def test_progress_reaches_the_end() -> None:
    """A bar that stops half way looks like a hang."""
    seen: list[tuple[float, float | None]] = []
    analyze_call(
        ESCALATING,
        caller_channel=CallerChannel.LEFT,
        on_progress=lambda done, total: seen.append((done, total)),
    )
    assert len(seen) > 30
    assert seen[-1][0] == pytest.approx(seen[-1][1], abs=1.1)


@pytest.mark.shared
def test_every_real_call_to_a_bot_is_analysed(shared: Path) -> None:
    """Real recordings of a telephone line must go through without an error; five of them here."""
    for path in sorted((shared / "calls" / "getgoing").glob("*.opus"))[:5]:
        record = analyze_call(path)
        assert record.turns
        assert all(0 <= t.decision.belief <= 1 for t in record.turns)
