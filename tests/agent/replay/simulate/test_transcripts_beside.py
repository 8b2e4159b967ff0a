"""Transcripts that lie beside the recordings, as `calls synthesize --texts` leaves them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from pipecat_deescalate.agent.replay.simulate.command import Options, run_simulation
from pipecat_deescalate.agent.replay.simulate.find_calls import find_calls
from pipecat_deescalate.agent.replay.simulate.recording_evidence import (
    EvidenceSettings,
    extract_evidence,
    tasks_for,
)
from pipecat_deescalate.agent.replay.simulate.transcripts_beside import TranscriptsBeside

REQUEST = {"start_s": 0, "end_s": 60, "speaker": "caller", "text": "I want to speak to a human."}


@pytest.fixture
def folder(calls: Path, tmp_path: Path) -> Path:
    """One recording in a folder."""
    made = tmp_path / "calls"
    made.mkdir()
    shutil.copy(calls / "call-000000.wav", made)
    return made


def beside(folder: Path, name: str, text: str = json.dumps(REQUEST)) -> Path:
    """Write a transcript."""
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text + "\n")
    return path


def run(folder: Path, capsys: pytest.CaptureFixture[str], *, use: bool = True) -> tuple[str, str]:
    """What happened at most to the call, and what was said on stderr."""
    assert (
        run_simulation(
            Options(
                calls=[str(folder)],
                policies=["balanced"],
                transcripts_beside=use,
                evidence=str(folder.parent / "evidence"),
                workers=1,
                as_json=True,
            )
        )
        == 0
    )
    said = capsys.readouterr()
    actions = json.loads(said.out)["policies"][0]["calls_by_highest_action"]
    return next(action for action, count in actions.items() if count), said.err


@pytest.mark.parametrize("name", ["call-000000.jsonl", "transcripts/call-000000.jsonl"])
def test_a_transcript_beside_its_call_is_used(
    folder: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """The words lie there, and a policy would be judged by the voice alone without a hint."""
    assert run(folder, capsys)[0] == "proceed"
    beside(folder, name)
    action, said = run(folder, capsys)
    assert action == "transfer", "evidence that was stored without the words must not be used"
    assert "used from beside the recordings: 1 " in said
    action, said = run(folder, capsys, use=False)
    assert action == "proceed"
    assert "transcripts used" not in said


def test_of_two_transcripts_none_is_guessed(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The wrong one would decide what a policy is worth."""
    beside(folder, "call-000000.jsonl")
    beside(folder, "transcripts/call-000000.jsonl")
    action, said = run(folder, capsys)
    assert action == "proceed"
    assert "several transcripts beside them: 1" in said


def test_a_file_that_is_no_transcript_costs_no_call(folder: Path) -> None:
    """`analyze --out call.jsonl` leaves a record there, which nobody called a transcript."""
    beside(folder, "call-000000.jsonl", '{"call_id": "call-000000"}')
    settings = EvidenceSettings()
    (task,) = tasks_for(find_calls([str(folder)], beside=TranscriptsBeside()), settings)
    row = extract_evidence(task, settings)
    assert "error" not in row
    assert any("call-000000.jsonl" in warning for warning in row["warnings"])


def test_the_transcript_of_a_table_comes_first(folder: Path) -> None:
    """What somebody wrote into a table is no guess."""
    beside(folder, "call-000000.jsonl")
    named = beside(folder, "mine.jsonl")
    (folder / "calls.csv").write_text("path,transcript\ncall-000000.wav,mine.jsonl\n")
    (source,) = find_calls([str(folder / "calls.csv")], beside=TranscriptsBeside())
    assert source.transcript == str(named)
    assert not source.beside
