"""The live benchmark: real bots and real callers; frame lateness by count of calls."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import nullcontext
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks import concurrency
from benchmarks.announcement import Announcement, announcements
from benchmarks.audit import FrameAudit, audit
from benchmarks.bot import WITH, WITHOUT, CallNotes, Guard, RunningBot, Variant
from benchmarks.caller import CallLog
from benchmarks.caller_audio import callers_turns
from benchmarks.concurrency import Sample, summary
from benchmarks.cpu_memory import Cost
from benchmarks.live import LiveReport, print_live_report
from benchmarks.reply_latency import run_calls
from pipecat_deescalate.agent.lab.timing import Timing
from pipecat_deescalate.models.audio.recording import CallerChannel
from pipecat_deescalate.models.errors import AudioError

from ..audio import noise, write_audio
from ..telephony import RATE, FrameMark, Pcm

ROOT = Path(__file__).parents[2]
CALLS = ROOT / "examples" / "calls"


@pytest.fixture(scope="module")
def speech() -> tuple[Pcm, ...]:
    return callers_turns(CALLS / "synthetic_escalating.ogg", CallerChannel.LEFT)


def test_callers_say_the_turns_of_a_recording(speech: tuple[Pcm, ...], tmp_path: Path) -> None:
    """What a bot is measured with must be speech at the rate of a telephone line."""
    assert len(speech) >= 3
    assert all(0.8 * RATE <= len(turn) <= 5 * RATE for turn in speech)
    silent = write_audio(tmp_path / "silent.wav", noise(3.0, 8_000), 8_000, "pcm16.wav")
    with pytest.raises(AudioError, match="holds no turn"):
        callers_turns(silent, None)


def test_a_broken_model_costs_no_frame(speech: tuple[Pcm, ...]) -> None:
    """Counted at both ends, with a caller who speaks over the bot, whatever our model does."""
    faults = {Guard.CRASHING: "model", Guard.HANGING: "late"}
    variants = [Variant(guard.value, guard) for guard in faults]
    done = run_calls(variants, speech, turns=3, barging=(True,))
    for variant in variants:
        found = audit(done[variant])
        assert found.clean
        assert found.sent > 250
        assert found.bot_blocks > 100
        ((log, notes),) = done[variant]
        assert len(notes.turns) >= 3
        assert all(late is (variant.guard is Guard.HANGING) for _, late in notes.turns)
        assert notes.faults[faults[variant.guard]] >= 3
        assert log.cleared


def test_the_announcement_is_measured_where_the_caller_hears_it(speech: tuple[Pcm, ...]) -> None:
    """Heard in full with and without a barge-in, put through once, hung up on never."""
    for call in announcements(speech):
        assert call.said_s > 1.0
        assert call.heard_s == pytest.approx(call.said_s, abs=0.005)
        assert (call.transfers, call.hang_ups) == (1, 0)


def test_bots_are_measured_in_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow minute of the machine must not hit one bot alone."""
    order: list[str] = []

    def one_run(call: object, bot: RunningBot, *_: object) -> list[Sample]:
        order.append(bot.variant.name)
        return [Sample(1.0, float(len(order)), 0, 0)]

    monkeypatch.setattr(concurrency, "_one_run", one_run)
    monkeypatch.setattr(concurrency, "calling", nullcontext)
    bots = [RunningBot(variant, None) for variant in (WITHOUT, WITH)]
    monkeypatch.setattr(concurrency, "running_bots", lambda *variants: nullcontext(bots))
    found = concurrency.concurrency(
        (WITHOUT, WITH), (), counts=(1,), seconds=1, runs=3, say=lambda _: None
    )
    assert order == ["without", "with", "with", "without", "without", "with"]
    assert [one.lateness[0].p99_ms for one in found.values()] == [4, 3]


