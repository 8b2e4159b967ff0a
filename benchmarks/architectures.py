"""Our model, Smart Turn and larger architectures side by side, each in a process of its own.

So each model's memory is measured apart, and one that the system kills does not stop the others.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from rich.console import Console
from rich.table import Table

from pipecat_deescalate.agent.console import MissingExtraError, format_value, require_extra
from pipecat_deescalate.agent.lab.timing import LENGTHS_S, SMART_TURN, Timing

from .isolated_timing import FIRST_LENGTH_S, OURS
from .machine import free_memory_gb, one_core

RUNS = 20
"""At most, per model, length and number of threads."""


class Architectures(StrEnum):
    """Which larger models are measured beside ours; each choice includes those before it."""

    SMALL = "small"
    AERO = "aero"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class ModelLatency:
    """Inference time by turn length and threads.

    `times_ours` is relative to ours on one thread; NaN where ours was not measured.
    """

    turn_s: float
    threads: int
    time: Timing
    times_ours: float


@dataclass(frozen=True, slots=True)
class ModelCost:
    """One model's latency by turn length and threads, and its process's peak memory.

    `not_measured` says why there are none.
    """

    name: str
    precision: str
    parameters: int | None = None
    peak_memory_mb: float | None = None
    latency: tuple[ModelLatency, ...] = ()
    not_measured: str | None = None

    @property
    def complaint(self) -> str | None:
        """A line that says why the model was not measured; None if it was."""
        if self.not_measured is None:
            return None
        return f"{self.name} {self.precision} not measured: {self.not_measured}"


@dataclass(frozen=True, slots=True)
class _Contender:
    """A model to measure, by its name in `isolated_timing`, and the free memory that it needs."""

    model: str
    name: str
    precision: str
    needs_gb: float
    threads: tuple[int, ...] = (1, 2)


_SHIPPED = (
    _Contender(OURS, "ours", "int8", 0.2, threads=(1,)),
    _Contender(SMART_TURN, "Smart Turn v3.2", "int8", 0.4, threads=(1,)),
)
_SMALL = (
    _Contender("bert-base", "BERT-base", "fp32", 1.5),
    _Contender("wavlm-large", "WavLM-large", "fp32", 2.5),
)
_AERO = (
    _Contender("aero-1-audio-fp32", "Aero-1-Audio", "fp32", 11.0),
    _Contender("aero-1-audio", "Aero-1-Audio", "bf16", 6.0),
)
_QWEN = (_Contender("qwen2-audio-7b", "Qwen2-Audio-7B", "bf16", 19.0),)
_MEASURED = {
    Architectures.SMALL: _SHIPPED + _SMALL,
    Architectures.AERO: _SHIPPED + _SMALL + _AERO,
    Architectures.ALL: _SHIPPED + _SMALL + _AERO + _QWEN,
}


def measure_architectures(
    architectures: Architectures, *, budget_s: float, say: Callable[[str], None]
) -> tuple[ModelCost, ...]:
    """Measure ours, Smart Turn and the `architectures`.

    The 4 s turn comes first, however long it takes; after `budget_s` no further measurement of a
    model starts. `say` gets a line for each model and for each one left out.
    """
    costs: list[ModelCost] = []
    ours: dict[float, float] = {}
    for contender in _MEASURED[architectures]:
        say(f"{contender.name} {contender.precision}")
        cost = _cost(contender, ours, budget_s)
        if cost.complaint:
            say(cost.complaint)
        if contender.model == OURS:
            ours = {row.turn_s: row.time.median_ms for row in cost.latency}
        costs.append(cost)
    return tuple(costs)


def architectures_table(costs: tuple[ModelCost, ...]) -> Table:
    """Inference times by turn length, and relative to ours at 4 s."""
    table = Table(
        title="Inference time of each model in its own process, median in ms or s",
        box=None,
    )
    lengths = [f"{turn_s:g} s" for turn_s in LENGTHS_S]
    for column in ("model", "cores", *lengths, "x ours", "MB"):
        table.add_column(column, justify="left" if column == "model" else "right", no_wrap=True)
    for cost in costs:
        for threads in sorted({row.threads for row in cost.latency}):
            rows = {row.turn_s: row for row in cost.latency if row.threads == threads}
            cells = [_time(rows[s].time.median_ms) if s in rows else "" for s in LENGTHS_S]
            ratio = (
                format_value(rows[FIRST_LENGTH_S].times_ours, ".0f")
                if FIRST_LENGTH_S in rows
                else ""
            )
            name, memory = f"{cost.name} {cost.precision}", f"{cost.peak_memory_mb:.0f}"
            table.add_row(name, str(threads), *cells, ratio, memory)
    return table


def _time(milliseconds: float) -> str:
    return f"{milliseconds:.1f}" if milliseconds < 1000.0 else f"{milliseconds / 1000.0:.1f} s"


def print_architectures(costs: tuple[ModelCost, ...], console: Console) -> None:
    """The table, and a line for each model that was not measured."""
    console.print(architectures_table(costs))
    for cost in costs:
        if cost.complaint:
            console.print(cost.complaint, markup=False)


def _cost(contender: _Contender, ours: Mapping[float, float], budget_s: float) -> ModelCost:
    found = _why_not(contender) or _in_isolation(contender, budget_s)
    if isinstance(found, str):
        return ModelCost(contender.name, contender.precision, not_measured=found)
    latency = []
    for row in found["times"]:
        time = Timing(**row["time"])
        own_ms = time.median_ms if contender.model == OURS else math.nan
        reference_ms = ours.get(row["turn_s"], own_ms)
        latency.append(
            ModelLatency(row["turn_s"], row["threads"], time, time.median_ms / reference_ms)
        )
    latency.sort(key=lambda row: (row.threads, row.turn_s))
    return ModelCost(
        contender.name,
        contender.precision,
        parameters=found["parameters"],
        peak_memory_mb=found["peak_memory_mb"],
        latency=tuple(latency),
    )


def _why_not(contender: _Contender) -> str | None:
    """Why a model cannot be measured here; None if it can."""
    if contender not in _SHIPPED:
        try:
            require_extra("hf", "torch", "transformers")
        except MissingExtraError as error:
            return str(error)
    free_gb = free_memory_gb()
    if free_gb is not None and free_gb < contender.needs_gb:
        return f"needs {contender.needs_gb:g} GB of memory, {free_gb:.1f} GB are free"
    return None


def _in_isolation(contender: _Contender, budget_s: float) -> dict[str, Any] | str:
    """What `isolated_timing` prints for a model; a line of text if it fails."""
    asked = {
        "model": contender.model,
        "threads": contender.threads,
        "runs": RUNS,
        "budget_s": budget_s,
    }
    command = [sys.executable, "-m", f"{__package__}.isolated_timing", json.dumps(asked)]
    with one_core() if contender.threads == (1,) else nullcontext():
        run = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own command
    if run.returncode < 0:
        return f"the system killed it (signal {-run.returncode}), perhaps for lack of memory"
    if run.returncode:
        return (run.stderr.strip().splitlines() or ["it failed without a message"])[-1]
    measured: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    return measured
