"""Finds the recordings of a folder; what is not read is listed, never left out in silence."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from ..errors import shown
from .formats import is_recording

_NAMED = 5
_LISTED = 1_000


@dataclass(slots=True)
class LeftOut:
    """The files of folders that are not read: how many, and the first thousand."""

    count: int = 0
    files: list[str] = field(default_factory=list)

    def add(self, file: str) -> None:
        """Count a file."""
        self.count += 1
        if len(self.files) < _LISTED:
            self.files.append(shown(file))

    def __str__(self) -> str:
        more = f" and {self.count - _NAMED} more" if self.count > _NAMED else ""
        return (
            f"{self.count} files left out, not named as recordings or another form of one: "
            f"{', '.join(self.files[:_NAMED])}{more}"
        )


def files_under(folder: str | Path) -> Iterator[list[str]]:
    """The files of a folder and of those below, folder by folder, in order of name.

    Links to folders are followed, each folder once. One that may not be listed, or that is empty
    and named as a recording, counts as a file with a slash: whoever opens it says what is wrong.
    """
    seen, todo = set(), [str(folder)]
    while todo:
        here = todo.pop()
        try:
            status, names = Path(here).stat(), sorted(os.listdir(here))  # noqa: PTH208 - names only
        except OSError as error:
            if not isinstance(error, FileNotFoundError | NotADirectoryError):
                yield [f"{here}/"]
            continue
        if (status.st_dev, status.st_ino) in seen:
            continue
        seen.add((status.st_dev, status.st_ino))
        paths = [os.path.join(here, name) for name in names]  # noqa: PTH118 - strings in, as out
        below = [path for path in paths if os.path.isdir(path)]  # noqa: PTH112 - no error in a loop
        files = sorted({*paths}.difference(below))
        yield [f"{here}/"] if not names and is_recording(here) else files
        todo += reversed(below)


def recordings_among(files: Iterable[str], left_out: LeftOut) -> list[str]:
    """Those named as recordings; of one in several forms (a.wav, a.gsm) one, a WAV if there is.

    Hidden files, such as macOS leaves beside each recording, are none.
    """
    chosen: dict[str, str] = {}
    for file in files:
        place = PurePosixPath(file)
        if not file.endswith("/") and (not is_recording(file) or place.name.startswith(".")):
            left_out.add(file)
            continue
        other = chosen.setdefault(str(place.with_suffix("")), file)
        if other != file:
            better, worse = sorted((other, file), key=lambda one: not one.lower().endswith(".wav"))
            chosen[str(place.with_suffix(""))] = better
            left_out.add(worse)
    return list(chosen.values())
