"""Odd files among good ones: each is one line, and ends no batch."""

from __future__ import annotations

import json
import os
import shutil
import socket
from pathlib import Path

import numpy as np
import pytest
import soundfile

from pipecat_deescalate.agent.console import stages
from pipecat_deescalate.models.readings import Samples

from ...audio import CALM
from ...commands import deescalate

LATIN1 = os.fsdecode(b"anruf_m\xfcller.wav")
BROKEN = {"loop", "nowhere", "pipe", "socket", "folder", "empty", "notes"}


@pytest.fixture(scope="module")
def speech() -> Samples:
    """Some seconds of a caller."""
    return np.ascontiguousarray(soundfile.read(CALM, dtype="float32")[0][:, 0])[:120_000]


@pytest.fixture
def calls(speech: Samples, tmp_path: Path) -> Path:
    """A folder with good calls, one of them of an odd name, among all that can stand there."""
    folder = tmp_path / "calls"
    (folder / "2024").mkdir(parents=True)
    soundfile.write(folder / "a.wav", speech, 8_000)
    shutil.copy(folder / "a.wav", folder / LATIN1)
    shutil.copy(folder / "a.wav", folder / "2024" / "z[b].wav")
    soundfile.write(folder / "g.gsm", speech, 8_000, "GSM610", format="RAW")
    (folder / "loop.wav").symlink_to("loop.wav")
    (folder / "nowhere.wav").symlink_to("missing.wav")
    os.mkfifo(folder / "pipe.wav")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(folder / "socket.wav"))
    (folder / "folder.wav").mkdir()
    (folder / "empty.m4a").write_bytes(b"")
    (folder / "notes.amr").write_text("a note\n")
    (folder / "readme.txt").write_text("calls of today\n")
    return folder


def _lines(stderr: str) -> list[str]:
    assert "Traceback" not in stderr
    return stderr.splitlines()


def test_analyze_reads_the_others_and_names_each(calls: Path, tmp_path: Path) -> None:
    """A loop of links, or a name in Latin-1, ended the run and lost every call of it."""
    out = tmp_path / "out.jsonl"
    run = deescalate("analyze", calls, "--json", "--out", out)
    assert run.returncode == 2
    records = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert [record["call_id"] for record in records] == ["a", "anruf_m\\udcfcller", "g", "z[b]"]
    assert any("not UTF-8" in warning for warning in records[1]["warnings"])
    lines = _lines(run.stderr)
    assert len(lines) == len(BROKEN) + 1
    for name in BROKEN:
        assert sum(f"/{name}." in line for line in lines) == 1
    assert "readme.txt" in lines[0]


def test_analyze_by_name_reads_the_others(calls: Path, tmp_path: Path) -> None:
    """As a shell expands a pattern: the loop of links met the check of --out."""
    out = tmp_path / "out.jsonl"
    run = deescalate("analyze", *sorted(calls.glob("*.wav")), "--out", out)
    assert run.returncode == 2
    assert len(out.read_text().splitlines()) == 2
    assert len(_lines(run.stderr)) == 5


def test_simulate_counts_the_others_and_lists_each(calls: Path, tmp_path: Path) -> None:
    """Calls that fail, warnings and what is left out are each in the figures' JSON."""
    run = deescalate(
        *("simulate", calls, "--evidence", tmp_path / "evidence", "--workers", "1", "--json")
    )
    assert run.returncode == 2
    found = json.loads(run.stdout)
    assert found["calls"] == 4
    assert {failed["call_id"] for failed in found["failed"]} == BROKEN
    assert [Path(file).name for file in found["left_out"]["files"]] == ["readme.txt"]
    assert {one["call_id"] for one in found["warnings"]} == {"anruf_m\\udcfcller", "g"}
    lines = _lines(run.stderr)
    assert any("readme.txt" in line for line in lines)
    assert any("read as GSM610" in line for line in lines)
    again = deescalate(
        *("simulate", calls / "*", "--evidence", tmp_path / "evidence", "--workers", "1", "--json")
    )
    assert json.loads(again.stdout)["calls"] == 4


def test_import_reads_the_others_and_names_each(calls: Path, tmp_path: Path) -> None:
    """A table has no place for a path that is not UTF-8: that one is named, to be renamed."""
    out = tmp_path / "turns.jsonl"
    run = deescalate("calls", "import", calls, "--out", out, "--json")
    assert run.returncode == 2
    assert json.loads(run.stdout)["calls"] == 3
    lines = _lines(run.stderr)
    assert sum("rename it" in line for line in lines) == 1
    assert sum("read as GSM610" in line for line in lines) == 1
    assert any("readme.txt" in line for line in lines)


def test_a_named_file_of_any_ending_is_tried(speech: Samples, tmp_path: Path) -> None:
    """Taken for a folder it was `no recordings there`, and the run was over."""
    soundfile.write(tmp_path / "a.wav", speech, 8_000)
    shutil.copy(tmp_path / "a.wav", tmp_path / "b.rec")
    run = deescalate(
        *("simulate", tmp_path / "a.wav", tmp_path / "b.rec", "--workers", "1", "--json"),
        *("--evidence", tmp_path / "evidence"),
    )
    assert (run.returncode, json.loads(run.stdout)["calls"]) == (0, 2)


def test_progress_takes_any_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bracket in a file's name is no mark-up, and a terminal takes no half a character."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    with stages() as progress:
        for name in ("call[/b].wav", LATIN1):
            progress(name, 1, 2)
