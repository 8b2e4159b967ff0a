"""Finds recorded calls in folders, patterns, files and manifests."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice
from pathlib import PurePosixPath
from typing import Any

from ....models.audio.recording import AUDIO, CallerChannel
from ....models.errors import DeescalateError, UnreadableInputError
from .call_source import CallSource
from .duckdb_io import ROWS_AT_ONCE, TABLES, read_table
from .storage import fingerprint, is_pattern, join, list_files, parent
from .transcript_lookup import TranscriptIndex, TranscriptPlace
from .transcripts_beside import TranscriptsBeside

_NO_WORDS = TranscriptPlace(None)


class NoCallsError(DeescalateError):
    """No calls were found, or two have the same id; the message says where."""


def find_calls(
    places: Iterable[str],
    *,
    transcripts: TranscriptIndex | None = None,
    beside: TranscriptsBeside | None = None,
    caller_channel: CallerChannel | None = None,
) -> Iterator[CallSource]:
    """All recordings at these places, in no particular order.

    Raises:
        NoCallsError: a place has none.
        UnreadableInputError: a place or a manifest cannot be read.
    """
    for place in places:
        rows, none = _rows(place), True
        while some := list(islice(rows, ROWS_AT_ONCE)):
            none = False
            words = transcripts.of([_call_id(row) for row in some]) if transcripts else {}
            for row in some:
                said = words.get(_call_id(row), _NO_WORDS)
                yield _source(row, place, said, beside, caller_channel)
        if none:
            raise NoCallsError(f"{place}: no recordings there")


def _rows(place: str) -> Iterator[dict[str, Any]]:
    suffix, several = PurePosixPath(place).suffix.lower(), is_pattern(place)
    if suffix in TABLES and not several:
        folder = parent(place)
        for row in read_table(place, "path"):
            words = row.get("transcript")
            yield {
                **row,
                "path": join(folder, str(row["path"])),
                "transcript": join(folder, str(words)) if words else None,
            }
    elif suffix in AUDIO and not several:
        yield {"path": place}
    else:
        yield from ({"path": file} for file in list_files(place) if _ends(file, *AUDIO))


def _ends(place: str, *suffixes: str) -> bool:
    return PurePosixPath(place).suffix.lower() in suffixes


def _call_id(row: dict[str, Any]) -> str:
    return str(row.get("call_id") or PurePosixPath(str(row["path"])).stem)


def _source(
    row: dict[str, Any],
    manifest: str,
    words: TranscriptPlace,
    beside: TranscriptsBeside | None,
    caller_channel: CallerChannel | None,
) -> CallSource:
    place, call_id = str(row["path"]), _call_id(row)
    if row.get("transcript"):
        words = TranscriptPlace(row["transcript"])
    named = words.place is not None
    if beside is not None and not named:
        words = beside.of(call_id, place)
    channel = _channel(row.get("caller_channel"), manifest) or caller_channel
    return CallSource(
        call_id=call_id,
        place=place,
        recording=_digest(call_id, _fingerprint_or_none(place), channel or ""),
        words=_digest(fingerprint(words.place)) if words.place else "",
        transcript=words.place,
        lines=words.lines,
        caller_channel=channel,
        started_at=_moment(row.get("started_at"), manifest),
        beside=not named,
    )


def _fingerprint_or_none(place: str) -> str:
    """A missing file is reported and counted later, when its evidence is extracted."""
    try:
        return fingerprint(place)
    except UnreadableInputError:
        return ""


def _channel(value: object, manifest: str) -> CallerChannel | None:
    try:
        return CallerChannel(str(value)) if value else None
    except ValueError as error:
        raise UnreadableInputError(manifest, f"caller_channel {value!r}: left or right") from error


def _moment(value: object, manifest: str) -> datetime | None:
    """An aware datetime; without a zone it is in this machine's local time."""
    if not value:
        return None
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    except ValueError as error:
        raise UnreadableInputError(manifest, f"started_at {value!r}: not ISO 8601") from error
    return moment if moment.tzinfo else moment.astimezone()


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:24]
