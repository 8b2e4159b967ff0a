"""A recorded call in, a decided call out, in one process."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from pipecat_deescalate import analyze_call, load_policy
from pipecat_deescalate.models.audio.recording import CallerChannel
from pipecat_deescalate.models.readings import EmotionReading
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
