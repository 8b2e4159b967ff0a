"""One model in a process of its own, timed by turn length; prints its figures as JSON.

Imports only the model that it measures, so that peak memory is that model's.
"""

from __future__ import annotations

import json
import math
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path

from pipecat_deescalate.agent.lab.timing import (
    LENGTHS_S,
    SAMPLE_RATE,
    SMART_TURN,
    Timing,
    elapsed_ms,
    speech_like,
)
from pipecat_deescalate.models.readings import Samples

from .affinity import allowed, on_last_cores

FIRST_LENGTH_S = 4.0
"""Measured first: the length to compare when a slow model gets no further."""
OURS = "ours"
_ENOUGH_S = 5.0
"""Stop timing a turn length once its runs took this long."""

Read = Callable[[Samples], float | None]


@dataclass(frozen=True, slots=True)
class TurnTime:
    """Inference time for turns of one length, with this many threads."""

    turn_s: float
    threads: int
    time: Timing


@dataclass(frozen=True, slots=True)
class IsolatedTiming:
    """One model's inference times, parameters and peak memory."""

    times: tuple[TurnTime, ...]
    parameters: int | None
    peak_memory_mb: float


@dataclass(frozen=True, slots=True)
class _Model:
    read: Read
    use_threads: Callable[[int], None]
    parameters: int | None = None


def measure(model: str, threads: Sequence[int], runs: int, budget_s: float) -> IsolatedTiming:
    """Measure a model by turn length and threads, up to the number of cores.

    The 4 s turn comes first. After `budget_s` no further measurement starts, so a very slow model
    may lack some lengths.
    """
    loaded = _load(model)
    started = time.perf_counter()
    times: list[TurnTime] = []
    lengths = sorted(LENGTHS_S, key=lambda length_s: (length_s != FIRST_LENGTH_S, length_s))
    counts = [count for count in threads if count <= _cores()]
    for turn_s, count in product(lengths, counts):
        if times and time.perf_counter() - started > budget_s:
            break
        loaded.use_threads(count)
        with on_last_cores(count):
            times.append(TurnTime(turn_s, count, _timing(loaded.read, turn_s, runs)))
    return IsolatedTiming(tuple(times), loaded.parameters, _peak_memory_mb())


def _timing(read: Read, turn_s: float, runs: int) -> Timing:
    """Time some runs, fewer for a slow model; only of a slow model the first run counts."""
    turn = speech_like(turn_s)
    answers: list[float | None] = []
    samples = [elapsed_ms(lambda: answers.append(read(turn)))]
    if samples[0] < _ENOUGH_S * 1000.0:
        samples.clear()
    while len(samples) < runs and sum(samples) < _ENOUGH_S * 1000.0:
        samples.append(elapsed_ms(lambda: answers.append(read(turn))))
    if not all(answer is not None and math.isfinite(answer) for answer in answers):
        raise ArithmeticError(f"no finite result for a turn of {turn_s:g} s")
    return Timing.of(samples)


def _load(model: str) -> _Model:
    if model == OURS:
        return _ours()
    if model == SMART_TURN:
        return _smart_turn()
    return _architecture(model)


def _ours() -> _Model:
    from pipecat_deescalate import load_classifier  # noqa: PLC0415 - not for other models

    classifier = load_classifier()
    return _Model(lambda turn: classifier.classify(turn, SAMPLE_RATE).p_negative, _one_thread)


def _smart_turn() -> _Model:
    from pipecat.audio.turn.smart_turn.local_smart_turn_v3 import (  # noqa: PLC0415 - as above
        LocalSmartTurnAnalyzerV3,
    )

    analyzer = LocalSmartTurnAnalyzerV3()
    analyzer.set_sample_rate(SAMPLE_RATE)
    return _Model(lambda turn: float(analyzer._predict_endpoint(turn)["probability"]), _one_thread)


def _one_thread(threads: int) -> None:
    if threads != 1:
        raise ValueError("this model runs on one thread")


def _architecture(model: str) -> _Model:
    from . import untrained_models  # noqa: PLC0415 - as above

    built = untrained_models.ARCHITECTURES[model]()
    return _Model(built, untrained_models.use_threads, untrained_models.parameters(built))


def _cores() -> int:
    return len(allowed()) or os.cpu_count() or 1


def _peak_memory_mb() -> float:
    """Peak memory of this process; `getrusage` would include its parent's."""
    status = Path("/proc/self/status")
    if status.exists():
        lines = status.read_text(encoding="utf-8").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024
    import resource  # noqa: PLC0415 - not on every system

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2


if __name__ == "__main__":
    asked = json.loads(sys.argv[1])
    print(json.dumps(asdict(measure(**asked))))
