"""`deescalate demo` as a process of its own."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_STUCK_S = 60
_ADDRESS = re.compile(r"http://\S+")


class DemoServer:
    """A running `deescalate demo`; `address` is what it tells people to open."""

    def __init__(self, log: Path, *options: str) -> None:
        self.port = free_port()
        self._log = log
        self._options = options
        self.start()

    @property
    def address(self) -> str:
        found = _ADDRESS.search(self._log.read_text(encoding="utf-8"))
        return found[0] if found else ""

    def start(self) -> None:
        """Start, and wait until it takes calls."""
        command = [sys.executable, "-m", "pipecat_deescalate.agent", "demo"]
        command += ["--port", str(self.port), *self._options]
        with self._log.open("w", encoding="utf-8") as log:
            self._process = subprocess.Popen(  # noqa: S603 - the package's own command
                command,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, "COLUMNS": "200"},
            )
        deadline = time.monotonic() + _STUCK_S
        while not self.address:
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(self._log.read_text(encoding="utf-8"))
            time.sleep(0.02)

    def kill(self) -> None:
        """End it with no chance to tell its callers."""
        self._process.kill()
        self._process.wait()

    def stop(self) -> int:
        """End it as Ctrl+C does; its exit code."""
        self._process.send_signal(signal.SIGINT)
        try:
            return self._process.wait(_STUCK_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    @property
    def running(self) -> bool:
        return self._process.poll() is None


@contextmanager
def serving_demo(log: Path, *options: str) -> Iterator[DemoServer]:
    """A demo server while the block lasts."""
    server = DemoServer(log, *options)
    try:
        yield server
    finally:
        if server.running:
            server.stop()


def free_port() -> int:
    """A port that nobody listens on; the same one serves again after a restart."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
