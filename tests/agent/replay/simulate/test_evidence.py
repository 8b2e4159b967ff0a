"""The evidence stage: stored, resumed, repeated, extracted by workers that die."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipecat_deescalate.agent.replay.simulate import recording_evidence
from pipecat_deescalate.agent.replay.simulate.call_detail import ReportContent, serialize_call
from pipecat_deescalate.agent.replay.simulate.call_index import CallIndex
from pipecat_deescalate.agent.replay.simulate.call_source import Task
from pipecat_deescalate.agent.replay.simulate.duckdb_io import scratch
from pipecat_deescalate.agent.replay.simulate.engine import chunks, extract_locally
from pipecat_deescalate.agent.replay.simulate.evidence_cache import SCHEMA, EvidenceCache
from pipecat_deescalate.agent.replay.simulate.evidence_columns import EvidenceColumns
from pipecat_deescalate.agent.replay.simulate.find_calls import find_calls
from pipecat_deescalate.agent.replay.simulate.recording_evidence import (
    EvidenceSettings,
    Row,
    extract_all,
    extract_evidence,
    tasks_for,
    transcript_of,
)
from pipecat_deescalate.agent.replay.simulate.storage import storage_complaint
from pipecat_deescalate.agent.replay.simulate.transcript_lookup import TranscriptIndex
from pipecat_deescalate.agent.replay.simulate.vectorized import CallBatch
from pipecat_deescalate.models.reader import VoiceTurn
from pipecat_deescalate.models.readings import EmotionReading
from pipecat_deescalate.models.text.cues import LANGUAGES
from pipecat_deescalate.policies.config import load_policy

from .killer import Killer

SETTINGS = EvidenceSettings()


@pytest.fixture(scope="module")
def tasks(calls: Path) -> list[Task]:
    return by_id(calls)


def by_id(calls: Path) -> list[Task]:
    found = tasks_for(find_calls([str(calls)]), SETTINGS)
    return sorted(found, key=lambda task: task.source.call_id)


def test_an_edited_language_makes_evidence_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cues of patterns that are no longer there would be replayed in silence."""
    copied = shutil.copytree(LANGUAGES, tmp_path / "languages")
    monkeypatch.setattr(recording_evidence, "LANGUAGES", copied)
    before = SETTINGS.key
    with (copied / "en.yaml").open("a") as file:
        file.write("# a new pattern\n")
    assert SETTINGS.key != before


@contextmanager
def gathered(store: EvidenceCache, tasks: Iterable[Task]) -> Iterator[EvidenceColumns]:
    with scratch(store.place) as database:
        evidence = EvidenceColumns(database, CallIndex(database, tasks), store)
        evidence.gather()
        yield evidence


def missing(store: EvidenceCache, tasks: Iterable[Task]) -> list[Task]:
    with gathered(store, tasks) as evidence:
        return list(evidence.missing())


def kept(store: EvidenceCache, tasks: Iterable[Task]) -> CallBatch:
    with gathered(store, tasks) as evidence:
        evidence.sort()
        ((batch, _),) = evidence.batches()
        return batch


def in_full(store: EvidenceCache, tasks: list[Task]) -> list[Row]:
    with gathered(store, tasks) as evidence:
        return list(evidence.in_full([task.source.call_id for task in tasks]).values())


def same(one: CallBatch, other: CallBatch) -> bool:
    return one.call_ids == other.call_ids and np.array_equal(
        one.log_likelihood_ratio, other.log_likelihood_ratio, equal_nan=True
    )


def test_stored_evidence_is_not_extracted_again(tasks: list[Task], tmp_path: Path) -> None:
    """A resumed run must extract only what is missing, and changed files again."""
    store = EvidenceCache(str(tmp_path))
    store.add(extract_all(tasks[:4], SETTINGS))
    assert missing(store, tasks) == tasks[4:]
    changed = replace(tasks[0], evidence_key="other", turns_key="other")
    assert missing(store, [changed]) == [changed]


def test_another_model_reads_the_known_turns(tasks: list[Task], tmp_path: Path) -> None:
    """A new model must neither repeat the search for turns nor read other turns."""
    store = EvidenceCache(str(tmp_path))
    store.add(extract_all(tasks[:1], SETTINGS))
    (again,) = missing(store, [replace(tasks[0], evidence_key="of another model")])
    assert again.known_turns
    assert extract_evidence(again, SETTINGS) == {
        **extract_evidence(tasks[0], SETTINGS),
        "evidence_key": "of another model",
    }


