"""`deescalate simulate` as a user runs it: its output, its files and its exit code."""

from __future__ import annotations

import json
import os
import re
import runpy
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipecat_deescalate.agent.replay.simulate.call_index import CallIndex
from pipecat_deescalate.agent.replay.simulate.command import Options, run_simulation
from pipecat_deescalate.agent.replay.simulate.duckdb_io import scratch
from pipecat_deescalate.agent.replay.simulate.evidence_cache import default_place
from pipecat_deescalate.agent.replay.simulate.find_calls import NoCallsError, find_calls
from pipecat_deescalate.agent.replay.simulate.recording_evidence import EvidenceSettings, tasks_for
from pipecat_deescalate.agent.replay.simulate.transcript_lookup import TranscriptIndex
from pipecat_deescalate.models.errors import DeescalateError

from ....commands import deescalate
from .conftest import Run


def row(query: str, values: list[str]) -> tuple[Any, ...]:
    """The first row of a query's answer."""
    with duckdb.connect() as database:
        found = database.execute(query, values).fetchone()
    assert found is not None
    return found


def test_policies_stand_side_by_side_against_the_labels(
    simulate: Run, calls: Path, heard: Path, tmp_path: Path
) -> None:
    """The table, the JSON and the Parquet must tell the same counts of the same calls."""
    shutil.copytree(heard, tmp_path / "evidence")
    run = simulate(
        calls / "calls.csv",
        *("--labels", calls / "labels.csv", "--policy", "balanced", "--policy", "eager"),
        *("--workers", "1", "--results", tmp_path / "results", "--json"),
    )
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout)
    assert found["calls"] == 6
    assert [policy["policy"] for policy in found["policies"]] == ["balanced", "eager"]
    for policy in found["policies"]:
        assert (policy["labelled"]["distressed"], policy["labelled"]["calm"]) == (3, 3)
        assert sum(policy["calls_by_highest_action"].values()) == 6
        assert len(policy["load"]["staffing"]["agents"]) == 24
        counted = row(
            "SELECT count(*) FROM read_parquet(?) WHERE policy = ? AND highest_action = 'transfer'",
            [str(tmp_path / "results" / "calls.parquet"), policy["policy"]],
        )
        assert counted == (policy["calls_by_highest_action"]["transfer"],)
    turns = row(
        "SELECT count(*), count(*) FILTER (negative) FROM read_parquet(?) WHERE policy = 'eager'",
        [str(tmp_path / "results" / "turns.parquet")],
    )
    assert turns[0] == found["turns"]
    assert turns[1] > 0


