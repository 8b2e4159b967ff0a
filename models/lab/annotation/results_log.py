"""The file that an annotation run writes: whole lines, on the disk before they count as done."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from ...files import OutputError
from .call_table import CallsError, file_complaint
from .labels import Label, parse_labels

_BEGINS = b'{"call_id":'
"""How every line begins, so that no file of another kind is cut."""


class ResultsLog:
    """Labels appended to a file, one run at a time; use it with `with`.

    Opening it cuts off an incomplete last line that a killed run left, and reads the rest into
    `labels`.

    Raises:
        OutputError: the file cannot be written, or another run is writing it.
        CallsError: the file holds something other than labels.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file = path.open("ab+", buffering=0)
        except OSError as error:
            raise OutputError(path, f"cannot be written: {error.strerror}") from error
        with ExitStack() as unfinished:
            unfinished.callback(self._file.close)
            self._lock()
            self.labels, whole = recorded(path)
            os.truncate(self._file.fileno(), whole)
            unfinished.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        if not self.path.stat().st_size:
            self.path.unlink()

    def append(self, labels: Iterable[Label]) -> None:
        """Write labels and wait until they are on the disk.

        Raises:
            OutputError: the disk is full or gone; what was written of these lines is cut off.
        """
        size = self._file.seek(0, os.SEEK_END)
        lines = memoryview(b"".join(label.to_line() for label in labels))
        try:
            while lines:
                lines = lines[self._file.write(lines) :]
            os.fsync(self._file.fileno())
        except OSError as error:
            os.truncate(self._file.fileno(), size)
            raise OutputError(self.path, f"cannot be written: {error.strerror}") from error

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise OutputError(self.path, "another run is writing it") from error


def recorded(path: Path) -> tuple[list[Label], int]:
    """The labels in a log, and the size of its whole lines in bytes; the file is not changed.

    Raises:
        CallsError: it holds something other than labels, and perhaps the beginning of one.
    """
    content = path.read_bytes() if path.exists() else b""
    whole = content.rfind(b"\n") + 1
    labels = list(parse_labels(path, content[:whole].splitlines()))
    begun = content[whole : whole + len(_BEGINS)]
    if not _BEGINS.startswith(begun):
        raise CallsError(file_complaint(path, "the last line is not a valid label"))
    return labels, whole
