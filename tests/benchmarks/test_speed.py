"""`python -m benchmarks speed`, on little."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import soundfile

from ..audio import noise

ROOT = Path(__file__).parents[2]


def benchmark(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "benchmarks", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        cwd=ROOT,
    )


def test_each_larger_model_is_compared_with_ours(tmp_path: Path) -> None:
    """The ratios must be those of the medians; what was not measured says what is missing."""
    out = tmp_path / "speed.json"
    run = benchmark("speed", "--runs", "5", "--seconds-per-model", "0", "--out", out)
    assert run.returncode == 0, run.stderr
    ours, smart_turn, bert, _ = json.loads(out.read_text())["architectures"]
    for mine, theirs in zip(ours["latency"], smart_turn["latency"], strict=True):
        ratio = theirs["time"]["median_ms"] / mine["time"]["median_ms"]
        assert np.isclose(theirs["times_ours"], ratio)
    if find_spec("torch") is None:
        assert 'pip install "pipecat-deescalate[hf]"' in bert["not_measured"]


def test_a_bad_recording_is_reported_before_anything_is_measured(tmp_path: Path) -> None:
    """A mistyped name must not be found out after minutes, nor as a traceback."""
    sides = np.stack([noise(0.5, seed=side) for side in (1, 2)], 1)
    soundfile.write(tmp_path / "stereo.wav", sides, 16_000)
    for name, complaint in (("missing.wav", "is not there"), ("stereo.wav", "is stereo")):
        run = benchmark("speed", "--call", tmp_path / name)
        assert run.returncode == 2
        *_, last = run.stderr.splitlines()  # after Pipecat's greeting
        assert last.startswith(f"benchmarks: {tmp_path / name}: {complaint}")
        assert "Traceback" not in run.stderr
