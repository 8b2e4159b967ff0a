"""A small corpus of utterances, calls put together from it, and the command as a user runs it."""

from __future__ import annotations

import csv
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import soundfile

from pipecat_deescalate.agent.lab.synthetic_calls import write_synthetic_calls
from pipecat_deescalate.agent.replay.segments import TurnRules, find_turns
from pipecat_deescalate.agent.replay.vad import SAMPLE_RATE, WINDOW_MS
from pipecat_deescalate.models.audio.recording import CallerChannel, open_call

from ....audio import CALM, ESCALATING
from ....commands import deescalate

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The manifest of the sample calls' turns: the calm call's, and as negative the other's."""
    folder = tmp_path_factory.mktemp("corpus")
    with (folder / "manifest.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["path", "corpus", "speaker", "emotion", "negative", "split"])
        for call, negative in ((CALM, 0), (ESCALATING, 1)):
            with open_call(
                call, caller_channel=CallerChannel.LEFT, sample_rate=SAMPLE_RATE, block_ms=WINDOW_MS
            ) as blocks:
                turns = list(find_turns(blocks, TurnRules()))
            for turn in turns:
                name = f"{negative}-{turn.index}.wav"
                soundfile.write(folder / name, turn.samples, SAMPLE_RATE)
                table.writerow([name, "samples", "one", "any", negative, "eval"])
    return folder / "manifest.csv"


@pytest.fixture(scope="session")
def calls(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of six assembled calls, three of them distressed. Not to be changed."""
    folder = tmp_path_factory.mktemp("calls")
    write_synthetic_calls(corpus, folder, split="eval", calls=6, distressed=0.5, seed=1)
    return folder


@pytest.fixture(scope="session")
def heard(calls: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The evidence of these calls. Not to be changed."""
    folder = tmp_path_factory.mktemp("heard") / "evidence"
    assert deescalate("simulate", calls, "--workers", "1", "--evidence", folder).returncode == 0
    return folder


@pytest.fixture
def simulate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs `deescalate simulate` in this test's folder, and with its evidence there."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return deescalate("simulate", *arguments, "--evidence", tmp_path / "evidence")

    return run
