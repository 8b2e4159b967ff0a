"""What the commands share: progress, results, missing packages and logging."""

from __future__ import annotations

import logging
import math
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path

import structlog
from loguru import logger
from rich.console import Console
from rich.progress import Progress as Bars
from rich.progress import TaskID

from ..models.audio.formats import is_recording
from ..models.errors import DeescalateError
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


def complaint(error: DeescalateError | str) -> str:
    """A message with the command's options in place of Python arguments."""
    return str(error).replace('caller_channel="left" or "right"', "--caller-channel left|right")


def recordings(path: Path) -> list[Path]:
    """The recordings of a folder, by name; a file counts as one, whatever its name.

    Raises:
        NoRecordingsError: the folder holds none.
    """
    if not path.is_dir():
        return [path]
    found = sorted(file for file in path.iterdir() if is_recording(file.name))
    if not found:
        raise NoRecordingsError(f"{path}: no recordings in this folder")
    return found


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
                tasks[what] = bars.add_task(what, total=total)
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
