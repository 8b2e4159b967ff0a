"""Tables that a user hands in: CSV, Parquet or JSON lines, on a disk or in a bucket."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

import duckdb

from ...models.errors import UnreadableInputError
from .places import filesystem, is_remote

_READERS = {
    ".csv": "read_csv(?, all_varchar = true, header = true)",
    ".parquet": "read_parquet(?)",
    ".jsonl": "read_json(?, format = 'newline_delimited')",
}
TABLES = frozenset(_READERS)
_AT_ONCE = 4_096


def connect(*places: str) -> duckdb.DuckDBPyConnection:
    """A database in memory that takes no more than it needs and can read these places."""
    connection = duckdb.connect()
    for setting in (
        "memory_limit = '512MB'",
        "threads = 1",
        "autoinstall_known_extensions = false",
        "enable_progress_bar = false",
        f"temp_directory = '{tempfile.gettempdir()}'",
    ):
        connection.execute(f"SET {setting}")
    for place in places:
        if is_remote(place) and not connection.filesystem_is_registered(place.split("://")[0]):
            connection.register_filesystem(filesystem(place))
    return connection


def read_table(place: str, *required: str) -> Iterator[dict[str, Any]]:
    """The rows of a table as dictionaries; CSV values are texts.

    Raises:
        UnreadableInputError: it cannot be read, or has not the `required` columns.
    """
    reader = _READERS.get(PurePosixPath(place).suffix)
    if reader is None:
        raise UnreadableInputError(place, f"is not a table: use {', '.join(sorted(TABLES))}")
    connection = connect(place)
    try:
        found = connection.execute(f"SELECT * FROM {reader}", [place])  # noqa: S608 - ours
        columns = [column[0] for column in found.description or ()]
        missing = [name for name in required if name not in columns]
        if missing:
            raise UnreadableInputError(place, f"has no column {', '.join(missing)}")
        while rows := found.fetchmany(_AT_ONCE):
            yield from (dict(zip(columns, row, strict=True)) for row in rows)
    except duckdb.Error as error:
        reason = (str(error).splitlines() or ["cannot be read"])[0]
        raise UnreadableInputError(place, f"is not such a table ({reason})") from error
    finally:
        connection.close()
