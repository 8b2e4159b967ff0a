"""Two people on one channel: the transcript says when the other one speaks."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from pipecat_deescalate import CallRecord, analyze_call
from pipecat_deescalate.agent.replay.two_people import silenced
from pipecat_deescalate.models.audio.recording import CallerChannel

from ...audio import ESCALATING

WORDS = ESCALATING.with_suffix(".jsonl")


@pytest.fixture(scope="module")
def two_voices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A call with both sides on its only channel."""
    path = tmp_path_factory.mktemp("mono") / "mono.wav"
    samples, rate = soundfile.read(ESCALATING, dtype="float32")
    soundfile.write(path, samples.sum(axis=1), rate)
    return path


def spans(record: CallRecord) -> list[tuple[float, float]]:
    return [(turn.reading.started_at_s, turn.reading.ended_at_s) for turn in record.turns]


@pytest.mark.parametrize("other", ["bot", "agent"])
def test_who_speaks_with_the_caller_is_left_out(
    two_voices: Path, other: str, tmp_path: Path
) -> None:
    """The other's voice and pauses would count as the caller's, and an agent's may not be read."""
    words = tmp_path / "words.jsonl"
    words.write_text(WORDS.read_text().replace('"bot"', f'"{other}"'))
    alone = analyze_call(ESCALATING, caller_channel=CallerChannel.LEFT)
    found = analyze_call(two_voices, transcript=words, keep_text=True)
    assert np.array(spans(found)) == pytest.approx(np.array(spans(alone)), abs=0.4)
    assert all(turn.text for turn in found.turns)
    (warning,) = found.warnings
    assert f"with the caller and the {other} on it" in warning
    assert len(analyze_call(two_voices).turns) > len(alone.turns)


def test_a_caller_alone_on_the_channel_is_not_cut(tmp_path: Path) -> None:
    """A bot's lines are in every transcript; its voice is in few mono recordings."""
    samples, rate = soundfile.read(ESCALATING, dtype="float32")
    path = tmp_path / "caller.wav"
    soundfile.write(path, samples[:, 0], rate)
    found = analyze_call(path, transcript=WORDS)
    assert found.warnings == ()
    assert spans(found) == spans(analyze_call(ESCALATING, caller_channel=CallerChannel.LEFT))


def test_a_stereo_call_is_not_cut() -> None:
    """There the caller may speak while the other does."""
    found = analyze_call(ESCALATING, caller_channel=CallerChannel.LEFT, transcript=WORDS)
    assert found.warnings == ()


def test_the_caller_is_heard_where_both_speak(two_voices: Path, tmp_path: Path) -> None:
    """An agent's line over the caller's own may not silence the caller."""
    lines = [json.loads(line) for line in WORDS.read_text().splitlines()]
    lines.append({**lines[0], "end_s": lines[-1]["end_s"]})
    words = tmp_path / "words.jsonl"
    words.write_text("\n".join(map(json.dumps, lines)))
    found = analyze_call(two_voices, transcript=words, keep_text=True)
    assert [bool(turn.text) for turn in found.turns] == [True] * 5


def test_silence_is_where_the_stretches_are() -> None:
    """Cut a block too far, and a word of the caller's is lost."""
    blocks = [np.ones(512, np.float32) for _ in range(4)]
    found = np.concatenate(list(silenced(blocks, [(0.05, 0.07), (0.01, 0.02), (0.06, 0.08)])))
    expected = np.ones(2048, np.float32)
    expected[160:320] = expected[800:1280] = 0.0
    assert np.array_equal(found, expected)
    assert all(block.all() for block in blocks)
