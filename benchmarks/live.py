"""A live bot with and without a guard, side by side: `python -m benchmarks live`."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

from rich.console import Console
from rich.table import Table

from pipecat_deescalate.agent.lab.timing import Timing
from pipecat_deescalate.models.files import finite

from .affinity import shared
from .announcement import Announcement, announcements
from .audit import FrameAudit
from .bot import Guard
from .capacity import Capacity, capacities
from .cpu_memory import Cost, costs
from .machine import machine
from .reply_latency import ReplyLatency, frames, reply_latency
from .telephony import Pcm


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is measured: turns for latency, turns a call for frames, calls and seconds.

    `tries` are those around the edge of a bot's capacity.
    """

    turns: int = 60
    frame_turns: int = 8
    cost_calls: int = 6
    cost_s: float = 36.0
    probe_s: float = 12.0
    most_calls: int = 96
    tries: int = 16


QUICK = Effort(turns=3, frame_turns=2, cost_calls=2, cost_s=5.0, probe_s=3.0, most_calls=2, tries=2)
"""To see that it works; its figures say nothing."""


@dataclass(frozen=True, slots=True)
class LiveReport:
    """What `python -m benchmarks live` measured; by guard: none, bundled, crashing, hanging."""

    machine: Mapping[str, str | int]
    callers_share_cores: bool
    load_before: float
    latency: ReplyLatency
    frames: Mapping[str, FrameAudit]
    announcements: tuple[Announcement, ...]
    costs: Mapping[str, Cost]
    capacity: Mapping[str, Capacity]

    def to_json(self) -> str:
        """The report, with the differences spelled out."""
        report = asdict(self)
        for name in ("median_difference_ms", "p95_difference_ms"):
            report["latency"][name] = getattr(self.latency, name)
        return json.dumps(finite(report), indent=2, allow_nan=False)


def bench_live(speech: Sequence[Pcm], effort: Effort, *, say: Callable[[str], None]) -> LiveReport:
    """Measure it all; `say` gets a line before each stage."""
    load = os.getloadavg()[0]
    say(f"reply latency over {effort.turns} turns")
    latency = reply_latency(speech, effort.turns)
    say("frames at both ends")
    audits = frames(speech, effort.frame_turns)
    say("the announcement of a hand-over")
    announced = announcements(speech)
    say("processor and memory")
    cost = costs(speech, calls=effort.cost_calls, seconds=effort.cost_s)
    say("how many calls at once")
    held = capacities(
        (Guard.NONE, Guard.BUNDLED),
        speech,
        seconds=effort.probe_s,
        most=effort.most_calls,
        tries=effort.tries,
        say=say,
    )
    return LiveReport(machine(), shared(), load, latency, audits, announced, cost, held)


def print_live_report(report: LiveReport, console: Console) -> None:
    """The figures as tables."""
    latency = report.latency
    console.print(
        f"reply after VAD stop, median (p95): without {_ms(latency.without)}, "
        f"with {_ms(latency.guarded)}, {latency.guarded.runs} turns"
    )
    table = Table(title="Frames")
    for column in ("guard", "sent", "lost", "displaced", "held", "slowest", "bot's breaks"):
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
    for guard, cost in report.costs.items():
        console.print(
            f"{guard}: {cost.cpu_s_per_call_minute:.2f} s of processor a call-minute, "
            f"{cost.first_call_mb:.0f} MB with one call, {cost.further_call_mb:.2f} MB each more"
        )
    for guard, found in report.capacity.items():
        console.print(f"{guard}: {found.calls:.1f} calls at once{' or more' * found.reached_limit}")


def _ms(timing: Timing) -> str:
    return f"{timing.median_ms:.1f} ms ({timing.p95_ms:.1f})"
