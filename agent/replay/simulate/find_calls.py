"""Finds recorded calls in folders, patterns, files and manifests."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice
from pathlib import PurePosixPath
from typing import Any

from ....models.audio.folders import LeftOut, recordings_among
from ....models.audio.formats import AUDIO
from ....models.audio.recording import CallerChannel
from ....models.errors import DeescalateError, UnreadableInputError, shown
from .call_source import CallSource
from .duckdb_io import ROWS_AT_ONCE, TABLES, read_table
from .storage import fingerprint, is_file, is_folder, is_pattern, join, list_folders, parent
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
    caller_speaker: str | None = None,
    left_out: LeftOut | None = None,
) -> Iterator[CallSource]:
    """All recordings at these places, in no particular order; `left_out` counts what is none.

    Raises:
        NoCallsError: a place has none.
        UnreadableInputError: a place or a manifest cannot be read.
    """
    left_out = left_out or LeftOut()
    for place in places:
        rows, none = _rows(place, left_out), True
        while some := list(islice(rows, ROWS_AT_ONCE)):
            none = False
            wanted = [_call_id(row) for row in some if not row.get("transcript")]
            words = transcripts.of(wanted) if transcripts else {}
            for row in some:
                said = words.get(_call_id(row), _NO_WORDS)
                if row.get("transcript"):
                    said = TranscriptPlace(str(row["transcript"]))
                elif beside is not None and said.place is None:
                    said = beside.of(_call_id(row), str(row["path"]))
                yield _source(row, place, said, caller_channel, caller_speaker)
        if none:
            rest = f"; {left_out}" if left_out.count else ""
            raise NoCallsError(f"{shown(place)}: no recordings there{rest}")


def _rows(place: str, left_out: LeftOut) -> Iterator[dict[str, Any]]:
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
    elif not several and (is_file(place) or (suffix in AUDIO and not is_folder(place))):
        yield {"path": place}
    else:
        for files in list_folders(place):
            yield from ({"path": file} for file in recordings_among(files, left_out))


def _call_id(row: dict[str, Any]) -> str:
    return shown(row.get("call_id") or PurePosixPath(str(row["path"])).stem)


def _source(
    row: dict[str, Any],
    manifest: str,
    words: TranscriptPlace,
    caller_channel: CallerChannel | None,
    caller_speaker: str | None,
) -> CallSource:
    place, call_id = str(row["path"]), _call_id(row)
    channel = _channel(row.get("caller_channel"), manifest) or caller_channel
    speaker = row.get("caller_speaker") or caller_speaker
    return CallSource(
        call_id=call_id,
        place=place,
        recording=_digest(call_id, _fingerprint_or_none(place), channel or ""),
        words=_digest(_fingerprint_or_none(words.place), speaker or "") if words.place else "",
        transcript=words.place,
        lines=words.lines,
        caller_channel=channel,
        started_at=_moment(row.get("started_at"), manifest),
        caller_speaker=speaker and str(speaker),
        beside=words.beside,
    )


def _fingerprint_or_none(place: str) -> str:
    """A missing file is reported and counted later, when its call's evidence is extracted."""
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
    return hashlib.sha256(shown("\0".join(parts)).encode()).hexdigest()[:24]
