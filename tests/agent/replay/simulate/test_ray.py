"""The evidence stage on a Ray cluster of this machine's own, on loopback."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pipecat_deescalate.agent.replay.simulate.call_source import Task
from pipecat_deescalate.agent.replay.simulate.engine import extract_locally
from pipecat_deescalate.agent.replay.simulate.find_calls import find_calls
from pipecat_deescalate.agent.replay.simulate.ray_engine import extract_on_ray
from pipecat_deescalate.agent.replay.simulate.recording_evidence import (
    EvidenceSettings,
    Row,
    tasks_for,
)

from .killer import Killer

ray = pytest.importorskip("ray", reason="the extra ray is not installed")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A cluster of two cores that nobody outside can reach and that leaves nothing in HOME."""
    from ray._private import services  # noqa: PLC0415 - there only with the extra

    folder = tmp_path_factory.mktemp("r")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(folder))
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_AUTH_MODE", "disabled")
        patch.setenv("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        # Ray would take the machine's own address for loopback's, and listen on all of them.
        patch.setattr(services, "resolve_ip_for_localhost", lambda host: host)
        patch.setattr(services, "get_node_ip_address", lambda *_, **__: "127.0.0.1")
        ray.init(
            num_cpus=2,
            include_dashboard=False,
            _node_ip_address="127.0.0.1",
            _temp_dir=str(folder),
            object_store_memory=100 * 2**20,
            logging_level=logging.ERROR,
            log_to_driver=False,
        )
        yield
        ray.shutdown()


def by_call(rows: Iterator[list[Row]]) -> list[Row]:
    return sorted((row for chunk in rows for row in chunk), key=lambda row: row["call_id"])


@pytest.mark.filterwarnings("ignore")  # Ray leaves sockets and files open when it ends
def test_ray_hears_what_this_machine_hears(cluster: None, calls: Path, tmp_path: Path) -> None:
    """A policy tuned on a cluster's evidence must not differ from one tuned at home."""
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"RIFF")
    settings = EvidenceSettings()
    tasks = list(tasks_for(find_calls([str(calls), str(broken)]), settings))
    assert by_call(extract_on_ray(tasks, settings, workers=2)) == by_call(
        extract_locally(tasks, settings, workers=1)
    )


def ray_workers(kind: bytes = b"ray::") -> list[int]:
    """The cluster's processes that may hear calls."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes()
        except OSError:
            continue
        if command.startswith(kind):
            found.append(int(process.name))
    return found


@pytest.mark.filterwarnings("ignore")  # Ray leaves sockets and files open when it ends
def test_a_worker_that_dies_loses_nothing(cluster: None, calls: Path, tmp_path: Path) -> None:
    """A machine of the cluster may be taken away at any time, with the calls in flight."""
    source = min(calls.glob("*.wav"), key=lambda recording: recording.stat().st_size)
    for number in range(12):
        (tmp_path / f"{number}.wav").symlink_to(source)
    settings = EvidenceSettings()
    tasks = list(tasks_for(find_calls([str(tmp_path)]), settings))
    rows = extract_on_ray(tasks, settings, workers=1)
    first = next(rows)
    (worker,) = ray_workers(b"ray::MapWorker")
    os.kill(worker, signal.SIGKILL)
    rest = by_call(rows)
    assert len(first) < len(tasks)
    assert sorted([*first, *rest], key=lambda row: row["call_id"]) == by_call(
        extract_locally(tasks, settings, workers=1)
    )


@pytest.mark.filterwarnings("ignore")  # Ray leaves sockets and files open when it ends
def test_a_recording_that_kills_its_worker_is_reported(
    cluster: None, calls: Path, tmp_path: Path
) -> None:
    """By default Ray restarts a worker forever; no other call may be lost with it."""
    deadly = tmp_path / "deadly.jsonl"
    os.mkfifo(deadly)  # whoever opens it waits, and is killed below
    settings = EvidenceSettings()
    tasks = list(tasks_for(find_calls([str(calls)]), settings))
    source = replace(tasks[0].source, call_id="deadly", transcript=str(deadly))
    tasks.insert(1, Task(source, "deadly", "deadly"))
    with Killer(ray_workers):
        rows = by_call(extract_on_ray(tasks, settings, workers=1))
    errors = {row["call_id"]: row.get("error") for row in rows}
    assert len(errors) == len(rows) == len(tasks)
    assert "ends the process that reads it" in errors.pop("deadly")
    assert set(errors.values()) == {None}


_READS_ONE_CALL = """
import sys
from pipecat_deescalate.agent.replay.simulate.recording_evidence import EvidenceSettings, tasks_for
from pipecat_deescalate.agent.replay.simulate.ray_engine import extract_on_ray
from pipecat_deescalate.agent.replay.simulate.find_calls import find_calls

tasks = list(tasks_for(find_calls(sys.argv[1:]), EvidenceSettings()))
((row,),) = extract_on_ray(tasks, EvidenceSettings(), workers=1)
import ray
print(row["call_id"], ray.nodes()[0]["NodeManagerAddress"])
"""


def test_a_cluster_of_this_machine_s_own_keeps_to_loopback(
    calls: Path,
) -> None:
    """Who reaches the ports of a Ray cluster can run code on it."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    with tempfile.TemporaryDirectory(prefix="r") as folder:  # a socket's path has 107 characters
        run = subprocess.run(  # noqa: S603 - our own program
            [sys.executable, "-c", _READS_ONE_CALL, str(calls / "call-000000.wav")],
            env={**ours, "HOME": folder, "RAY_TMPDIR": folder},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
    assert run.stdout.split() == ["call-000000", "127.0.0.1"], run.stderr
