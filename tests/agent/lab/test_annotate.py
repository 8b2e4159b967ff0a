"""`deescalate label annotate` against a real server: no turn is lost, none is paid for twice."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from pipecat_deescalate.agent.console import UsageError
from pipecat_deescalate.agent.lab.annotate import AnnotationOptions, run_annotation
from pipecat_deescalate.models.errors import SettingError
from pipecat_deescalate.models.lab.annotation.call_table import CallsError
from pipecat_deescalate.models.lab.annotation.client import EndpointError, RetryPolicy
from pipecat_deescalate.models.lab.annotation.estimate import Prices
from pipecat_deescalate.models.lab.annotation.labels import Label, read_labels
from pipecat_deescalate.models.lab.annotation.providers import Api
from pipecat_deescalate.models.lab.annotation.strategies import Strategy

from ...commands import deescalate
from ...disk import no_file_over
from ...models.lab.annotation.llm_server import KEY, LlmServer
from ...models.lab.annotation.recorded import write_calls

HASTY = RetryPolicy(timeout_s=2.0, attempts=4, first_delay_s=0.01, rate_limit_s=20.0)


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


def annotate(calls: Path, out: Path, server: LlmServer | None, **changed: Any) -> int:
    strategies = changed.pop("strategies", (Strategy.COT_DETAILED,))
    options: dict[str, Any] = {
        "selection": None,
        "options": AnnotationOptions(strategies, 3, Api.OPENAI, "listener-1"),
        "endpoint": server.url if server else None,
        "key_variable": None,
        "concurrency": 8,
        "retry": HASTY,
        "out": out,
        "prices": Prices(),
        "dry_run": False,
        "as_json": True,
    }
    return run_annotation([calls], **{**options, **changed})


def arguments(calls: Path, out: Path, server: LlmServer, *more: str) -> list[str]:
    return [
        *("label", "annotate", str(calls), "--out", str(out)),
        *("--api", "openai", "--model", "listener-1", "--endpoint", server.url),
        *more,
    ]


def labelled(out: Path) -> Counter[tuple[str, int]]:
    return Counter((label.call_id, label.turn) for label in read_labels(out))


def callers(calls: int, turns: int = 10) -> Counter[tuple[str, int]]:
    return Counter((f"call-{c}", n) for c in range(calls) for n in range(1, turns, 2))


def test_every_turn_is_labelled_once_whatever_the_endpoint_does(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Rate limits, errors, resets and slow, cut and malformed answers must lose no turn."""
    calls, out = write_calls(tmp_path, calls=8), tmp_path / "labels.jsonl"
    faults = ("429", "429 retry-after", "500", "reset", "half", "garbage", "slow", "unparsable")

    def act(times: int, question: str) -> str:
        return faults[int(question[:4], 16) % len(faults)] if times == 0 else "answer"

    with LlmServer(act) as server:
        assert annotate(calls, out, server, retry=RetryPolicy(1.0, 4, 0.01, 20.0)) == 0
    assert labelled(out) == callers(8)
    assert set(server.answered.values()) == {1}
    tally = json.loads(capsys.readouterr().out)
    assert (tally["labelled"], tally["failed"]) == (40, {})
    again = [label for label in read_labels(out) if label.asked == 2]
    assert len(again) == tally["asked_again"] > 0
    assert all(label.answer == "I would say: negative!" for label in again)


def test_as_many_requests_are_in_flight_as_are_allowed(tmp_path: Path) -> None:
    """Fewer would waste an hour on every thousand calls, more would break the vendor's terms."""
    calls = write_calls(tmp_path, calls=8)
    with LlmServer(delay_s=0.1) as server:
        annotate(calls, tmp_path / "labels.jsonl", server, concurrency=5)
    assert server.most_in_flight == 5


def test_strategies_are_added_and_nothing_is_asked_again(tmp_path: Path) -> None:
    """A second run with one strategy more must only ask for that one."""
    calls, out = write_calls(tmp_path), tmp_path / "labels.jsonl"
    with LlmServer() as server:
        annotate(calls, out, server, strategies=(Strategy.SIMPLE,))
        assert server.asked.total() == 10
        annotate(calls, out, server, strategies=(Strategy.SIMPLE, Strategy.COT_CONTEXT))
        assert server.asked.total() == 20
        annotate(calls, out, server, strategies=(Strategy.COT_CONTEXT,))
        assert server.asked.total() == 20
    labels = list(read_labels(out))
    assert Counter(label.strategy for label in labels) == {"simple": 10, "cot_context": 10}
    assert {label.context for label in labels} == {0, 3}
    assert all((label.reasoning is None) == (label.strategy == "simple") for label in labels)
    assert all(label.prompt_hash and label.prompt_version for label in labels)


