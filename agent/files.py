"""Where the results of a command go."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from rich.console import Console

from ..models.audio import AUDIO
from ..models.errors import DeescalateError
from ..models.files import whole_file

Emit = Callable[[str, Callable[[Console], None]], None]
"""Takes one result: its JSON, and what prints it for a person."""


class NoRecordingsError(DeescalateError):
    """A folder that was named for its recordings holds none."""


def recordings(path: Path) -> list[Path]:
    """The recordings of a folder by name; a file is taken for one, whatever it is called.

    Raises:
        NoRecordingsError: the folder holds none.
    """
    if not path.is_dir():
        return [path]
    found = sorted(file for file in path.iterdir() if file.suffix.lower() in AUDIO)
    if not found:
        raise NoRecordingsError(f"{path}: no recordings in this folder")
    return found


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
                file.write(f"{text}\n".encode())

        yield emit