def test_a_call_extracted_twice_counts_once(tasks: list[Task], tmp_path: Path) -> None:
    """Two concurrent runs into one folder must not double any figure."""
    store = EvidenceCache(str(tmp_path))
    store.add(extract_all(tasks[:2], SETTINGS))
    store.add(extract_all(tasks[1:3], SETTINGS))
    assert kept(store, tasks).call_ids == ("call-000000", "call-000001", "call-000002")


def test_an_older_folder_does_not_hide_a_call(tasks: list[Task], tmp_path: Path) -> None:
    """Older folders also hold failed calls; these must be tried again."""
    store = EvidenceCache(str(tmp_path))
    complete = extract_evidence(tasks[0], SETTINGS)
    failed = {key: complete[key] for key in ("call_id", "evidence_key", "turns_key")}
    older = SCHEMA.append(pa.field("error", pa.string()))
    row = {**failed, "error": "busy", "turns": [], "warnings": []}
    pq.write_table(pa.Table.from_pylist([row], older), tmp_path / "part-0.parquet")
    assert missing(store, tasks[:1]) == tasks[:1]
    store.add([complete])
    assert missing(store, tasks[:1]) == []
    assert kept(store, tasks[:1]).call_ids == ("call-000000",)


def test_calls_come_by_id_in_portions_whatever_the_order_of_the_parts(
    tasks: list[Task], tmp_path: Path
) -> None:
    """A portion is all that is in memory; results must not depend on where it ends."""
    store = EvidenceCache(str(tmp_path))
    rows = extract_all(tasks, SETTINGS)
    for some in (rows[3:], rows[1:3], rows[:1]):
        store.add(some[::-1])
    with gathered(store, tasks[::-1]) as evidence:
        evidence.sort()
        portions = [batch for batch, _ in evidence.batches(calls_at_once=4)]
    assert [len(batch.call_ids) for batch in portions] == [4, 2]
    whole = kept(store, tasks)
    assert whole.call_ids == tuple(task.source.call_id for task in tasks)
    assert sum((batch.call_ids for batch in portions), ()) == whole.call_ids
    ratios = np.concatenate([batch.log_likelihood_ratio for batch in portions])
    assert np.array_equal(ratios, whole.log_likelihood_ratio, equal_nan=True)


@pytest.mark.parametrize("workers", [1, 2, 16])
@pytest.mark.parametrize("left", [0, 1, 7, 500])
def test_the_last_chunks_are_small(tasks: list[Task], workers: int, left: int) -> None:
    """A worker with sixteen calls to go would keep the others waiting; and none may be lost."""
    todo = [replace(tasks[0], evidence_key=str(number)) for number in range(left)]
    handed = list(chunks(todo, workers))
    assert [task for chunk in handed for task in chunk] == todo
    assert max(map(len, handed), default=0) <= 16
    assert [len(chunk) for chunk in handed[-workers:]] == [1] * min(workers, left)


def test_the_course_of_a_turn_is_kept_beside_evidence_that_has_none(
    tasks: list[Task], tmp_path: Path
) -> None:
    """A folder with parts from before must be read, and must not hide what newer parts tell."""
    store = EvidenceCache(str(tmp_path))
    old, new = (extract_evidence(task, SETTINGS) for task in tasks[:2])
    for row, timeline in ((old, []), (new, [0.25, 0.75])):
        for turn in row["turns"]:
            turn["timeline"] = timeline
    turns = SCHEMA.field("turns").type.value_type
    before = pa.struct([field for field in turns if field.name != "timeline"])
    older = SCHEMA.set(SCHEMA.get_field_index("turns"), pa.field("turns", pa.list_(before)))
    pq.write_table(pa.Table.from_pylist([old], older), tmp_path / "part-0.parquet")
    (alone,) = in_full(store, tasks)
    store.add([new])
    first, second = in_full(store, tasks)
    assert first["turns"][0]["timeline"] is None
    assert second["turns"][0]["timeline"] == [0.25, 0.75]
    policies = [load_policy("balanced")]
    within = [
        serialize_call(row, task.source, policies, None, ReportContent())["turns"][0]
        for row, task in ((alone, tasks[0]), (first, tasks[0]), (second, tasks[1]))
    ]
    assert within[0]["within"] == within[1]["within"] == []
    start_s, end_s = within[2]["start_s"], within[2]["end_s"]
    (*steps, last) = within[2]["within"]
    assert [p for _, p in steps] == [0.25, 0.75]
    assert last == [end_s, 0.75]
    assert start_s <= steps[0][0] < steps[1][0] < end_s


