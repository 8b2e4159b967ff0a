"""A small corpus of utterances."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import soundfile

from pipecat_deescalate.agent.replay.segments import TurnRules, find_turns
from pipecat_deescalate.agent.replay.vad import SAMPLE_RATE, WINDOW_MS
from pipecat_deescalate.models.audio.recording import CallerChannel, open_call

from ..audio import CALM, ESCALATING


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
