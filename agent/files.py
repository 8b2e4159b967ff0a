"""Files that the commands write: whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from rich.console import Console

from ..models.errors import UnreadableInputError

Emit = Callable[[str, Callable[[Console], None]], None]
"""Takes one result: its JSON, and what prints it for a person."""


class OutputError(UnreadableInputError):
    """A result cannot be written where the user wants it; known before the work starts."""


@contextmanager
def whole_file(path: Path) -> Iterator[IO[str]]:
    """Write a text file beside its place and move it there when the block ends without an error.

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
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            yield file
        if temporary.stat().st_size:
            temporary.chmod(0o644)
            temporary.replace(place)
    except OSError as error:
        raise OutputError(path, f"cannot be written: {error.strerror}") from error
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def results(*, as_json: bool, out: Path | None) -> Iterator[Emit]:
    """Where a command's results go: to the terminal, as JSON or for a person, and to a file.

    The file is opened before the work starts, so that a bad path is known at once, and appears
    when all of it is done.

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
                file.write(text + "\n")

        yield emit