def test_no_words_are_kept(calls: Path, tmp_path: Path) -> None:
    """What a caller said must not lie on a disk because a policy was simulated."""
    source = next(find_calls([str(calls)]))
    transcript = tmp_path / "call.jsonl"
    transcript.write_text(
        '{"start_s": 0, "end_s": 9, "speaker": "caller", "text": "damn, a human please"}\n'
    )
    row = extract_evidence(Task(replace(source, transcript=str(transcript)), "k", "t"), SETTINGS)
    assert "asks_for_human" in row["turns"][0]["cues"]
    EvidenceCache(str(tmp_path / "kept")).add([row])
    (part,) = (tmp_path / "kept").iterdir()
    assert b"damn" not in part.read_bytes()
    assert "please" not in repr(row)


def test_a_call_is_given_its_own_lines_of_a_transcript_of_many(calls: Path, tmp_path: Path) -> None:
    """The lines of all calls lie in one file, in any order; another call's words would count."""
    lines = [
        {"call_id": f"call-00000{call}", "order": order, "speaker": "caller", "text": f"ä {call}"}
        for order in (1, 0)
        for call in (1, 2)
    ]
    file = tmp_path / "lines.jsonl"
    file.write_bytes(b"\xef\xbb\xbf" + "\n\n".join(map(json.dumps, lines)).encode() + b"\n")
    turns = [VoiceTurn(n, n, n + 0.5, -20.0, EmotionReading(None, "", 0.5, 0)) for n in range(2)]
    with scratch() as database:
        found = list(find_calls([str(calls)], transcripts=TranscriptIndex(database, str(file))))
    assert all(source.words for source in found)
    for source in found:
        said = [line.text for line in transcript_of(source).align(turns)]
        has_lines = source.call_id in {line["call_id"] for line in lines}
        assert said == ([f"ä {source.call_id[-1]}"] * 2 if has_lines else [None] * 2)


def test_a_killed_run_goes_on_and_loses_nothing(calls: Path, tmp_path: Path) -> None:
    """SIGKILL in the middle of a night's run must not cost what was extracted by then."""
    folder = tmp_path / "evidence"
    command = [
        *(sys.executable, "-m", "pipecat_deescalate.agent", "simulate", str(calls)),
        *("--evidence", str(folder), "--workers", "1", "--json"),
    ]
    run = subprocess.Popen(  # noqa: S603 - our own command
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=tmp_path
    )
    deadline = time.monotonic() + 120
    while not list(folder.glob("*.parquet")) and time.monotonic() < deadline:
        time.sleep(0.01)
    run.kill()
    run.wait()
    store = EvidenceCache(str(folder))
    tasks = by_id(calls)
    left = missing(store, tasks)
    assert 0 < len(left) < len(tasks)
    for rows in extract_locally(left, SETTINGS, workers=1):
        store.add(rows)
    whole = EvidenceCache(str(tmp_path / "whole"))
    whole.add(extract_all(tasks, SETTINGS))
    assert same(kept(store, tasks), kept(whole, tasks))


def test_a_failure_of_any_kind_is_the_call_s_own(
    tasks: list[Task], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What nobody thought of, here no room for a copy, must not cost the other calls."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    place = f"file://{tasks[0].source.place}"
    copied = replace(tasks[0], source=replace(tasks[0].source, place=place))
    failed, complete = extract_all([copied, tasks[1]], SETTINGS)
    assert failed["error"] == f"{place}: {os.strerror(errno.ENOENT)}"
    assert complete["turns"]


def test_a_complaint_is_one_line_without_secrets() -> None:
    """Libraries put the URL into their message, with the password or the signature in it."""
    error = RuntimeError("no https://me:hush@host/call.wav?sig=hush there\nhush")
    assert storage_complaint(error) == "RuntimeError: no https://host/call.wav there"


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_a_worker_that_dies_costs_its_own_call_only(tasks: list[Task], tmp_path: Path) -> None:
    """A recording that crashes a decoder must be reported, and cost no other call."""
    deadly = tmp_path / "deadly.jsonl"
    os.mkfifo(deadly)  # whoever opens it waits, and is killed below
    source = replace(tasks[3].source, call_id="deadly", transcript=str(deadly))
    bad = Task(source, "deadly", "deadly")
    with Killer(lambda: [child.pid for child in multiprocessing.active_children()]):
        rows = [
            row
            for chunk in extract_locally([*tasks[:3], bad, *tasks[3:]], SETTINGS, workers=2)
            for row in chunk
        ]
    errors = {row["call_id"]: row.get("error") for row in rows}
    assert len(errors) == len(rows) == len(tasks) + 1
    assert "ends the process that reads it" in errors.pop("deadly")
    assert set(errors.values()) == {None}