def test_frames_are_measured_while_calls_join(
    speech: tuple[Pcm, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a real bot: every count has its frames, and none of them comes before it was sent."""
    monkeypatch.setattr(concurrency, "_SETTLES_S", 0.5)
    monkeypatch.setattr(concurrency, "_STAYS_S", 0.5)
    found = concurrency.concurrency(
        (WITHOUT,), speech, counts=(1, 2), seconds=0.5, runs=1, say=lambda _: None
    )
    rows = found["without"].lateness
    assert [row.calls for row in rows] == [1, 2]
    assert all(0 < row.p50_ms <= row.p99_ms for row in rows)


def test_a_sample_holds_the_frames_and_turns_of_its_span() -> None:
    """Frames of other counts of calls would blur the counts; lost ones must not look punctual."""
    sent = [FrameMark(100 + 0.02 * n, n) for n in range(500)]
    came = [FrameMark(mark.at_s + (0.01 if mark.crc < 250 else 0.2), mark.crc) for mark in sent]
    log = CallLog("1", tuple(sent), (), (), (), (), ())
    turns = [(1.0, False), (3.0, True), (6.0, True), (7.0, False), (9.5, True)]
    early, late = (
        concurrency._sample([(log, CallNotes(frames=came, turns=turns))], begins, begins + 4)
        for begins in (100.5, 105.5)
    )
    assert (early.p50_ms, early.p99_ms) == pytest.approx((10, 10))
    assert (late.p50_ms, late.p99_ms) == pytest.approx((200, 200))
    assert [(one.turns, one.late_readings) for one in (early, late)] == [(2, 1), (3, 2)]
    few = CallNotes(frames=came[:300])
    assert concurrency._sample([(log, few)], 105.5, 109.5).p50_ms == pytest.approx(3000)


def test_concurrent_calls_are_those_whose_median_is_in_time() -> None:
    """One slow run must not decide, and a lucky one above the limit must not raise it."""
    p99 = {2: (10, 20, 900), 4: (99, 90, 101), 6: (100, 101, 20), 8: (5, 5, 5)}
    runs = [[Sample(1.0, of_runs[run], 1, 0) for of_runs in p99.values()] for run in range(3)]
    found = summary(tuple(p99), runs)
    assert found.concurrent_calls == 4
    assert [row.p99_ms for row in found.lateness] == [20, 99, 100, 5]
    assert [run.p99_ms for run in found.lateness[0].runs] == [10, 20, 900]
    assert summary((2,), [[Sample(150.0, 200.0, 1, 0)]]).concurrent_calls == 0


def test_callers_join_step_by_step() -> None:
    """Callers beyond a count would load the bot while that count is measured."""
    bot = RunningBot(WITH, None)  # type: ignore[arg-type]  # nobody asks it anything
    scripts = concurrency._scripts(bot, ["a", "b"], (2, 3, 6), 10.0)
    starts = [script.starts_after_s for script in scripts]
    assert starts == pytest.approx([0, 0.2, 10, 20, 20.2, 20.4])
    assert {round(s.starts_after_s + s.duration_s, 6) for s in scripts} == {33.0}


def test_a_baseline_has_a_column_of_its_own() -> None:
    """Figures of the baseline under another name would compare nothing."""
    sides = {"without": 1.0, "with": 2.0, "baseline": 3.0}
    report = LiveReport(
        machine={"processor": "x"},
        callers_share_cores=True,
        load_before=0.0,
        latency={name: Timing(n, n, 5) for name, n in sides.items()},
        frames={"without": FrameAudit(9, 9, 0, 0, 0, 1.0, 5, 0)},
        announcements=(Announcement(True, 1.8, 1.8, 1, 0),),
        costs={name: Cost(2, n, 10 * n, n) for name, n in sides.items()},
        concurrency={name: summary((2,), [[Sample(n, n, 1, 0)]]) for name, n in sides.items()},
    )
    assert list(json.loads(report.to_json())["concurrency"]) == list(sides)
    out = StringIO()
    print_live_report(report, Console(file=out, width=150))
    row = next(line for line in out.getvalue().splitlines() if "frame lateness" in line)
    assert [cell.strip() for cell in row.split("│")[2:5]] == [
        "1.0 ms (1)",
        "2.0 ms (2)",
        "3.0 ms (3)",
    ]


def test_the_command_says_what_it_needs() -> None:
    """A benchmark of several minutes must not fail at its end, nor with a traceback."""
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks", "live", "nowhere.wav"],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert run.returncode == 2
    assert run.stderr.splitlines()[-1].startswith("benchmarks: nowhere.wav: ")
