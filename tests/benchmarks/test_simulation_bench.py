"""The benchmark of a simulation, on real calls."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from benchmarks import simulation
from benchmarks.simulation import Pair
from pipecat_deescalate.agent.replay.simulate.find_calls import find_calls
from pipecat_deescalate.agent.replay.simulate.recording_evidence import HearingSettings, tasks_for


def test_one_disturbed_pair_does_not_decide(calls: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processes are held to the median pair, and the report says how each one went."""
    measured = [Pair(6.0, 4.0, 0.0), Pair(6.0, 60.0, 0.5), Pair(6.4, 4.0, 0.0)]
    by_number = dict(enumerate(measured))
    monkeypatch.setattr(simulation, "_pair", lambda _tasks, _settings, number: by_number[number])
    found = json.loads(simulation.bench_simulation(calls, lambda step: None).to_json())
    assert (found["calls"], found["turns"] > 0) == (6, True)
    assert found["two_workers"] == 1.5
    assert found["pairs"] == [asdict(pair) for pair in measured]


def test_a_pair_is_measured_in_both_ways(calls: Path) -> None:
    """A pair of one way alone, or one that heard no call, would tell nothing of two processes."""
    settings = HearingSettings()
    source = min(find_calls([str(calls)]), key=lambda call: Path(call.place).stat().st_size)
    for number in (0, 1):
        pair = simulation._pair(list(tasks_for([source], settings)), settings, number)
        assert min(pair.one_s, pair.two_s) > 0
        assert 0 <= pair.stolen <= 1
