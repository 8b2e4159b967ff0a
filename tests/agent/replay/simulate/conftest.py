"""Synthetic calls from a small corpus, and the command as a user runs it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from pipecat_deescalate.agent.lab.synthetic_calls import write_synthetic_calls

from ....commands import deescalate

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def calls(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of six synthetic calls, three of them distressed. Not to be changed."""
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