def test_neither_order_nor_workers_change_the_result(
    simulate: Run, calls: Path, tmp_path: Path
) -> None:
    """Two people with the same calls must get the same figures, byte by byte."""
    recordings = sorted(calls.glob("*.wav"))
    one = simulate(*recordings, "--workers", "1", "--json", "--results", tmp_path / "one")
    shutil.rmtree(tmp_path / "evidence")
    other = simulate(*recordings[::-1], "--workers", "2", "--json", "--results", tmp_path / "two")
    assert one.returncode == other.returncode == 0, one.stderr + other.stderr
    assert one.stdout == other.stdout
    for name in ("calls.parquet", "turns.parquet"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_a_broken_recording_is_counted_and_the_others_go_on(
    simulate: Run, calls: Path, tmp_path: Path
) -> None:
    """One damaged file among thousands must cost neither the run nor go unnoticed."""
    mixed = tmp_path / "calls"
    mixed.mkdir()
    for recording in sorted(calls.glob("*.wav"))[:2]:
        shutil.copy(recording, mixed)
    (mixed / "broken.wav").write_bytes(b"RIFF and nothing more")
    labels = tmp_path / "labels.csv"
    labels.write_text("call_id,distressed\ncall-000000,1\nbroken,0\n")
    run = simulate(mixed, "--labels", labels, "--workers", "1", "--json")
    assert run.returncode == 2
    assert "broken.wav" in run.stderr
    found = json.loads(run.stdout)
    assert found["calls"] == 2
    assert found["labels_without_a_call"] == []
    assert [failed["call_id"] for failed in found["failed"]] == ["broken"]


def test_a_failure_that_passes_costs_no_call(simulate: Run, calls: Path, tmp_path: Path) -> None:
    """A disk that was away for an hour must not leave its calls out of every later run."""
    mixed = tmp_path / "calls"
    mixed.mkdir()
    for recording in sorted(calls.glob("*.wav"))[:2]:
        away = Path(shutil.copy(recording, mixed))
    whole, written_ns = away.read_bytes(), away.stat().st_mtime_ns
    outcomes = []
    for content in (bytes(len(whole)), whole):  # to the eye of a listing the same file
        away.write_bytes(content)
        os.utime(away, ns=(written_ns, written_ns))
        run = simulate(mixed, "--workers", "1", "--json")
        found = json.loads(run.stdout)
        outcomes.append((run.returncode, found["calls"], len(found["failed"])))
    assert outcomes == [(2, 1, 1), (0, 2, 0)]


def test_labels_without_a_call_are_named(
    simulate: Run, calls: Path, heard: Path, tmp_path: Path
) -> None:
    """A label that meets no call is a call id misspelt; all of them, the wrong file."""
    shutil.copytree(heard, tmp_path / "evidence")
    labels = tmp_path / "labels.csv"
    labels.write_text("call_id,distressed\ncall-000000,1\ncall-000001,0\nsomebody,1\n")
    run = simulate(calls, "--labels", labels, "--workers", "1", "--json")
    assert run.returncode == 0, run.stderr
    assert "somebody" in run.stderr
    assert json.loads(run.stdout)["labels_without_a_call"] == ["somebody"]
    labels.write_text("call_id,distressed\nsomebody,1\n")
    shutil.rmtree(tmp_path / "evidence")
    run = simulate(calls, "--labels", labels, "--workers", "1")
    assert run.returncode == 2
    assert "no label is for any of these calls" in run.stderr
    assert not list((tmp_path / "evidence").glob("*.parquet")), "known before the work"


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        ({"policies": ["nowhere.yaml"]}, "nowhere.yaml"),
        ({"policies": ["gentle", "gentle"]}, "two policies are called gentle"),
        ({"report": Path("no/such/folder/report.html")}, "cannot be written"),
        ({"out": Path("no/such/folder/out.json")}, "cannot be written"),
        ({"sweep": ["memory=0.5:0.9:0.1"]}, "needs --labels"),
        ({"best": Path("best.yaml")}, "--best needs a --sweep"),
        ({"labels": "nowhere.csv"}, "nowhere.csv: is not there"),
        ({"evidence": __file__}, "is not a folder"),
        ({"results": __file__}, "is not a folder"),
        ({"transcripts": "nowhere"}, "nowhere"),
        ({"model": "nowhere.onnx"}, "nowhere.onnx"),
    ],
)
def test_what_cannot_be_done_is_known_before_the_work(
    calls: Path, tmp_path: Path, wrong: dict[str, Any], complaint: str
) -> None:
    """An hour of hearing calls must not end in a path that cannot be written."""
    evidence = tmp_path / "evidence"
    asked = {"calls": [str(calls)], "policies": ["balanced"], "evidence": str(evidence)} | wrong
    with pytest.raises(DeescalateError, match=re.escape(complaint)):
        run_simulation(Options(**asked))
    assert not list(evidence.glob("*.parquet"))


def test_an_invalid_policy_is_reported_in_one_line(
    simulate: Run, calls: Path, tmp_path: Path
) -> None:
    """A value mistyped must be named before an hour of hearing calls."""
    policy = tmp_path / "mine.yaml"
    policy.write_text("name: mine\nmemory: 7\n")
    run = simulate(calls, "--policy", policy)
    assert run.returncode == 2
    (line,) = run.stderr.splitlines()
    assert f"{policy}: memory" in line
    assert not (tmp_path / "evidence").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="has no process groups")
