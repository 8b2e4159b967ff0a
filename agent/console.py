"""What the commands share: progress, results, missing packages and logging."""

from __future__ import annotations

import logging
import math
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path

import structlog
from loguru import logger
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress as Bars
from rich.progress import TaskID

from ..models.audio.folders import LeftOut, files_under, recordings_among
from ..models.errors import DeescalateError, first_line, shown
from ..models.files import whole_file
from ..models.progress import Progress

Emit = Callable[[str, Callable[[Console], None]], None]
"""Takes one result: its JSON, and a function that prints it for a person."""


class UsageError(DeescalateError):
    """Options that do not fit together; the message names them."""


class NoRecordingsError(DeescalateError):
    """A folder holds no recordings."""


class MissingExtraError(DeescalateError):
    """A command needs packages of an extra; the message says which one to install."""


def require_extra(extra: str, *packages: str) -> None:
    """Raise MissingExtraError unless these packages of an extra are installed."""
    missing = [name for name in packages if find_spec(name) is None]
    if missing:
        raise MissingExtraError(
            f'{", ".join(missing)} not installed: pip install "pipecat-deescalate[{extra}]"'
        )


def complaint(error: Exception | str) -> str:
    """A message with the command's options in place of Python arguments."""
    return str(error).replace('caller_channel="left" or "right"', "--caller-channel left|right")


def recordings(path: Path) -> list[Path]:
    """The recordings of a folder and of those below; a file counts as one, whatever its name.

    What else is there is named on stderr.

    Raises:
        NoRecordingsError: the folder holds none.
    """
    if not os.path.isdir(path):  # noqa: PTH112 - a loop of links is no error here
        return [path]
    left_out = LeftOut()
    found = [file for some in files_under(path) for file in recordings_among(some, left_out)]
    report_left_out(left_out)
    if not found:
        raise NoRecordingsError(f"{shown(path)}: no recordings in this folder")
    return [Path(file) for file in found]


def report_left_out(left_out: LeftOut) -> None:
    """Name what was not read, on stderr."""
    if left_out.count:
        print(f"deescalate: {left_out}", file=sys.stderr)


def print_failure(path: Path, error: Exception) -> None:
    """Say on stderr, in one line, why a file could not be read."""
    ours = isinstance(error, DeescalateError)
    text = complaint(error) if ours else f"{path}: {type(error).__name__}: {first_line(error)}"
    print(f"deescalate: {shown(text)}", file=sys.stderr)


def is_one_of(out: Path, paths: Sequence[Path]) -> bool:
    """Whether a file to write is one of those to read, by whatever name or link."""
    return os.path.realpath(out) in {os.path.realpath(path) for path in paths}


@contextmanager
def results(*, as_json: bool, out: Path | None) -> Iterator[Emit]:
    """Send a command's results to the terminal, as JSON or for a person, and to a file.

    The file is opened before the work starts, so that a bad path fails at once; it appears when
    the work is done.

    Raises:
        OutputError: the file cannot be written.
    """
    console = Console()
    with ExitStack() as stack:
        file = stack.enter_context(whole_file(out)) if out is not None else None

        def emit(text: str, show: Callable[[Console], None]) -> None:
            if as_json:
                print(text)
            else:
                show(console)
            if file is not None:
                file.write(f"{text}\n".encode())

        yield emit


@contextmanager
def stages() -> Iterator[Progress]:
    """Show one bar per stage on stderr, until done; nothing if stderr is not a terminal."""
    console = Console(stderr=True)
    tasks: dict[str, TaskID] = {}
    with Bars(console=console, transient=True, disable=not console.is_terminal) as bars:

        def report(what: str, done: float, total: float | None) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(escape(shown(what)), total=total)
            bars.update(tasks[what], completed=done, total=total)

        yield report


def format_value(value: float | None, spec: str = ".3f") -> str:
    """A figure in a format such as ".1%"; a dash for None or NaN."""
    return "-" if value is None or math.isnan(value) else format(value, spec)


def configure_logging(*, verbose: bool = False) -> None:
    """Send our log, and Pipecat's, to stderr: warnings and worse, or everything if `verbose`."""
    level = logging.DEBUG if verbose else logging.WARNING
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()),
            ],
            foreign_pre_chain=[structlog.stdlib.add_log_level, structlog.stdlib.ExtraAdder()],
        )
    )
    ours = logging.getLogger("pipecat_deescalate")
    ours.handlers = [handler]
    ours.setLevel(level)
    ours.propagate = False
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
    )
    _bridge_pipecat(ours, level)


def _bridge_pipecat(ours: logging.Logger, level: int) -> None:
    logger.remove()
    logger.add(
        lambda message: ours.log(level, str(message).rstrip()), level=level, format="{message}"
    )
