"""How late a bot passes frames on while more and more calls join, without and with a guard."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

import numpy as np

from tests.telephony import Pcm

from .audit import LATE_S, matched
from .bot import CallNotes, RunningBot, Variant, running_bots
from .caller import Calling, CallLog, Script, calling
from .cpu_memory import BETWEEN_CALLS_S
from .reply_latency import rotated

_SETTLES_S = 1.5
"""A call's first moments are not measured: it is set up, and its caller listens."""
_STAYS_S = 3.0
"""How long calls go on after the last measurement. A frame that never comes counts as this late."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One count of calls in one run: how late frames were, and how many readings were."""

    p50_ms: float
    p99_ms: float
    turns: int
    late_readings: int


@dataclass(frozen=True, slots=True)
class Lateness:
    """One count of concurrent calls; `p50_ms` and `p99_ms` are medians over the runs."""

    calls: int
    p50_ms: float
    p99_ms: float
    runs: tuple[Sample, ...]


@dataclass(frozen=True, slots=True)
class Concurrency:
    """Frame lateness by number of calls.

    `concurrent_calls` is the largest count whose p99 is under 100 ms, as it is for all smaller
    counts; 0 if there is none.
    """

    concurrent_calls: int
    lateness: tuple[Lateness, ...]


def concurrency(
    variants: Sequence[Variant],
    speech: Sequence[Pcm],
    *,
    counts: Sequence[int],
    seconds: float,
    runs: int,
    say: Callable[[str], None],
) -> dict[str, Concurrency]:
    """Measure every count (ascending) for `seconds` in each run, the variants interleaved."""
    found: dict[Variant, list[list[Sample]]] = {variant: [] for variant in variants}
    with calling() as call, running_bots(*variants) as bots:
        for run in range(runs):
            for bot in rotated(bots, run):
                samples = _one_run(call, bot, speech, counts, seconds)
                found[bot.variant].append(samples)
                p99 = ", ".join(f"{sample.p99_ms:.0f}" for sample in samples)
                say(f"run {run + 1}, {bot.variant.name}: p99 lateness in ms {p99}")
    return {variant.name: summary(counts, of_runs) for variant, of_runs in found.items()}


def summary(counts: Sequence[int], runs: Sequence[Sequence[Sample]]) -> Concurrency:
    """Medians over the runs, each of which holds a sample for every count."""
    rows = [
        Lateness(
            calls,
            median(sample.p50_ms for sample in samples),
            median(sample.p99_ms for sample in samples),
            samples,
        )
        for calls, samples in zip(counts, zip(*runs, strict=True), strict=True)
    ]
    late = (i for i, row in enumerate(rows) if row.p99_ms >= LATE_S * 1000)
    in_time = rows[: next(late, len(rows))]
    return Concurrency(in_time[-1].calls if in_time else 0, tuple(rows))


def _one_run(
    call: Calling, bot: RunningBot, speech: Sequence[Pcm], counts: Sequence[int], seconds: float
) -> list[Sample]:
    """Let callers join until there are as many as each count says; measure, and go on."""
    joining_s = BETWEEN_CALLS_S * max(b - a for a, b in pairwise((0, *counts)))
    step_s = joining_s + _SETTLES_S + seconds
    logs = call(_scripts(bot, speech, counts, step_s)).result()
    notes = bot.take_calls()
    calls = [(log, notes[log.call_id]) for log in logs]
    began_s = min(log.sent[0].at_s for log in logs)
    ends = [began_s + step * step_s for step in range(1, len(counts) + 1)]
    return [_sample(calls, end_s - seconds, end_s) for end_s in ends]


def _scripts(
    bot: RunningBot, speech: Sequence[Pcm], counts: Sequence[int], step_s: float
) -> list[Script]:
    """Callers who join when the step of their count begins; all stay to the end."""
    ends_s = step_s * len(counts) + _STAYS_S
    scripts = []
    for number in range(counts[-1]):
        step = bisect_right(counts, number)
        joined_before = counts[step - 1] if step else 0
        starts_s = step * step_s + (number - joined_before) * BETWEEN_CALLS_S
        scripts.append(
            Script(
                f"{bot.variant.name}-{number}",
                bot.url,
                tuple(rotated(speech, number)),
                duration_s=ends_s - starts_s,
                starts_after_s=starts_s,
            )
        )
    return scripts


def _sample(calls: Sequence[tuple[CallLog, CallNotes]], begins_s: float, ends_s: float) -> Sample:
    """What was sent and decided within a span of the monotonic clock."""
    delays: list[float] = []
    readings_late: list[bool] = []
    for log, notes in calls:
        pairs, _, _ = matched(log.sent, notes.frames)
        came = [b.at_s - a.at_s for a, b in pairs if begins_s < a.at_s <= ends_s]
        sent = sum(begins_s < mark.at_s <= ends_s for mark in log.sent)
        delays += [*came, *[_STAYS_S] * (sent - len(came))]
        began_s = log.sent[0].at_s
        readings_late += [
            late for ended_s, late in notes.turns if begins_s < began_s + ended_s <= ends_s
        ]
    p50, p99 = np.quantile(delays, (0.5, 0.99)) * 1000
    return Sample(float(p50), float(p99), len(readings_late), sum(readings_late))