def wait_for_lines(out: Path, count: int, run: subprocess.Popen[bytes]) -> None:
    give_up = time.monotonic() + 60
    while not out.exists() or out.read_bytes().count(b"\n") < count:
        assert run.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < give_up
        time.sleep(0.01)


def test_a_killed_run_goes_on_with_no_turn_twice_and_none_missing(tmp_path: Path) -> None:
    """A kill -9 in the middle, half a line at the end: nothing on the disk is paid for again."""
    calls, out = write_calls(tmp_path, calls=24), tmp_path / "labels.jsonl"
    concurrency = 4
    with LlmServer(delay_s=0.05) as server:
        run = subprocess.Popen(  # noqa: S603 - our own command
            [
                *(sys.executable, "-m", "pipecat_deescalate.agent"),
                *arguments(calls, out, server, "--concurrency", str(concurrency)),
            ],
            stdout=subprocess.DEVNULL,
        )
        wait_for_lines(out, 20, run)
        run.send_signal(signal.SIGKILL)
        run.wait()
        with out.open("ab") as file:
            file.write(b'{"call_id":"call-23","turn":9,"annot')
        finished = deescalate(*arguments(calls, out, server, "--json"))
    assert finished.returncode == 0, finished.stderr
    assert labelled(out) == callers(24)
    assert json.loads(finished.stdout)["labels_before"] >= 20
    paid_twice = sum(server.answered.values()) - 120
    assert 0 <= paid_twice <= concurrency


def test_a_full_disk_stops_the_run_and_leaves_whole_lines(tmp_path: Path) -> None:
    """The rest is asked for when there is room again."""
    calls, out = write_calls(tmp_path, calls=6), tmp_path / "labels.jsonl"
    with LlmServer() as server:
        with no_file_over(3_000):
            full = deescalate(*arguments(calls, out, server))
        assert full.returncode == 2
        assert full.stderr == f"deescalate: {out}: cannot be written: File too large\n"
        assert out.read_bytes().endswith(b"\n")
        assert 0 < len(list(read_labels(out))) < 30
        annotate(calls, out, server)
    assert labelled(out) == callers(6)


def test_a_wrong_key_stops_at_once_with_one_line_and_is_never_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even a log at its most talkative, nor the server's own words, may show a key."""
    calls, out = write_calls(tmp_path, calls=8), tmp_path / "labels.jsonl"
    wrong = "sk-wrong-key-123"
    with LlmServer() as server:
        monkeypatch.setenv("OPENAI_API_KEY", wrong)
        run = deescalate("--verbose", *arguments(calls, out, server, "--concurrency", "2"))
        assert run.returncode == 2
        assert wrong not in run.stdout + run.stderr
        ours = [line for line in run.stderr.splitlines() if line.startswith("deescalate: ")]
        assert ours == ["deescalate: the endpoint refuses: HTTP 401; is the key right?"]
        assert "Traceback" not in run.stderr
        assert server.asked.total() <= 2
    assert not out.exists()


