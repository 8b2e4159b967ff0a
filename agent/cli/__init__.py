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
from . import recordings  # noqa: F401
from . import live  # noqa: F401
from . import models  # noqa: F401
from . import labels  # noqa: F401
# isort: on


def main() -> None:
    """Run the command; an error of ours is one line on stderr and exit code 2.

    Stopped by SIGTERM it clears away what it was writing, as after Ctrl-C.
    """
    signal.signal(signal.SIGTERM, _stop)
    try:
        app()
    except DeescalateError as error:
        print(f"deescalate: {complaint(error)}", file=sys.stderr)
        sys.exit(2)
    except OSError as error:  # such as a full disk, or a reader of our output that went away
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
    # A loop would tell of an exit as a fault. What runs in one writes whole lines, or no files.
    signal.signal(number, signal.SIG_DFL)
    signal.raise_signal(number)
