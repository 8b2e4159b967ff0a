"""The evidence stage: kept, resumed, heard again, heard by workers that die."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipecat_deescalate.agent.simulate.engine import hear_locally
from pipecat_deescalate.agent.simulate.hearing import (
    HearingSettings,
    Task,
    hear,
    hear_all,
    tasks_for,
)
from pipecat_deescalate.agent.simulate.sources import find_calls
from pipecat_deescalate.agent.simulate.store import SCHEMA, EvidenceStore
from pipecat_deescalate.agent.simulate.told import Shown, tell_call
from pipecat_deescalate.policies.config import load_policy
from pipecat_deescalate.policies.replay import CallBatch

SETTINGS = HearingSettings()


@pytest.fixture(scope="module")
def tasks(calls: Path) -> list[Task]:
    return tasks_for(find_calls([str(calls)]), SETTINGS)


def kept(store: EvidenceStore, tasks: list[Task]) -> CallBatch:
    (batch,) = store.batches(tasks)
    return batch


def same(one: CallBatch, other: CallBatch) -> bool:
    return one.call_ids == other.call_ids and np.array_equal(
        one.log_likelihood_ratio, other.log_likelihood_ratio, equal_nan=True
    )


def test_what_is_kept_is_not_heard_again(tasks: list[Task], tmp_path: Path) -> None:
    """A run that goes on must only hear what is missing, and a changed file again."""
    store = EvidenceStore(str(tmp_path))
    store.add(hear_all(tasks[:4], SETTINGS))
    assert [task.source.call_id for task in store.missing(tasks)] == ["call-000004", "call-000005"]
    changed = replace(tasks[0], evidence_key="other", turns_key="other")
    assert store.missing([changed]) == [changed]


def test_another_model_hears_the_turns_that_are_known(tasks: list[Task], tmp_path: Path) -> None:
    """A new model must not cost the search for turns again, nor hear other turns."""
    store = EvidenceStore(str(tmp_path))
    store.add(hear_all(tasks[:1], SETTINGS))
    (again,) = store.missing([replace(tasks[0], evidence_key="of another model")])
    assert again.known_turns
    assert hear(again, SETTINGS) == {
        **hear(tasks[0], SETTINGS),
        "evidence_key": "of another model",
    }


def test_a_call_heard_twice_counts_once(tasks: list[Task], tmp_path: Path) -> None:
    """Two runs at a time into one folder must not double any figure."""
    store = EvidenceStore(str(tmp_path))
    store.add(hear_all(tasks[:2], SETTINGS))
    store.add(hear_all(tasks[1:3], SETTINGS))
    assert kept(store, tasks).call_ids == ("call-000000", "call-000001", "call-000002")


def test_the_course_of_a_turn_is_kept_beside_evidence_that_has_none(
    tasks: list[Task], tmp_path: Path
) -> None:
    """A folder with parts from before must be read, and must not hide what newer parts tell."""
    store = EvidenceStore(str(tmp_path))
    old, new = (hear(task, SETTINGS) for task in tasks[:2])
    for row, timeline in ((old, []), (new, [0.25, 0.75])):
        for turn in row["turns"]:
            turn["timeline"] = timeline
    turns = SCHEMA.field("turns").type.value_type
    before = pa.struct([field for field in turns if field.name != "timeline"])
    older = SCHEMA.set(SCHEMA.get_field_index("turns"), pa.field("turns", pa.list_(before)))
    pq.write_table(pa.Table.from_pylist([old], older), tmp_path / "part-0.parquet")
    (alone,) = store.calls(tasks).values()
    store.add([new])
    first, second = store.calls(tasks).values()
    assert first["turns"][0]["timeline"] is None
    assert second["turns"][0]["timeline"] == [0.25, 0.75]
    policies = [load_policy("balanced")]
    within = [
        tell_call(row, task.source, policies, None, settings=SETTINGS, shown=Shown())["turns"][0]
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
    (source, *_) = find_calls([str(calls)])
    transcript = tmp_path / "call.jsonl"
    transcript.write_text(
        '{"start_s": 0, "end_s": 9, "speaker": "caller", "text": "damn, a human please"}\n'
    )
    row = hear(Task(replace(source, transcript=str(transcript)), "k", "t"), SETTINGS)
    assert "asks_for_human" in row["turns"][0]["cues"]
    EvidenceStore(str(tmp_path / "kept")).add([row])
    (part,) = (tmp_path / "kept").iterdir()
    assert b"damn" not in part.read_bytes()
    assert "please" not in repr(row)


def test_a_killed_run_goes_on_and_loses_nothing(calls: Path, tmp_path: Path) -> None:
    """SIGKILL in the middle of a night's run must not cost what was heard by then."""
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
    store = EvidenceStore(str(folder))
    tasks = tasks_for(find_calls([str(calls)]), SETTINGS)
    missing = store.missing(tasks)
    assert 0 < len(missing) < len(tasks)
    for rows in hear_locally(missing, SETTINGS, workers=1):
        store.add(rows)
    whole = EvidenceStore(str(tmp_path / "whole"))
    whole.add(hear_all(tasks, SETTINGS))
    assert same(kept(store, tasks), kept(whole, tasks))


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_a_worker_that_dies_costs_its_own_call_only(tasks: list[Task], tmp_path: Path) -> None:
    """A recording that crashes a decoder must be written off, and all others be heard."""
    deadly = tmp_path / "deadly.jsonl"
    os.mkfifo(deadly)  # whoever opens it waits, and is killed below
    source = replace(tasks[3].source, call_id="deadly", transcript=str(deadly))
    bad = Task(source, "deadly", "deadly")
    with _Killer():
        rows = [
            row
            for handful in hear_locally([*tasks[:3], bad, *tasks[3:]], SETTINGS, workers=2)
            for row in handful
        ]
    heard = {row["call_id"]: row.get("error") for row in rows}
    assert len(heard) == len(rows) == len(tasks) + 1
    assert "ends the process that reads it" in heard.pop("deadly")
    assert set(heard.values()) == {None}


class _Killer:
    """Kills every worker that hangs in opening a pipe, until the block ends."""

    def __init__(self) -> None:
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._over = threading.Event()

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(0.05):
            for child in multiprocessing.active_children():
                if _waits_for_a_pipe(child.pid):
                    os.kill(child.pid, signal.SIGKILL)


def _waits_for_a_pipe(pid: int | None) -> bool:
    """Whether a process hangs in opening a pipe that nobody writes to."""
    try:
        return Path(f"/proc/{pid}/wchan").read_text(encoding="ascii") == "wait_for_partner"
    except OSError:
        return False
