"""Files on a disk or in a bucket, by one set of functions; a place is a path or a URL."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import fsspec

from ....models.errors import DeescalateError, UnreadableInputError, first_line
from ....models.files import OutputError, whole_file

_SECRETS = re.compile(r"(?<=://)[^/@\s]*@|\?\S*")
"""What a URL may hold beside the place: a user's name and password, a signature."""


def storage_complaint(error: Exception) -> str:
    """What another library complains of, on one line, and without the secrets of a URL."""
    text = error.strerror if isinstance(error, OSError) else None
    return _SECRETS.sub("", text or f"{type(error).__name__}: {first_line(error)}")


@contextmanager
def reached(place: str, ours: type[UnreadableInputError] = UnreadableInputError) -> Iterator[None]:
    """Raises `ours` for whatever a file system's library raises, which may be of any type."""
    try:
        yield
    except DeescalateError:
        raise
    except Exception as error:
        raise ours(place, storage_complaint(error)) from error


def is_remote(place: str) -> bool:
    """Whether a place is a URL such as s3://bucket/calls."""
    return "://" in place


def filesystem(place: str) -> fsspec.AbstractFileSystem:
    """The file system that a place is on.

    Raises:
        UnreadableInputError: no such kind is installed, or it refuses.
    """
    with reached(place):
        return fsspec.core.url_to_fs(place)[0]


def join(folder: str, name: str) -> str:
    """A place inside a folder; an absolute path or a URL stands for itself."""
    if is_remote(name) or Path(name).is_absolute():
        return name
    return f"{folder.rstrip('/')}/{name}" if is_remote(folder) else str(Path(folder) / name)


def parent(place: str) -> str:
    """The folder that a file lies in."""
    return place.rsplit("/", 1)[0] if is_remote(place) else str(Path(place).parent)


def is_pattern(place: str) -> bool:
    """Whether a place stands for several: it has *, ? or [ in it, and is not there itself."""
    if not any(character in place for character in "*?["):
        return False
    if is_remote(place):
        with reached(place):
            return not filesystem(place).exists(place)
    return not Path(place).expanduser().exists()


def found(pattern: str) -> Iterator[str]:
    """What a pattern matches, or all files under a folder, one after the other, in no order.

    Of this machine's folders one listing is in memory at a time; that of a bucket comes whole.
    """
    if is_remote(pattern):
        yield from _found_remotely(pattern)
        return
    place = Path(pattern).expanduser().absolute()
    if is_pattern(pattern):
        root = next(folder for folder in place.parents if folder.is_dir())
        files = root.glob(str(place.relative_to(root)))
        yield from (str(file) for file in files if file.is_file())
        return
    for folder, _, names in os.walk(place):
        yield from (str(Path(folder, name)) for name in names)


def _found_remotely(pattern: str) -> list[str]:
    system = filesystem(pattern)
    path = system._strip_protocol(pattern)
    with reached(pattern):
        names = system.glob(path) if is_pattern(pattern) else system.find(path)
    return [system.unstrip_protocol(name) for name in names]


def fingerprint(place: str) -> str:
    """What changes when the file changes: its size, and when or what it was written.

    Raises:
        UnreadableInputError: there is no such file.
    """
    if not is_remote(place):
        try:
            found = Path(place).stat()
        except OSError as error:
            raise UnreadableInputError(place, error.strerror or "cannot be read") from error
        return f"{found.st_size}/{found.st_mtime_ns}"
    info = _info(place)
    return f"{info.get('size')}/{info.get('ETag') or info.get('mtime') or info.get('created')}"


def _info(place: str) -> dict[str, Any]:
    with reached(place):
        return dict(filesystem(place).info(place))


@contextmanager
def on_disk(place: str) -> Iterator[Path]:
    """The file as one on this machine: itself, or a copy while the block lasts.

    Raises:
        UnreadableInputError: it cannot be fetched.
    """
    if not is_remote(place):
        yield Path(place)
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / place.rsplit("/", 1)[-1]
        with reached(place):
            filesystem(place).get_file(place, str(copy))
        yield copy


@contextmanager
def reading(place: str) -> Iterator[BinaryIO]:
    """A file where it is, to read some of it.

    Raises:
        UnreadableInputError: it cannot be read.
    """
    with reached(place), filesystem(place).open(place, "rb") as file:
        yield file


@contextmanager
def writing(place: str) -> Iterator[BinaryIO]:
    """A file that appears when the block ends without an error, whole.

    Raises:
        OutputError: it cannot be written; of a file on disk that is known at once.
    """
    if not is_remote(place):
        with whole_file(Path(place)) as file:
            yield file
        return
    with reached(place, OutputError):
        file = filesystem(place).open(place, "wb")
    with ExitStack() as unfinished:
        unfinished.callback(file.discard)
        try:
            yield file
        except OSError as error:
            raise OutputError(place, f"cannot be written ({storage_complaint(error)})") from error
        unfinished.pop_all()
    with reached(place, OutputError):
        file.close()


def make_folder(place: str) -> None:
    """Make a folder where there is none.

    Raises:
        UnreadableInputError: it cannot be made.
    """
    if is_remote(place):
        return
    try:
        Path(place).mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise UnreadableInputError(place, "is not a folder") from None
    except OSError as error:
        raise UnreadableInputError(place, error.strerror or "cannot be made") from error
