"""What `deescalate simulate` costs: analysing calls, analysing known turns again, replaying."""

from __future__ import annotations

import json
import os
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from rich.console import Console

from pipecat_deescalate.agent.replay.simulate.call_source import CallSource, Task
from pipecat_deescalate.agent.replay.simulate.engine import extract_locally
from pipecat_deescalate.agent.replay.simulate.find_calls import find_calls
from pipecat_deescalate.agent.replay.simulate.recording_evidence import (
    EvidenceSettings,
    Row,
    extract_all,
    tasks_for,
)
from pipecat_deescalate.agent.replay.simulate.statistics.tally import tally
from pipecat_deescalate.agent.replay.simulate.vectorized import CallBatch, replay
from pipecat_deescalate.models.files import finite
from pipecat_deescalate.policies.config import MitigationPolicy

from .machine import machine

CALLS = 120
_REPLAYED_CALLS = 10_000
_ROUNDS = 5
_PAIRS = 3


@dataclass(frozen=True, slots=True)
class Pair:
    """Wall time of the same calls in one process and in two, start and end included."""

    one_s: float
    two_s: float

    @property
    def faster(self) -> float:
        """How much faster two processes were."""
        return self.one_s / self.two_s


@dataclass(frozen=True, slots=True)
class SimulationReport:
    """Speeds in seconds of audio per second of one core, except for replay.

    `two_workers` is how much faster two processes were than one, the median of the `pairs`; `load`
    is the machine's load average before the run.
    """

    machine: Mapping[str, str | int]
    calls: int
    audio_s: float
    turns: int
    hearing: float
    hearing_known_turns: float
    two_workers: float
    pairs: tuple[Pair, ...]
    load: float
    replayed_turns_a_second: float
    sweep_s: float

    def to_json(self) -> str:
        """All figures."""
        return json.dumps(finite(asdict(self)), indent=2, allow_nan=False)


def bench_simulation(folder: Path, say: Callable[[str], None]) -> SimulationReport:
    """Measure on the first calls of a folder.

    Raises:
        DeescalateError: there are none, or they cannot be read.
    """
    settings, load = EvidenceSettings(), os.getloadavg()[0]
    tasks = list(tasks_for(_first_calls(folder), settings))
    extract_all(tasks[:1], settings)
    say(f"analysing {len(tasks)} calls")
    rows, hearing_s = _timed(tasks, settings)
    say("analysing their turns again")
    _, again_s = _timed(
        [_known(task, row) for task, row in zip(tasks, rows, strict=True)], settings
    )
    say(f"in two processes, {_PAIRS} times")
    pairs = tuple(_pair(tasks * 2, settings, number) for number in range(_PAIRS))
    say("replaying")
    batch = _made_up_calls()
    replay_s, count_s = _replay_s(batch)
    audio_s = sum(row["duration_s"] for row in rows)
    return SimulationReport(
        machine=machine(),
        calls=len(rows),
        audio_s=audio_s,
        turns=sum(len(row["turns"]) for row in rows),
        hearing=audio_s / hearing_s,
        hearing_known_turns=audio_s / again_s,
        two_workers=statistics.median(pair.faster for pair in pairs),
        pairs=pairs,
        load=load,
        replayed_turns_a_second=batch.turns / replay_s,
        sweep_s=1_000 * (replay_s + count_s),
    )


def _first_calls(folder: Path) -> list[CallSource]:
    return sorted(find_calls([str(folder)]), key=lambda source: source.call_id)[:CALLS]


def _timed(tasks: Sequence[Task], settings: EvidenceSettings) -> tuple[list[Row], float]:
    """The rows, and the CPU seconds that they took."""
    started = time.process_time()
    rows = extract_all(tasks, settings)
    return rows, time.process_time() - started


def _known(task: Task, row: Row) -> Task:
    turns = tuple((turn["started_at_s"], turn["ended_at_s"]) for turn in row["turns"])
    return replace(task, known_turns=turns)


def _pair(tasks: Sequence[Task], settings: EvidenceSettings, number: int) -> Pair:
    """Measure both ways; two processes go first every other time."""
    took_s = dict[int, float]()
    for workers in (1, 2) if number % 2 == 0 else (2, 1):
        took_s[workers] = _wall_s(tasks, settings, workers)
    return Pair(took_s[1], took_s[2])


def _wall_s(tasks: Sequence[Task], settings: EvidenceSettings, workers: int) -> float:
    started = time.perf_counter()
    for _ in extract_locally(tasks, settings, workers):
        pass
    return time.perf_counter() - started


def _made_up_calls() -> CallBatch:
    rng = np.random.default_rng(0)
    lengths = rng.integers(4, 17, _REPLAYED_CALLS)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    turns = int(offsets[-1])
    return CallBatch(
        call_ids=tuple(map(str, range(_REPLAYED_CALLS))),
        offsets=offsets,
        duration_s=10.0 * lengths.astype(np.float64),
        started_at=(None,) * _REPLAYED_CALLS,
        started_at_s=np.arange(turns, dtype=np.float64),
        ended_at_s=np.arange(1, turns + 1, dtype=np.float64),
        log_likelihood_ratio=rng.normal(-1.0, 1.2, turns),
        asks_for_human=rng.random(turns) < 0.005,
        dialog_state=np.full(turns, -1),
    )


def _replay_s(batch: CallBatch) -> tuple[float, float]:
    """CPU seconds to replay one policy, and to count what it did."""
    policy = MitigationPolicy()
    found = replay(batch, policy)
    started = time.process_time()
    for _ in range(_ROUNDS):
        found = replay(batch, policy)
    replayed = time.process_time()
    for _ in range(_ROUNDS):
        tally(batch, found)
    return (replayed - started) / _ROUNDS, (time.process_time() - replayed) / _ROUNDS


def print_simulation_report(report: SimulationReport, console: Console) -> None:
    """The figures as a sentence or two."""
    console.print(
        f"{report.calls} calls, {report.audio_s:.0f} s: analysed at {report.hearing:.0f} times "
        f"real time per core, known turns at {report.hearing_known_turns:.0f}; two processes "
        f"{report.two_workers:.2f} times one (load {report.load:.1f}). Replay: "
        f"{report.replayed_turns_a_second / 1e6:.1f} million turns per second; 1,000 policies over "
        f"{_REPLAYED_CALLS:,} calls: {report.sweep_s:.0f} s."
    )
