"""Reads turns and checks them against the schema; every complaint names file, line and field.

The checks are SQL, so that a million turns take seconds. In a Parquet file the line is the row.
"""

from __future__ import annotations

import glob
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import duckdb

from .call_table import (
    COLUMNS,
    EVENTS,
    MAX_COMPLAINTS,
    OUTCOMES,
    SPEAKERS,
    Calls,
    CallsError,
    connect,
    file_complaint,
)

_JSON_TYPES = {
    "VARCHAR": ("VARCHAR",),
    "BIGINT": ("UBIGINT", "BIGINT"),
    "DOUBLE": ("DOUBLE", "UBIGINT", "BIGINT"),
    "VARCHAR[]": ("ARRAY",),
}
_PARQUET_TYPES = {
    "VARCHAR": ("VARCHAR",),
    "BIGINT": ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"),
    "DOUBLE": ("DOUBLE", "FLOAT", "DECIMAL"),
    "VARCHAR[]": ("VARCHAR[]",),
}
_NEEDED = {
    "VARCHAR": "text is needed",
    "BIGINT": "a whole number is needed",
    "DOUBLE": "a number is needed",
    "VARCHAR[]": "a list of texts is needed",
}


def _among(field: str, allowed: Sequence[str]) -> tuple[str, str, str]:
    names = ", ".join(f"'{name}'" for name in allowed)
    return field, f"{field} NOT IN ({names})", f"one of {', '.join(allowed)} is needed"


_CHECKS = (
    ("", "no_object", "is not a JSON object"),
    *(
        (field, f"{field} IS NULL AND NOT no_object AND '{field}' NOT IN wrong", "is missing")
        for field in ("call_id", "turn", "speaker")
    ),
    *((field, f"'{field}' IN wrong", _NEEDED[kind]) for field, kind in COLUMNS.items()),
    ("call_id", "trim(call_id) = ''", "is empty"),
    ("turn", "turn < 0", "is negative"),
    _among("speaker", SPEAKERS),
    _among("outcome", OUTCOMES),
    _among("channel", ("left", "right")),
    (
        "events",
        f"NOT list_has_all({list(EVENTS)}, events) OR list_count(events) < len(events)",
        f"only {', '.join(EVENTS)} are known",
    ),
    ("start_s", "start_s < 0 OR NOT isfinite(start_s)", "is not a time in a recording"),
    ("end_s", "NOT isfinite(end_s)", "is not a time in a recording"),
    ("end_s", "end_s <= start_s", "is not after start_s"),
    ("end_s", "(start_s IS NULL) <> (end_s IS NULL)", "start_s and end_s belong together"),
    ("start_s", "audio IS NOT NULL AND start_s IS NULL", "is missing, though audio is named"),
    ("p_negative", "NOT p_negative BETWEEN 0 AND 1", "a number from 0 to 1 is needed"),
    ("turn", "call_id IS NOT NULL AND turn = before_turn", "is there twice in this call"),
    ("start_s", "start_s < before_s", "is before that of the turn before"),
    ("start_s", "start_s < own_end_s", "overlaps the same speaker's turn before"),
    (
        "outcome",
        "call_id IS NOT NULL AND coalesce(outcome, '') <> before_outcome",
        "is not that of the turn before; it is the call's",
    ),
)
"""Field, condition over `seen`, complaint."""

_SEEN = """
CREATE TEMP VIEW seen AS
SELECT *,
    lag(turn) OVER call AS before_turn,
    lag(start_s) OVER call AS before_s,
    lag(coalesce(outcome, '')) OVER call AS before_outcome,
    CASE speaker
        WHEN 'caller' THEN max(end_s) FILTER (speaker = 'caller') OVER earlier
        WHEN 'bot' THEN max(end_s) FILTER (speaker = 'bot') OVER earlier
        WHEN 'agent' THEN max(end_s) FILTER (speaker = 'agent') OVER earlier
    END AS own_end_s
FROM staged WINDOW
    call AS (PARTITION BY call_id ORDER BY turn, file, line),
    earlier AS (
        PARTITION BY call_id ORDER BY turn, file, line
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    )
"""


def load_calls(patterns: Sequence[Path]) -> Calls:
    """Read turns from JSON lines and Parquet files, each path one file or a pattern with `*`.

    Raises:
        CallsError: a file cannot be read, or turns violate the schema; one line per complaint, at
            most `MAX_COMPLAINTS`.
    """
    paths = [path for pattern in patterns for path in _matching(pattern)]
    database = connect()
    with ExitStack() as unfinished:
        unfinished.callback(database.close)
        fields = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
        database.execute(
            f"CREATE TABLE staged (file VARCHAR, line BIGINT, no_object BOOLEAN,"
            f" wrong VARCHAR[], {fields})"
        )
        for path in paths:
            _stage(database, path)
        _complain(database, paths[0])
        database.execute(
            "DROP VIEW seen; ALTER TABLE staged DROP no_object; ALTER TABLE staged DROP wrong;"
            "ALTER TABLE staged RENAME TO turns"
        )
        unfinished.pop_all()
    return Calls(database)


