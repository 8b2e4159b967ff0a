"""Speed and size of the bundled models, measured side by side on this machine."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import soundfile
from rich.console import Console

from pipecat_deescalate.agent.lab.speed import Latency, SpeedReport, measure_speed, print_speed
from pipecat_deescalate.agent.lab.timing import Timing, elapsed_ms
from pipecat_deescalate.models.audio.recording import CallerChannel, open_call
from pipecat_deescalate.models.errors import AudioError, DeescalateError
from pipecat_deescalate.models.files import finite
from pipecat_deescalate.models.registry import BUNDLED_VOICE

from .architectures import (
    Architectures,
    ModelCost,
    measure_architectures,
    print_architectures,
)
from .baseline import Comparison, compare, print_comparison
from .machine import machine, one_core


class AnalyzeFailedError(DeescalateError):
    """`analyze` failed on the recording; its own message is on stderr."""


@dataclass(frozen=True, slots=True)
class CallCost:
    """`deescalate analyze` on one recording, in a process of its own on one core."""

    name: str
    duration_s: float
    wall_s: float
    times_real_time: float
    peak_memory_mb: float


@dataclass(frozen=True, slots=True)
class BenchReport:
    """Everything `python -m benchmarks speed` measured."""

    machine: Mapping[str, str | int]
    model: str
    model_bytes: int
    import_s: float
    latency: tuple[Latency, ...]
    words: Timing
    calls: tuple[CallCost, ...]
    architectures: tuple[ModelCost, ...]
    baseline: tuple[Comparison, ...] = ()

    def to_json(self) -> str:
        """The report, with the latency ratios spelled out."""
        report = asdict(self)
        for row, latency in zip(report["latency"], self.latency, strict=True):
            row["ratio"] = latency.ratio
        return json.dumps(finite(report), indent=2, allow_nan=False)


def bench(
    *,
    call: Path | None,
    runs: int,
    architectures: Architectures,
    budget_s: float,
    baseline: Path | None = None,
    say: Callable[[str], None],
) -> BenchReport:
    """Measure latency by turn length, import time, larger models and, on a recording, `analyze`.

    With a `call`, an hour made by repeating it is measured too. `baseline` is a folder with another
    `pipecat_deescalate` to compare with. `say` gets a line before each stage. `architectures` and
    `budget_s` are those of `measure_architectures`.

    Raises:
        AudioError: the call cannot be read, or is not mono.
        AnalyzeFailedError: it turned out to be damaged.
    """
    if call is not None:
        _check_mono(call)
    with one_core():
        say(f"latency, {runs} runs per turn length")
        speed = measure_speed(runs)
        say("import time")
        import_s = statistics.median(_import_s() for _ in range(5))
        comparison: tuple[Comparison, ...] = ()
        if baseline is not None:
            say(f"beside {baseline}")
            comparison = compare(baseline, runs)
        calls: tuple[CallCost, ...] = ()
        if call is not None:
            say(f"analyze {call.name}")
            calls = (_call_cost(call, call.name),)
            with tempfile.TemporaryDirectory() as folder:
                hour = Path(folder) / "hour.wav"
                _repeat(call, hour, seconds=3600)
                say("analyze an hour of it")
                calls += (_call_cost(hour, f"{call.name}, repeated to an hour"),)
    beside = measure_architectures(architectures, budget_s=budget_s, say=say)
    return BenchReport(
        machine=machine(),
        model=speed.model,
        model_bytes=BUNDLED_VOICE.stat().st_size,
        import_s=import_s,
        latency=speed.latency,
        words=speed.words,
        calls=calls,
        architectures=beside,
        baseline=comparison,
    )


def _check_mono(path: Path) -> None:
    with open_call(path, caller_channel=CallerChannel.LEFT) as call:
        if call.channels != 1:
            raise AudioError(path, "is stereo; choose a mono recording")


def print_report(report: BenchReport, console: Console) -> None:
    """The figures as tables."""
    print_speed(SpeedReport(report.model, report.latency, report.words), console)
    print_architectures(report.architectures, console)
    if report.baseline:
        print_comparison(report.baseline, console)
    console.print(
        f"model file {report.model_bytes / 1e6:.2f} MB, import {report.import_s:.2f} s; "
        f"{report.machine['processor']}"
    )
    for call in report.calls:
        console.print(
            f"analyze {call.name}: {call.duration_s:.0f} s in {call.wall_s:.1f} s, "
            f"{call.times_real_time:.0f} x real time, peak {call.peak_memory_mb:.0f} MB"
        )


def _import_s() -> float:
    code = "import pipecat_deescalate; pipecat_deescalate.load_classifier"
    return elapsed_ms(lambda: subprocess.run([sys.executable, "-c", code], check=True)) / 1000.0  # noqa: S603 - our own code


def _call_cost(path: Path, name: str) -> CallCost:
    command = [sys.executable, "-m", "pipecat_deescalate.agent", "analyze", str(path), "--json"]
    started = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:  # noqa: S603 - our own command
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    wall_s = time.perf_counter() - started
    if process.returncode != 0:
        raise AnalyzeFailedError(f"analyze {path} failed")
    with open_call(path) as call:
        duration_s = call.duration_s or 0.0
    return CallCost(name, duration_s, wall_s, duration_s / wall_s, usage.ru_maxrss / 1024)


def _repeat(source: Path, target: Path, *, seconds: int) -> None:
    """Write a recording over and over until the file is this long."""
    audio, rate = soundfile.read(source, dtype="int16")
    left = seconds * rate
    with soundfile.SoundFile(target, "w", rate, 1, "PCM_16") as file:
        while left > 0:
            piece = audio[:left]
            file.write(piece)
            left -= len(piece)
