"""A call that ends whatever hears it: its transcript is a pipe, and who opens it is killed."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path


class Killer:
    """Kills every one of these processes that hangs in opening a pipe, until the block ends."""

    def __init__(self, workers: Callable[[], Iterable[int | None]]) -> None:
        self._workers = workers
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._over = threading.Event()

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(0.05):
            for worker in self._workers():
                if worker is not None and _waits_for_a_pipe(worker):
                    with suppress(ProcessLookupError):
                        os.kill(worker, signal.SIGKILL)


def _waits_for_a_pipe(pid: int) -> bool:
    """Whether a thread of a process hangs in opening a pipe that nobody writes to."""
    try:
        return any(
            (thread / "wchan").read_text(encoding="ascii") == "wait_for_partner"
            for thread in Path(f"/proc/{pid}/task").iterdir()
        )
    except OSError:
        return False
