"""What a guard costs a bot of many calls: processor, memory, and how many calls it can hold."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from .audit import LATE_S, matched
from .bot import Guard, RunningBot, Usage, running_bot
from .caller import Script, calling
from .replies import turned
from .telephony import Pcm

BETWEEN_CALLS_S = 0.2
SETTLES_S = 2.5
_STAYS_S = 3.0


@dataclass(frozen=True, slots=True)
class Cost:
    """One bot's: with one call, then with `calls`.

    `cpu_s_per_call_minute` is processor time, `first_call_mb` the resident memory of the process
    with one call, `further_call_mb` that of each call more.
    """

    calls: int
    cpu_s_per_call_minute: float
    first_call_mb: float
    further_call_mb: float


@dataclass(frozen=True, slots=True)
class Probe:
    """Some calls at once: frames that came over 100 ms late, turns, and readings not in time."""

    calls: int
    frames: int
    late_frames: int
    slowest_ms: float
    turns: int
    late_decisions: int


@dataclass(frozen=True, slots=True)
class Capacity:
    """The most calls of which no frame came late, and what happened at each try.

    `reached_limit` says that more calls were not tried.
    """

    calls: int
    reached_limit: bool
    probes: tuple[Probe, ...]


def costs(speech: Sequence[Pcm], *, calls: int, seconds: float) -> dict[str, Cost]:
    """The cost of a bot without and of one with a guard, measured at the same time."""
    guards = (Guard.NONE, Guard.BUNDLED)
    with ExitStack() as stack:
        call = stack.enter_context(calling())
        bots = [stack.enter_context(running_bot(guard)) for guard in guards]
        whole_s = 2 * seconds + calls * BETWEEN_CALLS_S
        scripts = [
            one
            for bot in bots
            for one in _scripts(bot, speech, calls, second_s=seconds, duration_s=whole_s)
        ]
        talk = call(scripts)
        time.sleep(seconds)
        first = [bot.usage() for bot in bots]
        time.sleep(calls * BETWEEN_CALLS_S + seconds / 2)
        middle = [bot.usage() for bot in bots]
        time.sleep(seconds / 2)
        last = [bot.usage() for bot in bots]
        talk.result()
    return {
        guard.value: _cost(calls, *usage)
        for guard, usage in zip(guards, zip(first, middle, last, strict=True), strict=True)
    }


def capacity(
    guard: Guard,
    speech: Sequence[Pcm],
    *,
    seconds: float,
    most: int,
    say: Callable[[str], None],
) -> Capacity:
    """Find how many calls one bot can hold: in steps of half as many again, then by halves.

    A number that failed is tried once more: one late frame may be the machine's.
    """
    probes: list[Probe] = []

    def holds(calls: int) -> bool:
        for _ in range(2):
            probe = _probe(guard, speech, calls, seconds)
            probes.append(probe)
            say(f"{guard.value}: {calls} calls, {probe.late_frames} frames late")
            if not probe.late_frames:
                return True
        return False

    good, bad, calls = 0, most + 1, min(8, most)
    while bad - good > 1:
        good, bad = (calls, bad) if holds(calls) else (good, calls)
        calls = min(most, calls + calls // 2) if bad > most else (good + bad) // 2
    return Capacity(good, good == most, tuple(probes))


def _probe(guard: Guard, speech: Sequence[Pcm], calls: int, seconds: float) -> Probe:
    with calling() as call, running_bot(guard) as bot:
        ramp_s = calls * BETWEEN_CALLS_S + SETTLES_S
        talk = call(_scripts(bot, speech, calls, duration_s=ramp_s + seconds + _STAYS_S))
        time.sleep(ramp_s)
        begins = time.monotonic()
        time.sleep(seconds)
        ends = time.monotonic()
        logs, notes = talk.result(), bot.calls()
    delays: list[float] = []
    frames = 0
    for log in logs:
        pairs, _, _ = matched(log.sent, notes[log.call_id].frames)
        frames += sum(begins < mark.at_s < ends for mark in log.sent)
        delays += [b.at_s - a.at_s for a, b in pairs if begins < a.at_s < ends]
    missed = max(0, frames - len(delays))
    late = [notes[log.call_id].faults for log in logs]
    return Probe(
        calls,
        frames,
        missed + sum(delay > LATE_S for delay in delays),
        max(delays, default=0.0) * 1000,
        sum(notes[log.call_id].turns for log in logs),
        sum(faults.get("late", 0) + faults.get("refused", 0) for faults in late),
    )


def _scripts(
    bot: RunningBot,
    speech: Sequence[Pcm],
    calls: int,
    *,
    duration_s: float,
    second_s: float = 0.0,
) -> list[Script]:
    """Callers one after the other; from the second on not before `second_s`; all end together."""
    starts = [0.0 if n == 0 else second_s + n * BETWEEN_CALLS_S for n in range(calls)]
    return [
        Script(
            f"{bot.guard.value}-{number}",
            bot.url,
            turned(speech, number),
            duration_s=duration_s - start,
            starts_after_s=start,
        )
        for number, start in enumerate(starts)
    ]


def _cost(calls: int, first: Usage, middle: Usage, last: Usage) -> Cost:
    minutes = calls * (last.at_s - middle.at_s) / 60
    return Cost(
        calls,
        (last.cpu_s - middle.cpu_s) / minutes,
        first.memory_mb,
        (last.memory_mb - first.memory_mb) / (calls - 1),
    )
