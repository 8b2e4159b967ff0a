"""The command `deescalate`: run in this process, as starting another costs seconds, or in one."""

from __future__ import annotations

import io
import logging
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from unittest.mock import patch

import structlog
from loguru import logger

from pipecat_deescalate.agent.cli import main


def deescalate(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the command to its end; what it prints and its exit code are those of a process."""
    words = ["deescalate", *map(str, arguments)]
    out, errors = (io.TextIOWrapper(io.BytesIO(), "utf-8", newline="") for _ in range(2))
    code: object = 0
    with ExitStack() as stack:
        stack.enter_context(_a_process_s_own_settings())
        stack.enter_context(patch.object(sys, "argv", words))
        stack.enter_context(redirect_stdout(out))
        stack.enter_context(redirect_stderr(errors))
        try:
            main()
        except SystemExit as ended:
            code = ended.code or 0
    assert isinstance(code, int)
    return subprocess.CompletedProcess(words, code, _text(out), _text(errors))


def in_a_process(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """The same in a process of its own: for what sets up more than its output."""
    return subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "pipecat_deescalate.agent", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@contextmanager
def _a_process_s_own_settings() -> Iterator[None]:
    """Put back what the command sets for the whole of its process: the log, and SIGTERM."""
    ours = logging.getLogger("pipecat_deescalate")
    before = ours.handlers, ours.level, ours.propagate
    on_term = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, on_term)
        ours.handlers, ours.propagate = before[0], before[2]
        ours.setLevel(before[1])
        structlog.reset_defaults()
        logger.remove()


def _text(stream: io.TextIOWrapper) -> str:
    stream.flush()
    buffer = stream.buffer
    assert isinstance(buffer, io.BytesIO)
    return buffer.getvalue().decode()
