"""A small corpus of utterances, calls put together from it, and the command as a user runs it."""

from __future__ import annotations

import csv
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import soundfile

from pipecat_deescalate.agent.lab.synthetic_calls import write_synthetic_calls
from pipecat_deescalate.agent.replay.segments import TurnRules, find_turns
from pipecat_deescalate.agent.replay.vad import SAMPLE_RATE, WINDOW_MS
from pipecat_deescalate.models.audio.recording import CallerChannel, open_call

from ....audio import CALM, ESCALATING

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


@pytest.fixture
def simulate(tmp_path: Path) -> Run:
    """Runs `deescalate simulate`, with its evidence in this test's folder."""

    def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # noqa: S603 - our own command
            [
                *(sys.executable, "-m", "pipecat_deescalate.agent", "simulate"),
                *map(str, arguments),
                *("--evidence", str(tmp_path / "evidence")),
            ],
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
            cwd=tmp_path,
        )

    return run