def _matching(pattern: Path) -> list[Path]:
    """The files of a pattern in order; a path without one is itself."""
    if "*" not in str(pattern):
        return [pattern]
    found = sorted(Path(name) for name in glob.glob(str(pattern), recursive=True))  # noqa: PTH207 - the pattern may be absolute
    if not found:
        raise CallsError(file_complaint(pattern, "matches no file"))
    return found


def _stage(database: duckdb.DuckDBPyConnection, path: Path) -> None:
    try:
        with path.open("rb") as file:
            is_parquet = file.read(4) == b"PAR1"
        if path.stat().st_size == 0:
            raise CallsError(file_complaint(path, "is empty"))
        query = _parquet_query(database, path) if is_parquet else _json_query()
        database.execute(f"INSERT INTO staged {query}", [str(path), str(path)])
    except OSError as error:
        raise CallsError(file_complaint(path, error.strerror or "cannot be read")) from error
    except duckdb.OutOfMemoryException as error:
        raise CallsError(
            file_complaint(path, "needs more memory than there is; split it")
        ) from error
    except (duckdb.IOException, duckdb.InvalidInputException) as error:
        raise CallsError(
            file_complaint(path, "is damaged, or neither JSON lines in UTF-8 nor Parquet")
        ) from error


def _json_query() -> str:
    """Stage a file of JSON lines: parameters are its path, twice."""
    shape = ", ".join(f'"{name}": "JSON"' for name in COLUMNS)
    wrong = ", ".join(_wrong_in_json(name, kind) for name, kind in COLUMNS.items())
    values = ", ".join(
        f"coalesce(TRY_CAST(json_{name} AS {kind}), [])" if kind == "VARCHAR[]"
        else f"TRY_CAST(json_{name}->>'$' AS {kind})"
        for name, kind in COLUMNS.items()
    )  # fmt: skip
    fields = ", ".join(f"o.{name} AS json_{name}" for name in COLUMNS)
    return (
        "SELECT ?, line, coalesce(json_type(json) <> 'OBJECT', true),"  # noqa: S608 - from COLUMNS
        f" list_filter([{wrong}], lambda x: x IS NOT NULL), {values}"
        f" FROM (SELECT line, json, {fields} FROM ("
        f"  SELECT row_number() OVER () AS line, json, json_transform(json, '{{{shape}}}') AS o"
        "   FROM read_ndjson_objects(?, ignore_errors = true)))"
    )


def _wrong_in_json(name: str, kind: str) -> str:
    field = f"json_{name}"
    types = ", ".join(f"'{allowed}'" for allowed in (*_JSON_TYPES[kind], "NULL"))
    wrong = f"json_type({field}) NOT IN ({types})"
    return f"CASE WHEN {wrong} THEN '{name}' END"


def _parquet_query(database: duckdb.DuckDBPyConnection, path: Path) -> str:
    """Stage a Parquet file: parameters are its path, twice."""
    described = database.execute("DESCRIBE SELECT * FROM read_parquet(?)", [str(path)]).fetchall()
    types = {str(row[0]): str(row[1]) for row in described}
    for name, kind in COLUMNS.items():
        found = types.get(name)
        if found is not None and found.partition("(")[0] not in _PARQUET_TYPES[kind]:
            raise CallsError(file_complaint(path, f"column {name} is {found}: {_NEEDED[kind]}"))
    values = ", ".join(name if name in types else "NULL" for name in COLUMNS)
    values = values.replace("events", "coalesce(events, [])")
    return (
        f"SELECT ?, file_row_number + 1, false, [], {values}"  # noqa: S608 - names from COLUMNS
        " FROM read_parquet(?, file_row_number = true)"
    )


def _complain(database: duckdb.DuckDBPyConnection, first: Path) -> None:
    """Raise all complaints at once, in the order of the lines."""
    database.execute(_SEEN)
    if database.execute("SELECT count(*) FROM staged").fetchall()[0][0] == 0:
        raise CallsError(file_complaint(first, "holds no turns"))
    found = ", ".join(
        f"CASE WHEN {condition} THEN {number} END"
        for number, (_, condition, _) in enumerate(_CHECKS)
    )
    any_of_them = " OR ".join(f"({condition})" for _, condition, _ in _CHECKS)
    rows = database.execute(
        f"SELECT file, line, unnest(found) FROM ("  # noqa: S608 - conditions from _CHECKS
        f" SELECT file, line, list_filter([{found}], lambda x: x IS NOT NULL) AS found FROM seen"
        f" WHERE {any_of_them}) ORDER BY ALL"
    ).fetchall()
    if not rows:
        return
    lines = []
    places = {str(row[0]): _places(Path(row[0])) for row in rows[:MAX_COMPLAINTS]}
    for file, place, number in rows[:MAX_COMPLAINTS]:
        field, _, what = _CHECKS[number]
        line = places[file].get(place, place)
        lines.append(file_complaint(file, f"line {line}: {field}{' ' if field else ''}{what}"))
    if len(rows) > MAX_COMPLAINTS:
        lines.append(f"… and {len(rows) - MAX_COMPLAINTS} more complaints")
    raise CallsError(*lines)


def _places(path: Path) -> dict[int, int]:
    """The number of each line among all lines, by its number among the non-blank ones."""
    with path.open("rb") as file:
        if file.read(4) == b"PAR1":
            return {}
        file.seek(0)
        return dict(enumerate((n for n, line in enumerate(file, 1) if line.strip()), 1))
