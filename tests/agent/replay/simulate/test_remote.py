"""Recordings, labels, evidence and results in a bucket: a real S3 server, on loopback."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from pipecat_deescalate.agent.replay.simulate.command import Options, run_simulation
from pipecat_deescalate.agent.replay.simulate.duckdb_io import read_table
from pipecat_deescalate.agent.replay.simulate.storage import (
    create_file,
    list_files,
    local_file,
    open_file,
)
from pipecat_deescalate.models.errors import DeescalateError

pytest.importorskip("moto", reason="moto is not installed")
s3fs = pytest.importorskip("s3fs", reason="the extra ray is not installed")


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    """An empty bucket `calls`; fsspec finds the server by its configuration."""
    import requests  # noqa: PLC0415 - there only with the extra
    from fsspec.config import conf  # noqa: PLC0415
    from moto.server import ThreadedMotoServer  # noqa: PLC0415

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    requests.post(f"http://{host}:{port}/moto-api/reset", timeout=10)  # servers share their buckets
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setitem(conf, "s3", {"endpoint_url": f"http://{host}:{port}"})
    s3fs.S3FileSystem.clear_instance_cache()
    files = s3fs.S3FileSystem()
    files.mkdir("calls")
    yield files
    s3fs.S3FileSystem.clear_instance_cache()
    server.stop()


@pytest.mark.filterwarnings("ignore")  # s3fs closes its sessions when the interpreter ends
def test_brackets_in_a_bucket_are_no_pattern(
    bucket: s3fs.S3FileSystem, calls: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A key may hold any character; taken for a pattern, this one matched nothing."""
    bucket.put_file(str(calls / "call-000000.wav"), "calls/in[1]/call.wav")
    options = Options(
        calls=["s3://calls/in[1]"],
        policies=["balanced"],
        evidence="s3://calls/evidence[1]",
        workers=1,
        as_json=True,
    )
    assert run_simulation(options) == 0
    assert json.loads(capsys.readouterr().out)["calls"] == 1


@pytest.mark.filterwarnings("ignore")  # s3fs closes its sessions when the interpreter ends
def test_a_bucket_is_as_good_as_a_folder(
    bucket: s3fs.S3FileSystem, calls: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Figures must not depend on where the recordings, or the evidence, lie."""
    for file in calls.iterdir():
        bucket.put_file(str(file), f"calls/in/{file.name}")

    def simulated(place: str, evidence: str, results: str) -> dict[str, object]:
        options = Options(
            calls=[f"{place}/calls.csv"],
            policies=["balanced"],
            labels=f"{place}/labels.csv",
            evidence=evidence,
            results=results,
            workers=1,
            as_json=True,
        )
        assert run_simulation(options) == 0
        found: dict[str, object] = json.loads(capsys.readouterr().out)
        return found

    here = simulated(str(calls), str(tmp_path / "evidence"), str(tmp_path / "results"))
    there = simulated("s3://calls/in", "s3://calls/evidence", "s3://calls/results")
    assert here == there
    assert bucket.ls("calls/evidence")
    stored = bucket.cat_file("calls/results/turns.parquet")
    assert stored == (tmp_path / "results" / "turns.parquet").read_bytes()
    assert simulated("s3://calls/in", "s3://calls/evidence", "s3://calls/results") == here


@pytest.mark.filterwarnings("ignore")  # s3fs closes its sessions when the interpreter ends
@pytest.mark.parametrize("use", [list_files, local_file, open_file, create_file, read_table])
def test_a_bucket_without_credentials_is_reported_in_one_line(
    bucket: s3fs.S3FileSystem, monkeypatch: pytest.MonkeyPatch, use: Callable[[str], Any]
) -> None:
    """What botocore raises is no OSError, and was shown as a traceback."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, os.devnull)
    s3fs.S3FileSystem.clear_instance_cache()
    place = "s3://calls/calls.csv"
    with pytest.raises(DeescalateError, match=f"^{place}: .*redentials"):
        go_through(use(place))


def go_through(used: AbstractContextManager[object] | Iterable[object]) -> None:
    if isinstance(used, AbstractContextManager):
        with used:
            return
    list(used)
