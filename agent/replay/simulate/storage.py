"""Files on disk or in a bucket through one set of functions; a place is a path or a URL."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

import fsspec

from ....models.audio.folders import files_under
from ....models.errors import DeescalateError, UnreadableInputError, first_line, shown
from ....models.files import OutputError, whole_file

_SECRETS = re.compile(r"(?<=://)[^/@\s]*@|\?\S*")
"""The secret parts of a URL: a user name and password, or a signature."""


def storage_complaint(error: Exception) -> str:
    """Another library's error message on one line, without the secrets of a URL."""
    text = error.strerror if isinstance(error, OSError) else None
    return _SECRETS.sub("", text or f"{type(error).__name__}: {first_line(error)}")


@contextmanager
def storage_errors(
    place: str, ours: type[UnreadableInputError] = UnreadableInputError
) -> Iterator[None]:
    """Turn whatever a file system library raises, which may be any type, into `ours`."""
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
    """The file system of a place.

    Raises:
        UnreadableInputError: its package is not installed, or it refuses access.
    """
    with storage_errors(place):
        return fsspec.core.url_to_fs(place)[0]


def join(folder: str, name: str) -> str:
    """A place inside a folder; absolute paths and URLs are returned unchanged."""
    if is_remote(name) or Path(name).is_absolute():
        return name
    return f"{folder.rstrip('/')}/{name}" if is_remote(folder) else str(Path(folder) / name)


def parent(place: str) -> str:
    """The folder of a file."""
    return place.rsplit("/", 1)[0] if is_remote(place) else str(Path(place).parent)


def is_pattern(place: str) -> bool:
    """Whether a place is a pattern: it contains *, ? or [, and no such file exists."""
    if not any(character in place for character in "*?["):
        return False
    if is_remote(place):
        with storage_errors(place):
            return not filesystem(place).exists(place)
    return not Path(place).expanduser().exists()


def list_files(pattern: str) -> Iterator[str]:
    """The files that match a pattern, or all files under a folder, in no particular order."""
    for files in list_folders(pattern):
        yield from files


def list_folders(pattern: str) -> Iterator[list[str]]:
    """The same files in portions, those of a folder in one.

    Local folders are listed one at a time; the listing of a bucket is in memory as a whole.
    """
    if is_remote(pattern):
        yield _list_remotely(pattern)
        return
    place = Path(pattern).expanduser().absolute()
    if not is_pattern(pattern):
        yield from files_under(place)
        return
    root = next(folder for folder in place.parents if folder.is_dir())
    for found in root.glob(str(place.relative_to(root))):
        if is_folder(str(found)):
            yield from files_under(found)
        else:
            yield [str(found)]


def is_folder(place: str) -> bool:
    """Whether a local place is a folder; a loop of links is none, and no error."""
    return not is_remote(place) and os.path.isdir(Path(place).expanduser())  # noqa: PTH112 - above


def is_file(place: str) -> bool:
    """Whether there is something local that is no folder."""
    return not is_remote(place) and os.path.lexists(place) and not is_folder(place)


def _list_remotely(pattern: str) -> list[str]:
    system = filesystem(pattern)
    path = system._strip_protocol(pattern)
    with storage_errors(pattern):
        names = system.glob(path) if is_pattern(pattern) else system.find(path)
    return [system.unstrip_protocol(name) for name in names]


def fingerprint(place: str) -> str:
    """Changes when the file changes: its size with its ETag or time of writing.

    Raises:
        UnreadableInputError: there is no such file.
    """
    if not is_remote(place):
        try:
            found = Path(place).stat()
        except (OSError, ValueError) as error:  # such as a zero byte in a name
            raise UnreadableInputError(place, storage_complaint(error)) from error
        return f"{found.st_size}/{found.st_mtime_ns}"
    with storage_errors(place):
        info = filesystem(place).info(place)
    return f"{info.get('size')}/{info.get('ETag') or info.get('mtime') or info.get('created')}"


@contextmanager
def local_file(place: str) -> Iterator[Path]:
    """The file as a local path: itself, or a copy that lasts as long as the block.

    Raises:
        UnreadableInputError: it cannot be downloaded.
    """
    if not is_remote(place):
        yield Path(place)
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / place.rsplit("/", 1)[-1]
        with storage_errors(place):
            filesystem(place).get_file(place, str(copy))
        yield copy


@contextmanager
def open_file(place: str) -> Iterator[BinaryIO]:
    """Open a file in place, to read parts of it.

    Raises:
        UnreadableInputError: it cannot be read.
    """
    with storage_errors(place), filesystem(place).open(place, "rb") as file:
        yield file


@contextmanager
def create_file(place: str) -> Iterator[BinaryIO]:
    """Write a file that appears, complete, when the block ends without an error.

    Raises:
        OutputError: it cannot be written; for a local file this is known at once.
    """
    if not is_remote(place):
        with whole_file(Path(place)) as file:
            yield file
        return
    with storage_errors(place, OutputError):
        file = filesystem(place).open(place, "wb")
    with ExitStack() as unfinished:
        unfinished.callback(file.discard)
        try:
            yield file
        except OSError as error:
            raise OutputError(place, f"cannot be written ({storage_complaint(error)})") from error
        unfinished.pop_all()
    with storage_errors(place, OutputError):
        file.close()


def make_folder(place: str) -> None:
    """Create a folder unless it exists.

    Raises:
        UnreadableInputError: it cannot be created.
    """
    if is_remote(place):
        return
    if shown(Path(place).absolute()) != str(Path(place).absolute()):
        raise UnreadableInputError(place, "its path is not UTF-8, as DuckDB needs; name another")
    try:
        Path(place).mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise UnreadableInputError(place, "is not a folder") from None
    except OSError as error:
        raise UnreadableInputError(place, error.strerror or "cannot be made") from error