@pytest.mark.parametrize("workers", ["1", "2"])
def test_an_interrupted_run_says_so_and_goes_on(
    simulate: Run, calls: Path, tmp_path: Path, workers: str
) -> None:
    """Ctrl-C in a terminal meets the workers, too; it must not cost what was extracted by then."""
    evidence = tmp_path / "evidence"
    # Tests in the background of a shell ignore Ctrl-C, and would pass that on.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    run = subprocess.Popen(  # noqa: S603 - our own command
        [
            *(sys.executable, "-m", "pipecat_deescalate.agent", "simulate", str(calls)),
            *("--evidence", str(evidence), "--workers", workers),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        start_new_session=True,
    )
    signal.signal(signal.SIGINT, before)
    deadline = time.monotonic() + 120
    while not list(evidence.glob("*.parquet")) and time.monotonic() < deadline:
        time.sleep(0.01)
    os.killpg(run.pid, signal.SIGINT)
    _, said = run.communicate(timeout=120)
    assert run.returncode == 2
    assert re.fullmatch(r"deescalate: stopped after [0-5] of 6 calls; .* goes on .*\n", said)
    stored = {part.name: part.stat().st_mtime_ns for part in evidence.iterdir()}
    again = simulate(calls, "--workers", "1", "--json")
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["calls"] == 6
    for name, written_ns in stored.items():
        assert (evidence / name).stat().st_mtime_ns == written_ns


def test_no_calls_are_an_error(tmp_path: Path) -> None:
    """An empty folder, or two recordings under one id, must not give figures of nothing."""
    (tmp_path / "empty").mkdir()
    with pytest.raises(NoCallsError, match="no recordings there"):
        list(find_calls([str(tmp_path / "empty")]))
    for side in ("a", "b"):
        (tmp_path / side).mkdir()
        (tmp_path / side / "call.wav").write_bytes(b"")
    twice = find_calls([str(tmp_path / "a"), str(tmp_path / "b")])
    with scratch() as database, pytest.raises(NoCallsError, match="are both call call"):
        CallIndex(database, tasks_for(twice, EvidenceSettings()))


@pytest.mark.parametrize("asked", ["", "calls.csv", "*.wav", "call-00000[01].wav"])
def test_brackets_in_the_name_of_a_folder_are_no_pattern(
    calls: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], asked: str
) -> None:
    """Taken for a pattern, `runs[1]` had no calls in it, nor any evidence."""
    folder = tmp_path / "runs[1]"
    folder.mkdir()
    for name in ("call-000000.wav", "call-000001.wav"):
        shutil.copy(calls / name, folder)
    (folder / "calls.csv").write_text("path\ncall-000000.wav\ncall-000001.wav\n")
    options = Options(
        calls=[str(folder / asked)],
        policies=["balanced"],
        evidence=str(folder / "evidence"),
        report=folder / "report.html",
        workers=1,
        as_json=True,
    )
    assert run_simulation(options) == 0
    assert json.loads(capsys.readouterr().out)["calls"] == 2


def test_an_ending_in_capitals_is_an_ending(calls: Path, tmp_path: Path) -> None:
    """Recorders write CALL.WAV; named alone it was taken for an empty folder."""
    shutil.copy(calls / "call-000000.wav", tmp_path / "CALL.WAV")
    (tmp_path / "CALLS.CSV").write_text("path\nCALL.WAV\n")
    said = '{"call_id": "CALL", "order": 0, "speaker": "caller", "text": "hello"}\n'
    (tmp_path / "LINES.JSONL").write_text(said)
    for name in ("CALL.WAV", "CALLS.CSV"):
        with scratch() as database:
            words = TranscriptIndex(database, str(tmp_path / "LINES.JSONL"))
            (source,) = find_calls([str(tmp_path / name)], transcripts=words)
        assert (source.call_id, source.lines) == ("CALL", ((0, len(said)),))


def said(call: str, text: str = "hello") -> str:
    line = {"start_s": 0.5, "end_s": 1.0, "speaker": "CUSTOMER", "text": text}
    return json.dumps(line if call == "line" else {"segments": [line]})


def test_transcripts_are_found_by_name_and_the_others_said(calls: Path, tmp_path: Path) -> None:
    """A folder whose names differ in case, or that lacks some calls, was silently no folder."""
    words, heard = tmp_path / "words", tmp_path / "calls"
    words.mkdir()
    heard.mkdir()
    for name in ("call1.wav", "call2.wav", "call3.wav", "call4.wav"):
        shutil.copy(calls / "call-000000.wav", heard / name)
    for name in ("Call2.json", "call3.wav.json", "call3.vtt", "else.json", "notes.txt"):
        (words / name).write_text(said("document"))
    with scratch() as database:
        index = TranscriptIndex(database, str(words))
        found = {call.call_id: call for call in find_calls([str(heard)], transcripts=index)}
        complaints = index.complaints()
    places = {call_id: Path(call.transcript or "").name for call_id, call in found.items()}
    assert places == {"call1": "", "call2": "Call2.json", "call3": "call3.wav.json", "call4": ""}
    several, unmatched, missing = complaints
    assert "call3.wav.json is read" in several
    assert several.endswith("call3.vtt")
    assert unmatched.startswith("transcripts that match no call: else;")
    assert missing == "calls without a transcript: 2"


