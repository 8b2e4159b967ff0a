"""Two versions of this package side by side: the installed one, and one from another folder."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from rich.console import Console
from rich.table import Table

from pipecat_deescalate.agent.lab.speed import TURNS_OF_WORDS
from pipecat_deescalate.agent.lab.timing import LENGTHS_S, SAMPLE_RATE, Timing, speech_like
from pipecat_deescalate.models.errors import UnreadableInputError

from .inference_worker import import_from, text_ms, voice_ms

_WARM_UP = 3


class BaselineError(UnreadableInputError):
    """The folder to compare with holds no `pipecat_deescalate`."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Inference time of this package and of the baseline, interleaved, on one thread each."""

    what: str
    ours: Timing
    baseline: Timing

    @property
    def ratio(self) -> float:
        """Our median over the baseline's."""
        return self.ours.median_ms / self.baseline.median_ms


def checked(folder: Path | None) -> Path | None:
    """The folder of a baseline as an absolute path; None stays None.

    Raises:
        BaselineError: it holds no `pipecat_deescalate`.
    """
    if folder is None:
        return None
    if not (folder / "pipecat_deescalate" / "__init__.py").is_file():
        raise BaselineError(folder, "holds no folder pipecat_deescalate with an __init__.py")
    return folder.resolve()


def compare(baseline: Path, runs: int) -> tuple[Comparison, ...]:
    """Time both versions' voice model by turn length and their text model."""
    with ExitStack() as stack:
        workers = [
            stack.enter_context(
                ProcessPoolExecutor(
                    1, get_context("spawn"), initializer=import_from, initargs=(folder,)
                )
            )
            for folder in (None, baseline)
        ]

        def timed(what: str, inference: Callable[..., float], *arguments: object) -> Comparison:
            times: list[list[float]] = [[], []]
            for _ in range(_WARM_UP + runs):
                for worker, found in zip(workers, times, strict=True):
                    found.append(worker.submit(inference, *arguments).result())
            ours, theirs = (Timing.of(found[_WARM_UP:]) for found in times)
            return Comparison(what, ours, theirs)

        voice = [
            timed(f"voice, {length_s:g} s", voice_ms, speech_like(length_s), SAMPLE_RATE)
            for length_s in LENGTHS_S
        ]
        return (*voice, timed("text, 20 words", text_ms, TURNS_OF_WORDS[0]))


def print_comparison(rows: tuple[Comparison, ...], console: Console) -> None:
    """The comparison as a table."""
    table = Table(title="Beside the baseline, median (p95) in ms")
    for column in ("inference", "this", "baseline", "ratio"):
        table.add_column(column, justify="right")
    for row in rows:
        both = (f"{one.median_ms:.2f} ({one.p95_ms:.2f})" for one in (row.ours, row.baseline))
        table.add_row(row.what, *both, f"{row.ratio:.2f}")
    console.print(table)
