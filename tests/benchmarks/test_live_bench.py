"""The live benchmark: real bots, real callers, and the search for how many fit."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import capacity
from benchmarks.announcement import announcements
from benchmarks.audit import audit
from benchmarks.bot import Guard
from benchmarks.caller_audio import callers_turns
from benchmarks.capacity import (
    FIRST,
    Measured,
    Probe,
    Search,
    capacities,
)
from benchmarks.machine import StolenTime, stolen_moments
from benchmarks.reply_latency import run_calls
from benchmarks.telephony import RATE, Pcm
from pipecat_deescalate.models.audio.recording import CallerChannel
from pipecat_deescalate.models.errors import AudioError

from ..audio import noise, write_audio
from ..commands import deescalate

CALLS = Path(__file__).parents[2] / "examples" / "calls"


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


@pytest.mark.parametrize(("model", "fault"), [(Guard.CRASHING, "model"), (Guard.HANGING, "late")])
def test_a_broken_model_costs_no_frame(model: Guard, fault: str, speech: tuple[Pcm, ...]) -> None:
    """Counted at both ends, with a caller who speaks over the bot, whatever our model does."""
    done = run_calls((model,), speech, turns=3, barging=(True,))
    found = audit(done[model])
    assert found.clean
    assert found.sent > 250
    assert found.bot_blocks > 100
    ((log, notes),) = done[model]
    assert notes.turns >= 3
    assert notes.faults[fault] >= 3
    assert log.cleared


def test_the_announcement_is_measured_where_the_caller_hears_it(speech: tuple[Pcm, ...]) -> None:
    """Heard in full with and without a barge-in, put through once, hung up on never."""
    for call in announcements(speech):
        assert call.said_s > 1.0
        assert call.heard_s == pytest.approx(call.said_s, abs=0.005)
        assert (call.transfers, call.hang_ups) == (1, 0)


@pytest.mark.parametrize(("true", "most", "expected"), [(0, 20, 1), (13, 40, 13.5), (99, 20, 20)])
@pytest.mark.parametrize("unlucky", [1, 9])
def test_the_search_finds_how_many_calls_fit(
    unlucky: int, true: int, most: int, expected: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One unlucky try must not decide, the bots take turns, and a limit must be called one."""
    tried: list[tuple[Guard, int]] = []

    def probe(guard: Guard, speech: object, calls: int, seconds: float) -> Probe:
        tried.append((guard, calls))
        late = calls > true or len(tried) == unlucky
        return Probe(calls, 100, int(late), 1.0, 1, 0, stolen=0.0, quiet=1.0)

    monkeypatch.setattr(capacity, "_probe", probe)
    guards = (Guard.NONE, Guard.BUNDLED)
    found = capacities(guards, (), seconds=1.0, most=most, tries=10, say=lambda _: None)
    assert [guard for guard, _ in tried[:6]] == [*guards] * 3
    for one in found.values():
        assert one.calls == pytest.approx(expected, abs=1)
        assert one.reached_limit is (expected == most)
        assert len(one.probes) < 30


def test_a_try_that_the_host_disturbed_is_made_again() -> None:
    """A neighbour's load must not count against a bot, nor keep a benchmark from ending."""
    search = Search(most=20, tries=3)

    def late(quiet: float) -> Probe:
        return Probe(search.calls, 100, 50, 300.0, 1, 0, 0.1, quiet)

    search.note(late(quiet=0.0))
    search.note(late(quiet=0.4))
    assert search.calls == FIRST
    search.note(late(quiet=0.6))
    assert search.calls < FIRST
    while not search.done:
        search.note(late(quiet=0.2))
    found = search.result()
    assert [probe.calls for probe in found.disturbed].count(1) == 2
    assert found.calls == 1
    assert [probe.disturbed for probe in found.probes[:2]] == [False, True]


def test_frames_do_not_count_while_the_host_has_other_work() -> None:
    """A frame that is late for want of a processor says nothing of the bot."""
    measured = Measured(100.0, 110.0, stolen=(104.0, 104.1))
    counted = [at_s in measured for at_s in (99.9, 100.1, 103.6, 103.8, 105.0, 105.2, 110.1)]
    assert counted == [False, True, True, False, False, True, False]
    assert measured.quiet == pytest.approx(0.86, abs=0.02)


def test_stolen_time_is_a_share() -> None:
    """A wrong column of /proc/stat would have every try disturbed, or none."""
    stolen = StolenTime()
    assert len(stolen_moments(0.3, share=-0.1)) == 3
    assert not stolen_moments(0.3, share=1.0)
    assert 0 <= stolen.share <= 0.9


def test_the_command_says_what_it_needs() -> None:
    """A benchmark of several minutes must not fail at its end, nor with a traceback."""
    run = deescalate("bench", "live")
    assert run.returncode == 2
    assert "--call" in run.stderr
    missing = deescalate("bench", "live", "--call", "nowhere.wav")
    assert missing.returncode == 2
    assert missing.stderr.startswith("deescalate: nowhere.wav: ")