def test_another_calls_transcript_is_not_taken_for_its_case(calls: Path, tmp_path: Path) -> None:
    """Call2.json is of Call2, not of call2, where both were recorded."""
    for name in ("call2.wav", "Call2.wav"):
        shutil.copy(calls / "call-000000.wav", tmp_path / name)
    (tmp_path / "Call2.json").write_text(said("document"))
    with scratch() as database:
        index = TranscriptIndex(database, str(tmp_path))
        found = {call.call_id: call for call in find_calls([str(tmp_path)], transcripts=index)}
    assert found["call2"].transcript is None
    assert found["Call2"].transcript == str(tmp_path / "Call2.json")


def test_what_is_odd_about_transcripts_is_said_once(
    simulate: Run, calls: Path, tmp_path: Path
) -> None:
    """All words of a batch can be lost to one wrong unit; the counts would not show it."""
    shutil.copy(calls / "call-000000.wav", tmp_path / "a.wav")
    shutil.copy(calls / "call-000000.wav", tmp_path / "b.wav")
    (tmp_path / "words").mkdir()
    (tmp_path / "words" / "A.jsonl").write_text(
        said("line").replace("0.5", "5e8").replace("1.0", "6e8")
    )
    (tmp_path / "words" / "b.json").write_text(said("document").replace("CUSTOMER", "A"))
    command = (tmp_path, "--transcripts", tmp_path / "words", "--workers", "1", "--json")
    run = simulate(*command)
    assert run.returncode == 2
    assert "a: 1 of the caller's 1 lines in the transcript fit no turn" in run.stderr
    assert "b.json: nothing says who the caller is" in run.stderr
    assert simulate(*command, "--caller-speaker", "a").returncode == 2
    (tmp_path / "words" / "A.jsonl").unlink()
    run = simulate(*command, "--caller-speaker", "a")
    assert run.returncode == 0
    assert "calls without a transcript: 1" in run.stderr


def test_what_was_written_is_named_and_nothing_falls_into_the_working_folder(
    calls: Path, heard: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder `evidence` appeared wherever somebody stood, and nobody knew what it was."""
    stand = tmp_path / "stand"
    stand.mkdir()
    monkeypatch.chdir(stand)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "caches"))
    monkeypatch.setenv("HOME", str(tmp_path / "caches"))
    place = Path(default_place([str(calls)]))
    assert place == Path(default_place([str(calls / "calls.csv")]))
    assert place != Path(default_place([str(tmp_path)]))
    assert place.is_relative_to(tmp_path / "caches")
    shutil.copytree(heard, place)
    run = deescalate(
        "simulate", calls, "--report", "report.html", "--results", "results", "--out", "found.json"
    )
    assert run.returncode == 0, run.stderr
    said = run.stderr.splitlines()
    for line in (
        f"evidence in {place}",
        "decisions in results",
        "report in report.html",
        "JSON in found.json",
    ):
        assert f"deescalate: {line}" in said
    assert {path.name for path in stand.iterdir()} == {"results", "report.html", "found.json"}


def test_the_example_runs(corpus: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The script that users copy must work as it stands, to its last query."""
    path = Path(__file__).parents[4] / "examples" / "04_tune_policy.py"
    runpy.run_path(str(path))["main"](corpus, tmp_path, split="eval", calls=24)
    assert not (tmp_path / "tuned.yaml").exists(), "24 calls are too few for a winner"
    assert "<html" in (tmp_path / "report.html").read_text()
    analysed, labelled = row(
        "SELECT count(DISTINCT call_id), count(DISTINCT call_id) FILTER (distressed)"
        " FROM read_parquet($1)",
        [str(tmp_path / "results" / "calls.parquet")],
    )
    assert (analysed, labelled) == (24, 7)
    assert "negative_turns" in capfd.readouterr().out
