"""The `bench` command: the voice model and Smart Turn v3.2, interleaved, on one thread."""

from __future__ import annotations

import json
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from pipecat.audio.turn.smart_turn.local_smart_turn_v3 import LocalSmartTurnAnalyzerV3
from rich.console import Console
from rich.table import Table

from ...models.files import finite
from ...models.text.sentiment import load_word_classifier
from ...models.voice import EmotionClassifier, load_classifier
from ..console import results
from .timing import LENGTHS_S, SAMPLE_RATE, SMART_TURN, Timing, elapsed_ms, speech_like

TURNS_OF_WORDS = (
    "I have called you three times now about the same charge and nobody is able to tell me why now",
    "no I want to change my address because I moved last month and the new card went to that place",
)


@dataclass(frozen=True, slots=True)
class Latency:
    """Our model and Smart Turn v3.2 on the same turn, interleaved, on one thread."""

    turn_s: float
    ours: Timing
    smart_turn: Timing

    @property
    def ratio(self) -> float:
        """Our median over theirs."""
        return self.ours.median_ms / self.smart_turn.median_ms


@dataclass(frozen=True, slots=True)
class SpeedReport:
    """Inference time of the bundled models."""

    model: str
    latency: tuple[Latency, ...]
    words: Timing

    def to_json(self) -> str:
        """The report, with the latency ratios spelled out."""
        rows = [{**asdict(row), "ratio": row.ratio} for row in self.latency]
        report = {"model": self.model, "latency": rows, "words": asdict(self.words)}
        return json.dumps(finite(report), indent=2, allow_nan=False)


def run_bench(*, runs: int, as_json: bool, out: Path | None) -> None:
    """Measure and report the inference time of the bundled models."""
    with results(as_json=as_json, out=out) as emit:
        report = measure_speed(runs)
        emit(report.to_json(), partial(print_speed, report))


def measure_speed(runs: int) -> SpeedReport:
    """Time both models in a new process, with caches and threads of its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as fresh:
        latency = fresh.submit(_latencies, runs).result()
        words = fresh.submit(_words, runs).result()
    return SpeedReport(load_classifier().name, latency, words)


def print_speed(report: SpeedReport, console: Console) -> None:
    """The figures as a table."""
    table = Table(title="Audio to probability on one thread, median (p95) in ms")
    for column in ("turn", report.model, SMART_TURN, "ratio"):
        table.add_column(column, justify="right")
    for row in report.latency:
        table.add_row(
            f"{row.turn_s:g} s",
            f"{row.ours.median_ms:.1f} ({row.ours.p95_ms:.1f})",
            f"{row.smart_turn.median_ms:.1f} ({row.smart_turn.p95_ms:.1f})",
            f"1/{1 / row.ratio:.1f}",
        )
    console.print(table)
    console.print(f"words of a 20-word turn: {report.words.median_ms:.2f} ms (median)")


def _latencies(runs: int) -> tuple[Latency, ...]:
    smart_turn = LocalSmartTurnAnalyzerV3()
    smart_turn.set_sample_rate(SAMPLE_RATE)
    return tuple(_latency(load_classifier(), smart_turn, length_s, runs) for length_s in LENGTHS_S)


def _latency(
    classifier: EmotionClassifier,
    smart_turn: LocalSmartTurnAnalyzerV3,
    length_s: float,
    runs: int,
) -> Latency:
    audio = speech_like(length_s)
    ours: list[float] = []
    theirs: list[float] = []
    for run in range(runs + 3):
        first = elapsed_ms(lambda: classifier.classify(audio, SAMPLE_RATE))
        second = elapsed_ms(lambda: smart_turn._predict_endpoint(audio))
        if run >= 3:
            ours.append(first)
            theirs.append(second)
    return Latency(length_s, Timing.of(ours), Timing.of(theirs))


def _words(runs: int) -> Timing:
    """Classify turns of 20 words, cues included."""
    classifier = load_word_classifier()
    samples = [
        elapsed_ms(partial(classifier.classify, text))
        for _ in range(10 * runs)
        for text in TURNS_OF_WORDS
    ]
    return Timing.of(samples[len(TURNS_OF_WORDS) * runs :])
