"""The benchmark of a simulation, on real calls."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.simulation import bench_simulation


def test_one_disturbed_pair_does_not_decide(calls: Path) -> None:
    """Two processes are held to the median pair, and the report says how each one went."""
    found = json.loads(bench_simulation(calls, lambda step: None).to_json())
    assert (found["calls"], found["turns"] > 0) == (6, True)
    faster = sorted(pair["one_s"] / pair["two_s"] for pair in found["pairs"])
    assert len(faster) >= 3
    assert found["two_workers"] == faster[len(faster) // 2]
    assert all(0 <= pair["stolen"] <= 1 for pair in found["pairs"])
