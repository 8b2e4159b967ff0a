"""The benchmark of a simulation, on one call."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import soundfile

from benchmarks import simulation
from benchmarks.simulation import Pair, bench_simulation

from ..audio import ESCALATING


def test_one_slow_pair_does_not_decide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processes are compared by the median pair, and the report holds every pair."""
    audio, rate = soundfile.read(ESCALATING)
    soundfile.write(tmp_path / "call.flac", audio[: 12 * rate, 0], rate)
    measured = [Pair(10.0, 5.0), Pair(10.0, 20.0), Pair(10.0, 6.25)]
    monkeypatch.setattr(simulation, "_pair", lambda tasks, settings, number: measured[number])
    monkeypatch.setattr(simulation, "_REPLAYED_CALLS", 50)
    found = json.loads(bench_simulation(tmp_path, lambda step: None).to_json())
    assert (found["calls"], found["audio_s"], found["turns"] > 0) == (1, 12.0, True)
    assert found["two_workers"] == 1.6
    assert found["pairs"] == [{"one_s": pair.one_s, "two_s": pair.two_s} for pair in measured]
    assert min(found["hearing"], found["hearing_known_turns"], found["sweep_s"]) > 0
