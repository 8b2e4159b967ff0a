"""The command `deescalate`: one function a command, no logic."""

from __future__ import annotations

import signal
import sys
from types import FrameType

from ...models.errors import DeescalateError
from ..console import complaint
from .app import app

# They add their commands to the app, in the order of its help.
# isort: off
from . import run_commands  # noqa: F401
from . import call_commands  # noqa: F401
from . import label_commands  # noqa: F401
from . import model_commands  # noqa: F401
# isort: on


def main() -> None:
    """Run the command; an error of ours is one line on stderr and exit code 2.

    SIGTERM, like Ctrl-C, removes the files that it was writing.
    """
    signal.signal(signal.SIGTERM, _stop)
    try:
        app()
    except DeescalateError as error:
        print(f"deescalate: {complaint(error)}", file=sys.stderr)
        sys.exit(2)
    except OSError as error:  # such as a full disk, or a closed pipe
        where = f"{error.filename}: " if error.filename else ""
        print(f"deescalate: {where}{error.strerror or error}", file=sys.stderr)
        sys.exit(2)


def _stop(number: int, _frame: FrameType | None) -> None:
    import asyncio
    import multiprocessing

    for worker in multiprocessing.active_children():
        worker.terminate()
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        sys.exit(128 + number)
    # A loop would report the exit as an error. Work in a loop writes whole lines, or no files.
    signal.signal(number, signal.SIG_DFL)
    signal.raise_signal(number)
