"""DuckDB: reads the user's tables (CSV, Parquet, JSON lines), and keeps a run's own on disk."""

from __future__ import annotations

import glob
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any

import duckdb
import pyarrow as pa

from ....models.errors import UnreadableInputError, first_line
from ....models.files import OutputError
from .storage import filesystem, fingerprint, is_remote

_READERS = {
    ".csv": "read_csv(?, all_varchar = true, header = true)",
    ".parquet": "read_parquet(?)",
    ".jsonl": "read_json(?, format = 'newline_delimited')",
}
TABLES = frozenset(_READERS)
ROWS_AT_ONCE = 4_096
"""The number of rows in memory at a time."""


@contextmanager
def scratch(*places: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database on disk that can read these places; it is deleted when the block ends.

    Raises:
        OutputError: it cannot be written, for lack of space for example.
    """
    with tempfile.TemporaryDirectory(prefix="deescalate-") as folder:
        try:
            connection = _connect(str(Path(folder) / "scratch.duckdb"), folder, places)
            try:
                yield connection
            finally:
                connection.close()
        except duckdb.Error as error:
            raise OutputError(folder, f"no database there ({first_line(error)})") from error


def _connect(database: str, spill: str, places: tuple[str, ...]) -> duckdb.DuckDBPyConnection:
    """A connection with little memory and one thread, which downloads nothing."""
    connection = duckdb.connect(database)
    for setting in (
        "memory_limit = '128MB'",
        "threads = 1",
        "autoinstall_known_extensions = false",
        "enable_progress_bar = false",
        f"temp_directory = '{spill}'",
    ):
        connection.execute(f"SET {setting}")
    for place in places:
        if is_remote(place) and not connection.filesystem_is_registered(place.split("://")[0]):
            connection.register_filesystem(filesystem(place))
    return connection


def create_table(
    database: duckdb.DuckDBPyConnection,
    name: str,
    schema: pa.Schema,
    rows: Iterable[dict[str, Any]],
) -> int:
    """Create a table from rows, some thousand at a time; return how many there are."""
    database.from_arrow(schema.empty_table()).create(name)
    left, done = iter(rows), 0
    while some := list(islice(left, ROWS_AT_ONCE)):
        database.from_arrow(pa.Table.from_pylist(some, schema)).insert_into(name)
        done += len(some)
    return done


def query(database: duckdb.DuckDBPyConnection, select: str, values: object) -> pa.Table:
    """The whole result of a query as Arrow columns, in memory."""
    return database.sql(select, params=values).to_arrow_table()


def count_rows(database: duckdb.DuckDBPyConnection, table: str) -> int:
    """How many rows a table has."""
    (found,) = database.execute(f"SELECT count(*) FROM {table}").fetchall()  # noqa: S608 - ours
    return int(found[0])


def stream_rows(database: duckdb.DuckDBPyConnection, select: str) -> Iterator[tuple[Any, ...]]:
    """The rows of a query, some thousand at a time; other queries may run meanwhile."""
    found = database.cursor().execute(select)
    while rows := found.fetchmany(ROWS_AT_ONCE):
        yield from rows


def escape_pattern(place: str) -> str:
    """A place for DuckDB, which would take *, ? and [ for a pattern."""
    return glob.escape(place)


def read_table(place: str, *required: str) -> Iterator[dict[str, Any]]:
    """The rows of a table as dictionaries; CSV values are strings.

    Raises:
        UnreadableInputError: it cannot be read, or lacks one of the `required` columns.
    """
    reader = _READERS.get(PurePosixPath(place).suffix.lower())
    if reader is None:
        raise UnreadableInputError(place, f"is not a table: use {', '.join(sorted(TABLES))}")
    if is_remote(place):
        fingerprint(place)  # raises a plain error here, where DuckDB would print a traceback
    elif not Path(place).exists():
        raise UnreadableInputError(place, "is not there")
    connection = _connect(":memory:", tempfile.gettempdir(), (place,))
    try:
        found = connection.execute(f"SELECT * FROM {reader}", [escape_pattern(place)])  # noqa: S608 - ours
        names = [column[0] for column in found.description or ()]
        missing = [name for name in required if name not in names]
        if missing:
            raise UnreadableInputError(place, f"has no column {', '.join(missing)}")
        while rows := found.fetchmany(ROWS_AT_ONCE):
            yield from (dict(zip(names, row, strict=True)) for row in rows)
    except (duckdb.Error, UnicodeError) as error:
        raise UnreadableInputError(place, f"is not such a table ({first_line(error)})") from error
    finally:
        connection.close()
