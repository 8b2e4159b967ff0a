"""Calls as data: turns in JSON lines or Parquet, checked, in an embedded DuckDB.

The schema is described in docs/calls-as-data.md; `COLUMNS` and `validation` change with it.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, Self

import duckdb

from ...audio.recording import CallerChannel
from ...errors import DeescalateError, UnreadableInputError
from ...files import OutputError, whole_file

COLUMNS = {
    "call_id": "VARCHAR",
    "turn": "BIGINT",
    "speaker": "VARCHAR",
    "text": "VARCHAR",
    "dialog_state": "VARCHAR",
    "events": "VARCHAR[]",
    "audio": "VARCHAR",
    "channel": "VARCHAR",
    "start_s": "DOUBLE",
    "end_s": "DOUBLE",
    "outcome": "VARCHAR",
    "p_negative": "DOUBLE",
}
"""The fields of a turn, with DuckDB's types. `call_id`, `turn` and `speaker` are never null."""

MAX_COMPLAINTS = 1_000

SPEAKERS = ("caller", "bot", "agent")
EVENTS = ("no_match", "no_input", "agent_request")
OUTCOMES = ("resolved", "unresolved", "transferred", "hung_up")
HEARABLE = "audio IS NOT NULL AND start_s IS NOT NULL"
"""What a caller's turn needs so that its audio can be cut, as SQL."""

_MEMORY = "1200MB"
_CALLS_VIEW = """
CREATE VIEW calls AS
SELECT call_id, min(outcome) AS outcome, max(end_s) AS duration_s,
       count(*) AS turns, count(*) FILTER (speaker = 'caller') AS caller_turns
FROM turns GROUP BY call_id
"""


@dataclass(frozen=True, slots=True)
class CallTurn:
    """One turn of a call, by whoever spoke; the fields as in `COLUMNS`.

    `audio` is the path as it was written, relative to the folder of the file that names it.
    """

    call_id: str
    turn: int
    speaker: str
    text: str | None = None
    dialog_state: str | None = None
    events: tuple[str, ...] = ()
    audio: str | None = None
    channel: str | None = None
    start_s: float | None = None
    end_s: float | None = None
    outcome: str | None = None
    p_negative: float | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """The turns of one call in order, and the folder from which their audio is named."""

    call_id: str
    folder: Path
    turns: tuple[CallTurn, ...]

    def recording(self, turn: CallTurn) -> tuple[Path, CallerChannel | None] | None:
        """The recording of a turn and the channel of its speaker; None without audio."""
        if turn.audio is None:
            return None
        channel = CallerChannel(turn.channel) if turn.channel is not None else None
        return self.folder / turn.audio, channel


class CallsError(DeescalateError):
    """Calls or labels cannot be used; one line per complaint, each with file, line and field."""

    def __init__(self, *complaints: str) -> None:
        super().__init__("\n".join(complaints))
        self.complaints = complaints


def file_complaint(path: str | Path, reason: str) -> str:
    """What is wrong with a file, on one line."""
    return str(UnreadableInputError(path, reason))


class Calls:
    """Turns in a database in memory, as the tables `turns` and `calls`; use it with `with`.

    `turns` has `COLUMNS` and the `file` that a turn came from, `calls` one row per call. Once
    the turns are read the database opens no file, so that foreign queries can read nothing else.
    """

    def __init__(self, database: duckdb.DuckDBPyConnection) -> None:
        database.execute(_CALLS_VIEW)
        database.execute("SET enable_external_access = false")
        database.execute("SET lock_configuration = true")
        self.database = database

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.database.close()

    def rows(self, query: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        return self.database.execute(query, list(values)).fetchall()

    def choose(self, keys: Iterable[tuple[str, int]]) -> int:
        """Keep the calls of these turns alone; return how many of the turns are not there."""
        self.database.execute("CREATE OR REPLACE TEMP TABLE chosen (call_id VARCHAR, turn BIGINT)")
        wanted = list(dict.fromkeys(keys))
        for at in range(0, len(wanted), 10_000):
            ids, turns = zip(*wanted[at : at + 10_000], strict=True)
            self.database.execute(
                "INSERT INTO chosen SELECT unnest(?::VARCHAR[]), unnest(?::BIGINT[])",
                [list(ids), list(turns)],
            )
        self.database.execute("DELETE FROM turns WHERE call_id NOT IN (SELECT call_id FROM chosen)")
        missing = self.rows("SELECT count(*) FROM chosen ANTI JOIN turns USING (call_id, turn)")
        return int(missing[0][0])

    def each(self) -> Iterator[Call]:
        """The calls, by id, each with its turns in order."""
        fields = ", ".join(COLUMNS)
        cursor = self.database.cursor().execute(
            f"SELECT file, {fields} FROM turns ORDER BY call_id, turn"  # noqa: S608 - ours
        )
        for call_id, rows in groupby(_fetched(cursor), key=lambda row: row[1]):
            found = [(row[0], _turn(row[1:])) for row in rows]
            yield Call(call_id, Path(found[0][0]).parent, tuple(turn for _, turn in found))


def _fetched(cursor: duckdb.DuckDBPyConnection) -> Iterator[tuple[Any, ...]]:
    while rows := cursor.fetchmany(10_000):
        yield from rows


def _turn(values: Sequence[Any]) -> CallTurn:
    given = dict(zip(COLUMNS, values, strict=True))
    events = given.pop("events")
    return CallTurn(**given, events=tuple(events))


def connect() -> duckdb.DuckDBPyConnection:
    """An empty database: two threads, 1.2 GB of memory, then the disk; no extensions fetched."""
    database = duckdb.connect()
    database.execute(
        f"SET threads = 2; SET memory_limit = '{_MEMORY}'; SET enable_progress_bar = false;"
        "SET autoinstall_known_extensions = false; SET autoload_known_extensions = false;"
        f"SET temp_directory = '{tempfile.gettempdir()}/deescalate-{os.getpid()}'"
    )
    return database


def write_turns(path: Path, turns: Iterable[CallTurn]) -> int:
    """Write turns as JSON lines, or as Parquet if the path ends so; return how many.

    Raises:
        OutputError: the file cannot be written; then none is left behind.
    """
    if path.suffix != ".parquet":
        return _write_lines(path, turns)
    with tempfile.TemporaryDirectory() as folder, whole_file(path) as file:
        lines, table = Path(folder) / "turns.jsonl", Path(folder) / "turns.parquet"
        try:
            count = _write_lines(lines, turns)
            if count:
                _convert(lines, table)
        except (OutputError, duckdb.IOException) as error:
            raise OutputError(path, f"cannot be written: no room in {folder}") from error
        if count:
            with table.open("rb") as source:
                shutil.copyfileobj(source, file)
    return count


def _write_lines(path: Path, turns: Iterable[CallTurn]) -> int:
    count = 0
    with whole_file(path) as file:
        for turn in turns:
            file.write(f"{json.dumps(asdict(turn), ensure_ascii=False)}\n".encode())
            count += 1
    return count


def _convert(lines: Path, table: Path) -> None:
    types = ", ".join(f"{name}: '{kind}'" for name, kind in COLUMNS.items())
    rows = f"read_json('{lines}', format = 'newline_delimited', columns = {{{types}}})"
    with connect() as database:
        database.execute(f"COPY (SELECT * FROM {rows}) TO '{table}' (FORMAT parquet)")  # noqa: S608 - ours
