"""A live bot with and without a guard, side by side: `python -m benchmarks live`."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from pipecat_deescalate.agent.lab.timing import Timing
from pipecat_deescalate.models.files import finite
from tests.telephony import Pcm

from .affinity import shared
from .announcement import Announcement, announcements
from .audit import FrameAudit
from .bot import WITH, WITHOUT, Guard, Variant
from .concurrency import Concurrency, concurrency
from .cpu_memory import Cost, costs
from .machine import machine
from .reply_latency import frames, reply_latency


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is measured.

    `turns` of each bot are timed; `frame_turns` of each call are audited; CPU time and memory are
    those of `cost_calls` for `cost_s`; frame lateness is measured for `count_s` with each count of
    concurrent calls in `counts`, in each of `runs`.
    """

    turns: int = 48
    frame_turns: int = 8
    cost_calls: int = 4
    cost_s: float = 24.0
    counts: tuple[int, ...] = (2, 4, 6, 8, 10, 12)
    count_s: float = 3.0
    runs: int = 3


QUICK = Effort(turns=2, frame_turns=1, cost_calls=2, cost_s=2.0, counts=(1, 2), count_s=1.0, runs=1)
"""To see that it works; its figures say nothing."""


@dataclass(frozen=True, slots=True)
class LiveReport:
    """What `python -m benchmarks live` measured.

    By variant: without, with, and baseline where there is one; `frames` also with guards whose
    model is crashing or hanging.
    """

    machine: Mapping[str, str | int]
    callers_share_cores: bool
    load_before: float
    latency: Mapping[str, Timing]
    frames: Mapping[str, FrameAudit]
    announcements: tuple[Announcement, ...]
    costs: Mapping[str, Cost]
    concurrency: Mapping[str, Concurrency]

    def to_json(self) -> str:
        """All figures."""
        return json.dumps(finite(asdict(self)), indent=2, allow_nan=False)


def bench_live(
    speech: Sequence[Pcm],
    effort: Effort,
    *,
    baseline: Path | None = None,
    say: Callable[[str], None],
) -> LiveReport:
    """Measure it all; `say` gets a line before each stage.

    `baseline` is a folder with another `pipecat_deescalate` to measure beside this one.
    """
    variants = [WITHOUT, WITH]
    if baseline is not None:
        variants.append(Variant("baseline", Guard.BUNDLED, baseline.resolve()))
    load = os.getloadavg()[0]
    say(f"reply latency over {effort.turns} turns")
    latency = reply_latency(variants, speech, effort.turns)
    say("frames at both ends")
    audits = frames(speech, effort.frame_turns)
    say("the announcement of a transfer")
    announced = announcements(speech)
    say("CPU time and memory")
    cost = costs(variants, speech, calls=effort.cost_calls, seconds=effort.cost_s)
    say(f"frame lateness with {effort.counts[0]} to {effort.counts[-1]} concurrent calls")
    lateness = concurrency(
        variants,
        speech,
        counts=effort.counts,
        seconds=effort.count_s,
        runs=effort.runs,
        say=say,
    )
    return LiveReport(machine(), shared(), load, latency, audits, announced, cost, lateness)


def print_live_report(report: LiveReport, console: Console) -> None:
    """The figures as tables."""
    console.print(_side_by_side(report))
    table = Table(title="Frames")
    for column in ("guard", "sent", "lost", "displaced", "late", "slowest", "bot's breaks"):
        table.add_column(column, justify="right")
    for guard, one in report.frames.items():
        counts = (one.sent, one.lost, one.displaced, one.held)
        slowest = f"{one.slowest_ms:.0f} ms"
        table.add_row(guard, *map(str, counts), slowest, str(one.bot_breaks))
    console.print(table)
    for call in report.announcements:
        console.print(
            f"announcement{' under barge-in' if call.barge_in else ''}: {call.heard_s:.2f} of "
            f"{call.said_s:.2f} s heard, {call.transfers} transfers, {call.hang_ups} hang-ups"
        )


def _side_by_side(report: LiveReport) -> Table:
    """A column for each variant."""
    table = Table(title="Live bots")
    table.add_column("")
    for variant in report.latency:
        table.add_column(variant, justify="right")
    costs, found = report.costs.values(), report.concurrency.values()
    turns = min(timing.runs for timing in report.latency.values())
    table.add_row(
        f"reply after VAD stop, median (p95), {turns} turns",
        *(f"{one.median_ms:.1f} ms ({one.p95_ms:.1f})" for one in report.latency.values()),
    )
    calls = next(iter(costs)).calls
    cpu = (f"{cost.cpu_s_per_call_minute:.2f} s" for cost in costs)
    table.add_row(f"CPU time per call-minute, {calls} concurrent calls", *cpu)
    table.add_row("memory with one call", *(f"{cost.first_call_mb:.0f} MB" for cost in costs))
    further = (f"{cost.further_call_mb:.1f} MB" for cost in costs)
    table.add_row("memory per additional call", *further)
    for rows in zip(*(one.lateness for one in found), strict=True):
        name = f"frame lateness, p50 (p99), {rows[0].calls} concurrent calls"
        table.add_row(name, *(f"{row.p50_ms:.1f} ms ({row.p99_ms:.0f})" for row in rows))
    most = (str(one.concurrent_calls) for one in found)
    table.add_row("concurrent calls with p99 under 100 ms", *most)
    return table
