"""Files that are written whole or not at all.

They are written beside their place, under a hidden name. The next run that writes the same place
removes what a killed run left there.
"""

from __future__ import annotations

import glob
import json
import math
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from .errors import UnreadableInputError

if sys.platform != "win32":
    import fcntl

_UNFINISHED = ".unfinished"
_YOUNG_S = 60.0
"""A younger file may belong to a run that has not locked it yet."""


class OutputError(UnreadableInputError):
    """A result cannot be written where the user wants it; known before the work starts."""


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Write a file beside its place and move it there when the block ends without an error.

    A block that writes nothing leaves an older file as it was.

    Raises:
        OutputError: the folder is missing or cannot be written to, or the place is taken by
            something other than a file.
    """
    place = Path(os.path.realpath(path))  # a loop of links is no error here
    if place.exists() and not place.is_file():
        raise OutputError(path, "is a directory" if place.is_dir() else "is not a regular file")
    try:
        _clear_abandoned(place)
        handle, name = tempfile.mkstemp(_UNFINISHED, f".{place.name}.", place.parent)
    except OSError as error:
        raise OutputError(path, f"cannot be written: {error.strerror or error}") from error
    temporary = Path(name)
    try:
        with _locked(temporary):
            with os.fdopen(handle, "wb") as file:
                yield file
            if temporary.stat().st_size:
                temporary.chmod(0o644)
                temporary.replace(place)
    except OSError as error:
        raise OutputError(path, f"cannot be written: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Fill a folder beside its place and move it there when the block ends without an error.

    It replaces an older one of that name.

    Raises:
        OutputError: it cannot be written, or the place is taken by something other than a folder.
    """
    place = Path(os.path.realpath(path))  # a loop of links is no error here
    if place.exists() and not place.is_dir():
        raise OutputError(path, "is not a directory")
    try:
        _clear_abandoned(place)
        with tempfile.TemporaryDirectory(_UNFINISHED, f".{place.name}.", place.parent) as name:
            beside = Path(name)
            with _locked(beside):
                made = beside / "made"
                made.mkdir()
                yield made
                if place.exists():
                    place.rename(beside / "older")
                made.rename(place)
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(path, f"cannot be written: {error.strerror or error}") from error


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a lock on a file or folder; the system releases it if the process is killed."""
    if sys.platform == "win32":
        yield
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        with suppress(OSError):  # not every file system has locks; without them nothing is cleared
            fcntl.flock(handle, fcntl.LOCK_SH)
        yield
    finally:
        os.close(handle)


def _clear_abandoned(place: Path) -> None:
    """Remove what killed runs left beside a place."""
    for left in place.parent.glob(f".{glob.escape(place.name)}.*{_UNFINISHED}"):
        with suppress(OSError):  # another run may clear it at the same time
            if time.time() - left.stat().st_mtime > _YOUNG_S and _abandoned(left):
                shutil.rmtree(left) if left.is_dir() else left.unlink()


def _abandoned(path: Path) -> bool:
    """Whether nobody holds its lock. Raises OSError where there are no locks."""
    if sys.platform == "win32":
        return False
    handle = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(handle)
    return True


def write_json(path: Path, values: dict[str, Any]) -> None:
    """Write values as JSON, null for what JSON has no number for.

    Raises:
        OutputError: as for `whole_file`.
    """
    with whole_file(path) as file:
        file.write(as_json(values).encode())


def as_json(values: dict[str, Any]) -> str:
    """Return values as indented JSON, null for what JSON has no number for."""
    return json.dumps(finite(values), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def finite(value: Any) -> Any:
    """Return the value with None for what JSON has no number for."""
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
