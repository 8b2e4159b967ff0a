"""Reads JSON lines that a person or a model wrote; every complaint names file, line and field."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from ...errors import first_complaint
from .call_table import MAX_COMPLAINTS, CallsError, file_complaint

_Row = TypeVar("_Row", bound=BaseModel)


def parse_lines(
    path: Path,
    lines: Iterable[bytes],
    kind: type[_Row],
    *,
    what: str,
    wrong: Callable[[_Row], str | None] = lambda _row: None,
) -> Iterator[_Row]:
    """Read lines, skipping blank ones, up to the first wrong one.

    `what` names a row in complaints; `wrong` adds complaints to those of its kind.

    Raises:
        CallsError: after the last line; one complaint a line, at most `MAX_COMPLAINTS`.
    """
    complaints: list[str] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = kind.model_validate_json(line)
            found = wrong(row)
        except ValidationError as error:
            found = first_complaint(error, what)
        if found is not None:
            complaints.append(file_complaint(path, f"line {number}: {found}"))
        elif not complaints:
            yield row
    if complaints:
        more = len(complaints) - MAX_COMPLAINTS
        rest = [f"… and {more} more complaints"] if more > 0 else []
        raise CallsError(*complaints[:MAX_COMPLAINTS], *rest)


def read_lines(
    path: Path,
    kind: type[_Row],
    *,
    what: str,
    wrong: Callable[[_Row], str | None] = lambda _row: None,
) -> Iterator[_Row]:
    """Read a file as `parse_lines` does.

    Raises:
        CallsError: the file cannot be read, or as `parse_lines`.
    """
    try:
        with path.open("rb") as file:
            yield from parse_lines(path, file, kind, what=what, wrong=wrong)
    except OSError as error:
        raise CallsError(file_complaint(path, error.strerror or "cannot be read")) from error