def test_neither_key_nor_words_are_in_what_a_failing_run_says(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The server echoes the key in every error; the calls hold words."""
    calls, out = write_calls(tmp_path), tmp_path / "labels.jsonl"
    with LlmServer(lambda times, question: "400" if question < "8" else "answer") as server:
        failed = annotate(calls, out, server, as_json=False)
    said = capfd.readouterr()
    assert failed > 0
    assert f"{failed} turns without an answer (HTTP 400); run again" in said.err
    assert len(labelled(out)) == 10 - failed
    everything = said.out + said.err + out.read_text()
    assert KEY not in everything
    assert "of call" not in everything


def test_an_endpoint_that_is_dead_stops_the_run(tmp_path: Path) -> None:
    """Ten thousand turns must not each be tried six times against nothing."""
    calls, out = write_calls(tmp_path, calls=12), tmp_path / "labels.jsonl"
    with LlmServer(lambda *_: "500") as server, pytest.raises(EndpointError, match="in a row"):
        annotate(calls, out, server, retry=RetryPolicy(2.0, 2, 0.001))
    assert server.asked.total() < 60
    assert not out.exists()


def test_a_dry_run_counts_and_sends_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever asks what it would cost has not agreed to send anything, and may have no key yet."""
    calls, out = write_calls(tmp_path), tmp_path / "labels.jsonl"
    strategies = (Strategy.SIMPLE, Strategy.COT_SIMPLE)
    with LlmServer() as server:
        prices = Prices(audio=1.0, text=0.5, output=2.0)
        annotate(calls, out, server, dry_run=True, strategies=strategies, prices=prices)
        cost = json.loads(capsys.readouterr().out)
        assert server.asked.total() == 0
        assert not out.exists()
        annotate(calls, out, server, strategies=(Strategy.SIMPLE,))
        capsys.readouterr()
        annotate(calls, out, None, dry_run=True, strategies=strategies)
    assert (cost["calls"], cost["turns"], cost["requests"]) == (2, 10, 20)
    assert cost["audio_s"] == pytest.approx(20 * (0.6 + 0.4))
    assert cost["audio_tokens"] == 200
    assert cost["output_tokens"] == 10 * (25 + 160)
    tokens = cost["audio_tokens"] + 0.5 * cost["text_tokens"] + 2 * cost["output_tokens"]
    assert cost["price"] == pytest.approx(tokens / 1e6)
    assert json.loads(capsys.readouterr().out)["requests"] == 10


@pytest.mark.parametrize(
    ("changed", "error", "said"),
    [
        ({"endpoint": None}, UsageError, "--endpoint"),
        ({"endpoint": "http://example.com/v1"}, SettingError, "use https"),
        ({"key_variable": "NO_SUCH_KEY"}, SettingError, "set NO_SUCH_KEY"),
        (
            {"options": AnnotationOptions((Strategy.SIMPLE,), 3, Api.OPENAI, None)},
            UsageError,
            "--model",
        ),
    ],
)
def test_nothing_is_sent_without_being_told_where_and_as_whom(
    tmp_path: Path, changed: dict[str, Any], error: type[Exception], said: str
) -> None:
    """Callers' audio goes to no place that was not named, and never in the open."""
    calls, out = write_calls(tmp_path, calls=1), tmp_path / "labels.jsonl"
    with LlmServer() as server, pytest.raises(error, match=said):
        annotate(calls, out, server, **changed)
    assert server.asked.total() == 0
    assert not out.exists()


def test_turns_that_cannot_be_heard_are_named_before_anything_is_sent(tmp_path: Path) -> None:
    """A turn without audio, a bot's turn, a missing file and an unknown turn: one line each."""
    calls, out = write_calls(tmp_path), tmp_path / "labels.jsonl"
    rows = [json.loads(line) for line in calls.read_text().splitlines()]
    rows[1] |= {"audio": None}
    calls.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    (tmp_path / "call-1.wav").unlink()
    chosen = tmp_path / "chosen.jsonl"
    keys = [("call-0", 0), ("call-0", 1), ("call-0", 3), ("call-1", 1), ("call-9", 1)]
    chosen.write_text("".join(json.dumps({"call_id": c, "turn": n}) + "\n" for c, n in keys))
    with LlmServer() as server, pytest.raises(CallsError) as caught:
        annotate(calls, out, server, selection=chosen)
    assert list(caught.value.complaints) == [
        f"{chosen}: 1 chosen turns are not in these calls",
        "call call-0, turn 0: speaker is bot, not the caller",
        "call call-0, turn 1: audio is missing",
        f"call call-1: audio: no file {tmp_path}/call-1.wav",
    ]
    assert server.asked.total() == 0


def test_a_damaged_recording_costs_its_own_turns_alone(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """One bad file among thousands must not stop a night's run."""
    calls, out = write_calls(tmp_path, calls=3), tmp_path / "labels.jsonl"
    damaged = tmp_path / "call-1.wav"
    damaged.write_bytes(damaged.read_bytes()[:9_000])
    with LlmServer() as server:
        assert annotate(calls, out, server) == 5
    assert {call for call, _ in labelled(out)} == {"call-0", "call-2"}
    assert f"5 turns without an answer ({damaged}: a turn begins at" in capfd.readouterr().err


def test_the_caller_is_heard_and_no_one_else(tmp_path: Path) -> None:
    """The turn's own stretch of the caller's channel goes out, as WAV, with a little around it."""
    import base64  # noqa: PLC0415
    import io  # noqa: PLC0415

    import numpy as np  # noqa: PLC0415
    import soundfile  # noqa: PLC0415

    calls, out = write_calls(tmp_path, calls=1), tmp_path / "labels.jsonl"
    with LlmServer() as server:
        annotate(calls, out, server)
    for body in server.bodies:
        content = body["messages"][1]["content"][0]["input_audio"]
        samples, rate = soundfile.read(io.BytesIO(base64.b64decode(content["data"])))
        assert (rate, samples.ndim) == (16_000, 1)
        assert samples.size == pytest.approx(1.0 * rate, abs=2)
        loud = np.abs(samples) > 0.02
        assert not loud[: int(0.19 * rate)].any()
        assert loud[int(0.2 * rate) : int(0.8 * rate)].any()


def test_labels_are_described() -> None:
    """A field that the documentation does not name cannot be used by anybody."""
    described = (Path(__file__).parents[3] / "docs" / "annotate.md").read_text()
    for name in (*Label.model_fields, *Strategy):
        assert f"`{name.removesuffix('_')}`" in described
