"""Tables: those that a user hands in (CSV, Parquet or JSON lines), and a database to work in."""

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
"""How many rows are held in memory at a time."""


@contextmanager
def scratch(*places: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database on disk that can read these places, and is gone when the block ends.

    Raises:
        OutputError: it cannot be written, for want of space say.
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
    """A connection that takes little memory, one thread, and nothing from the network."""
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
    """Make a table of these rows, some thousand at a time; return how many there are."""
    database.register("block", schema.empty_table())
    database.execute(f"CREATE TABLE {name} AS SELECT * FROM block")  # noqa: S608 - ours
    database.unregister("block")
    left, done = iter(rows), 0
    while some := list(islice(left, ROWS_AT_ONCE)):
        database.register("block", pa.Table.from_pylist(some, schema))
        database.execute(f"INSERT INTO {name} SELECT * FROM block")  # noqa: S608 - ours
        database.unregister("block")
        done += len(some)
    return done


def query(database: duckdb.DuckDBPyConnection, query: str, values: object) -> pa.Table:
    """What a query finds, in columns; all of it is in memory."""
    return database.sql(query, params=values).to_arrow_table()


def count_rows(database: duckdb.DuckDBPyConnection, table: str) -> int:
    """How many rows a table has."""
    (found,) = database.execute(f"SELECT count(*) FROM {table}").fetchall()  # noqa: S608 - ours
    return int(found[0])


def stream_rows(database: duckdb.DuckDBPyConnection, query: str) -> Iterator[tuple[Any, ...]]:
    """The rows of a query, some thousand at a time; other queries may be asked meanwhile."""
    found = database.cursor().execute(query)
    while rows := found.fetchmany(ROWS_AT_ONCE):
        yield from rows


def escape_pattern(place: str) -> str:
    """A place as DuckDB takes it, which sees a pattern in *, ? and [."""
    return glob.escape(place)


def read_table(place: str, *required: str) -> Iterator[dict[str, Any]]:
    """The rows of a table as dictionaries; CSV values are texts.

    Raises:
        UnreadableInputError: it cannot be read, or has not the `required` columns.
    """
    reader = _READERS.get(PurePosixPath(place).suffix.lower())
    if reader is None:
        raise UnreadableInputError(place, f"is not a table: use {', '.join(sorted(TABLES))}")
    if is_remote(place):
        fingerprint(place)  # what is wrong is plain here; DuckDB would give a traceback
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
    except duckdb.Error as error:
        raise UnreadableInputError(place, f"is not such a table ({first_line(error)})") from error
    finally:
        connection.close()
