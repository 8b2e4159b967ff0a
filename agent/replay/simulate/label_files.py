"""Labels of recorded calls: a table with a row per call, or a row per stretch of a call."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ....models.errors import UnreadableInputError
from .duckdb_io import read_table
from .statistics.call_labels import Span

_YES, _NO = frozenset({"1", "true", "yes"}), frozenset({"0", "false", "no"})


@dataclass(frozen=True, slots=True)
class LabelRow:
    """One row: whether it is negative and, if known, where in the call."""

    call_id: str
    distressed: bool
    span: Span | None = None


def read_call_labels(place: str) -> Iterator[LabelRow]:
    """Read `call_id` with `distressed`, or with `start_s`, `end_s`, `negative`, row by row.

    A call with a negative stretch is distressed; one with only other stretches is calm.

    Raises:
        UnreadableInputError: the table cannot be read, or a value is not a label.
    """
    for number, row in enumerate(read_table(place, "call_id"), 1):
        where = f"row {number}"
        flags = {
            name: _flag(place, where, name, row[name])
            for name in ("distressed", "negative")
            if row.get(name) not in {None, ""}
        }
        if not flags:
            raise UnreadableInputError(place, f"{where}: neither distressed nor negative is given")
        span = _span(place, where, row) if flags.get("negative") else None
        yield LabelRow(str(row["call_id"]), any(flags.values()), span)


def _flag(place: str, where: str, name: str, value: object) -> bool:
    text = str(value).strip().lower()
    if text not in _YES | _NO:
        raise UnreadableInputError(place, f"{where}: {name} is {value!r}, not 0 or 1")
    return text in _YES


def _span(place: str, where: str, row: dict[str, Any]) -> Span:
    try:
        start_s, end_s = float(row["start_s"]), float(row["end_s"])
    except (KeyError, TypeError, ValueError) as error:
        raise UnreadableInputError(
            place, f"{where}: a negative stretch needs start_s and end_s in seconds"
        ) from error
    if not 0 <= start_s <= end_s:
        raise UnreadableInputError(place, f"{where}: end_s must not be before start_s")
    return start_s, end_s
