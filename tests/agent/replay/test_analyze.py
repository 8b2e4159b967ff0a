"""`deescalate analyze` as a user runs it: its output and its exit code."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from pipecat_deescalate.agent.replay.view import steps
from pipecat_deescalate.models.registry import BUNDLED_VOICE

from ...audio import CALM, ESCALATING
from ...commands import deescalate

LEFT = ("--caller-channel", "left")


def test_json_holds_the_whole_call_and_is_the_file_too(tmp_path: Path) -> None:
    """What --json prints, --out writes, and the documented schema are one and the same."""
    out = tmp_path / "calm.json"
    run = deescalate("analyze", CALM, *LEFT, "--json", "--out", out)
    assert run.returncode == 0, run.stderr
    assert out.read_text() == run.stdout
    record = json.loads(run.stdout)
    assert record["schema"] == "deescalate.call/1"
    assert record["summary"]["turns"] == len(record["turns"]) == 4
    for turn in record["turns"]:
        voice = turn["voice"]
        assert 0 <= voice["p_negative"] <= 1
        assert -1 <= voice["arousal"] <= 1
        assert -1 <= voice["valence"] <= 1
        assert len(voice["timeline"]) == pytest.approx(2 * voice["audio_s"] - 1, abs=1)
        assert turn["text"] is None
    described = (Path(__file__).parents[3] / "docs" / "call-record.md").read_text()
    for key in [*record, *record["turns"][0], *record["turns"][0]["voice"]]:
        assert f"`{key}`" in described, f"docs/call-record.md does not describe {key}"


def test_the_timeline_shows_each_turn_and_the_words_if_asked() -> None:
    """A person must see when, how sure, what was decided and why; words only on request."""
    words = ("--transcripts", ESCALATING.with_suffix(".jsonl"))
    silent = deescalate("analyze", ESCALATING, *LEFT, *words)
    assert silent.returncode == 0, silent.stderr
    assert "p(negative)" in silent.stdout
    assert "highest level" in silent.stdout
    assert "ridiculous" not in silent.stdout
    assert "ridiculous" in deescalate("analyze", ESCALATING, *LEFT, *words, "--show-text").stdout


def test_one_bad_call_among_good_ones_loses_nothing(tmp_path: Path) -> None:
    """The others are analysed, the bad one is named on one line, and the exit code says so."""
    bad, out = tmp_path / "notes.wav", tmp_path / "out.jsonl"
    bad.write_text("not audio")
    run = deescalate("analyze", CALM, bad, ESCALATING, *LEFT, "--json", "--out", out)
    assert run.returncode == 2
    assert len(out.read_text().splitlines()) == 2
    (line,) = run.stderr.splitlines()
    assert line.startswith(f"deescalate: {bad}: ")


def write(path: Path, samples: np.ndarray, rate: int = 16_000, subtype: str = "PCM_16") -> Path:
    soundfile.write(path, samples, rate, subtype)
    return path


def bad_recordings(folder: Path) -> dict[str, Path]:
    """One file a way of being unusable."""
    noise = np.random.default_rng(0).normal(0, 0.1, 16_000).astype(np.float32)
    not_finite = noise.copy()
    not_finite[5000] = np.nan
    (folder / "empty.wav").touch()
    (folder / "text.wav").write_text("hello\n")
    (folder / "folder.wav").mkdir()
    return {
        "is empty": folder / "empty.wav",
        "holds text": folder / "text.wav",
        "is a directory": folder / "folder.wav",
        "is not there": folder / "missing.wav",
        "0 s": write(folder / "nothing.wav", noise[:0]),
        "digital silence": write(folder / "zeros.wav", np.zeros(32_000)),
        "not a number": write(folder / "nan.wav", not_finite, subtype="FLOAT"),
        "3 channels": write(folder / "three.wav", np.stack([noise] * 3, axis=1)),
        "--caller-channel left|right": write(folder / "stereo.wav", np.stack([noise] * 2, axis=1)),
        "sample rate of 4000": write(folder / "slow.wav", noise, rate=4000),
    }


def test_every_bad_recording_gets_one_clear_line(tmp_path: Path) -> None:
    """Each must be refused with exit code 2, its name and its reason; nothing is written."""
    bad = bad_recordings(tmp_path)
    out = tmp_path / "out.json"
    run = deescalate("analyze", *bad.values(), "--out", out)
    assert run.returncode == 2
    lines = run.stderr.splitlines()
    assert len(lines) == len(bad)
    for reason, path in bad.items():
        (line,) = [line for line in lines if line.startswith(f"deescalate: {path}: ")]
        assert reason in line
    assert "Traceback" not in run.stderr


def test_odd_but_readable_recordings_are_analysed(tmp_path: Path) -> None:
    """Too short, without speech, or clipped: the record says so instead of guessing."""
    generator = np.random.default_rng(0)
    speech, rate = soundfile.read(CALM, dtype="float32")
    short = write(tmp_path / "short.wav", speech[5 * rate : 5 * rate + rate // 20, 0], rate)
    hiss = write(tmp_path / "hiss.wav", generator.normal(0, 0.01, 48_000), 16_000)
    clipped = write(tmp_path / "clipped.wav", np.clip(30 * speech[:, 0], -1, 1), rate)
    odd = tmp_path / "odd.wav"
    odd.write_bytes(short.read_bytes()[:28] + bytes(4) + short.read_bytes()[32:])  # byte rate 0
    run = deescalate("analyze", short, hiss, clipped, odd, "--json")
    assert run.returncode == 0, run.stderr
    records = [json.loads(line) for line in run.stdout.splitlines()]
    assert records[0]["warnings"] == ["no speech was found"]
    assert records[1]["warnings"] == ["no speech was found"]
    assert any("clipped" in warning for warning in records[2]["warnings"])
    assert "header contradicts itself" in records[3]["warnings"][0]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("transfer_afer: 1", "transfer_afer: unknown key"),
        ("memory: 2", "memory: must be less than 1"),
    ],
)
def test_a_bad_policy_stops_before_the_work(tmp_path: Path, content: str, complaint: str) -> None:
    """A policy file with a wrong key or value must be refused by name, key and reason."""
    policy = tmp_path / "policy.yaml"
    policy.write_text(content)
    run = deescalate("analyze", CALM, *LEFT, "--policy", policy)
    assert run.returncode == 2
    assert run.stderr.startswith(f"deescalate: {policy}: {complaint}")
    assert len(run.stderr.splitlines()) == 1


def test_a_flipped_byte_in_the_model_is_noticed(tmp_path: Path) -> None:
    """A damaged model must be refused, not give other readings."""
    source = BUNDLED_VOICE
    model = Path(shutil.copy(source, tmp_path))
    shutil.copy(source.with_suffix(".json"), tmp_path)
    content = bytearray(model.read_bytes())
    content[len(content) // 2] ^= 1
    model.write_bytes(content)
    run = deescalate("analyze", CALM, *LEFT, "--model", model)
    assert run.returncode == 2
    assert run.stderr.startswith(f"deescalate: {model}: does not match the SHA-256")


def test_an_output_that_cannot_be_written_is_known_first(tmp_path: Path) -> None:
    """Nobody should wait for an analysis that cannot be saved."""
    run = deescalate("analyze", CALM, *LEFT, "--out", tmp_path / "no" / "such" / "folder.json")
    assert run.returncode == 2
    assert "cannot be written" in run.stderr
    assert run.stdout == ""


def test_a_transcript_line_that_is_wrong_is_named(tmp_path: Path) -> None:
    """The file, the line and the key: a transcript of hours cannot be searched by hand."""
    transcript = tmp_path / "words.jsonl"
    good = '{"start_s": 0, "end_s": 1, "text": "hi", "speaker": "caller"}\n'
    transcript.write_text(good + '{"start_s": 2, "end_s": 1, "text": "x", "speaker": "bot"}\n')
    run = deescalate("analyze", CALM, *LEFT, "--transcripts", transcript)
    assert run.returncode == 2
    assert run.stderr.startswith(f"deescalate: {transcript}: line 2: ")


def test_out_never_destroys_what_stands_there(tmp_path: Path) -> None:
    """Not a recording, not a device, not an older result when nothing new could be read."""
    recording = Path(shutil.copy(CALM, tmp_path))
    before = recording.read_bytes()
    run = deescalate("analyze", recording, *LEFT, "--out", recording)
    assert run.returncode == 2
    assert "is one of the recordings" in run.stderr
    assert recording.read_bytes() == before
    older = tmp_path / "older.json"
    older.write_text("older")
    assert deescalate("analyze", tmp_path / "none.wav", "--out", older).returncode == 2
    assert older.read_text() == "older"
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    assert "not a regular file" in deescalate("analyze", CALM, *LEFT, "--out", fifo).stderr
    link = tmp_path / "link.json"
    link.symlink_to(older)
    assert deescalate("analyze", CALM, *LEFT, "--out", link).returncode == 0
    assert link.is_symlink()
    assert json.loads(older.read_text())["call_id"] == CALM.stem


def test_a_full_disk_is_one_line() -> None:
    """Output that cannot be written must not end in a traceback."""
    with Path("/dev/full").open("w") as full:
        run = subprocess.run(  # noqa: S603 - our own command
            [sys.executable, "-m", "pipecat_deescalate.agent", "analyze", CALM, *LEFT, "--json"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert run.returncode == 2
    assert run.stderr.strip() == "deescalate: No space left on device"


def test_the_terminal_shows_where_in_a_turn_it_rose() -> None:
    """A course that is drawn wrong, or too wide, would mislead whoever reads the call."""
    assert steps((0.0, 0.3, 0.6, 1.0)).plain == "▁▃▅█"
    assert steps((0.1,) * 58 + (0.99,)).plain == "▁" * 9 + "█"
    assert steps(()).plain == ""
