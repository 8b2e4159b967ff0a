"""Files that are written whole or not at all."""

from __future__ import annotations

import json
import math
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from .errors import UnreadableInputError


class OutputError(UnreadableInputError):
    """A result cannot be written where the user wants it; known before the work starts."""


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Write a file beside its place and move it there when the block ends without an error.

    A block that writes nothing leaves an older file as it was.

    Raises:
        OutputError: the folder is missing or cannot be written to, or something that is no file
            stands in the place.
    """
    place = path.resolve()
    if place.exists() and not place.is_file():
        raise OutputError(path, "is a directory" if place.is_dir() else "is not a regular file")
    try:
        handle, name = tempfile.mkstemp(dir=place.parent, prefix=f".{place.name}.")
    except OSError as error:
        raise OutputError(path, f"cannot be written: {error.strerror}") from error
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
        if temporary.stat().st_size:
            temporary.chmod(0o644)
            temporary.replace(place)
    except OSError as error:
        raise OutputError(path, f"cannot be written: {error.strerror}") from error
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Fill a folder beside its place and move it there when the block ends without an error.

    It takes the place of an older one of that name.

    Raises:
        OutputError: it cannot be written, or something that is no folder stands in the place.
    """
    place = path.resolve()
    if place.exists() and not place.is_dir():
        raise OutputError(path, "is not a directory")
    try:
        with tempfile.TemporaryDirectory(dir=place.parent, prefix=f".{place.name}.") as beside:
            made = Path(beside) / "made"
            made.mkdir()
            yield made
            if place.exists():
                place.rename(Path(beside) / "older")
            made.rename(place)
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(path, f"cannot be written: {error.strerror}") from error


def write_json(path: Path, values: dict[str, Any]) -> None:
    """Write values as JSON, None for what JSON has no number for.

    Raises:
        OutputError: as for `whole_file`.
    """
    content = json.dumps(finite(values), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    with whole_file(path) as file:
        file.write(content.encode())


def finite(value: Any) -> Any:
    """Return the value with None for what JSON has no number for."""
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
