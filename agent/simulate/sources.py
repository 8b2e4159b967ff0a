"""Which recorded calls there are: folders, patterns, files and manifests become a list."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any

from ...models.audio import CallerChannel
from ...models.errors import DeescalateError, UnreadableInputError
from .places import fingerprint, join, listed, parent
from .tables import TABLES, read_table

AUDIO = frozenset({".flac", ".mp3", ".oga", ".ogg", ".opus", ".wav"})


class NoCallsError(DeescalateError):
    """There is nothing to simulate on; the message says where it was looked for."""


@dataclass(frozen=True, slots=True)
class CallSource:
    """One recording: where it is, what is known of it, and what its evidence is kept under.

    `recording` changes with the audio and how it is read, `words` with its transcript.
    """

    call_id: str
    place: str
    recording: str
    words: str = ""
    transcript: str | None = None
    caller_channel: CallerChannel | None = None
    started_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Transcripts:
    """Where words come from: a folder of `<call id>.jsonl`, or one file of untimed lines."""

    place: str
    by_call: dict[str, str]

    @classmethod
    def at(cls, place: str) -> Transcripts:
        """What lies at a place.

        Raises:
            UnreadableInputError: there is nothing.
        """
        if PurePosixPath(place).suffix == ".jsonl":
            fingerprint(place)
            return cls(place, {})
        files = {PurePosixPath(file).stem: file for file in listed(place) if _ends(file, ".jsonl")}
        if not files:
            raise UnreadableInputError(place, "holds no transcripts (<call id>.jsonl)")
        return cls(place, files)

    def of(self, call_id: str) -> str | None:
        """The file that may hold the words of a call."""
        return self.by_call.get(call_id) if self.by_call else self.place


def find_calls(
    places: Iterable[str],
    *,
    transcripts: Transcripts | None = None,
    caller_channel: CallerChannel | None = None,
) -> list[CallSource]:
    """All recordings at these places, by call id; one that is named twice counts once.

    Raises:
        NoCallsError: there is none, or two recordings have the same call id.
        UnreadableInputError: a place or a manifest cannot be read.
    """
    found: dict[str, CallSource] = {}
    for place in places:
        some = False
        for row in _rows(place):
            some = True
            source = _source(row, place, transcripts, caller_channel)
            known = found.setdefault(source.call_id, source)
            if known.place != source.place:
                raise NoCallsError(
                    f"{known.place} and {source.place} are both call {source.call_id}; "
                    "give them ids in a manifest (call_id, path)"
                )
        if not some:
            raise NoCallsError(f"{place}: no recordings there")
    return [found[call_id] for call_id in sorted(found)]


def _rows(place: str) -> Iterator[dict[str, Any]]:
    suffix = PurePosixPath(place).suffix
    if suffix in TABLES and "*" not in place:
        folder = parent(place)
        for row in read_table(place, "path"):
            words = row.get("transcript")
            yield {
                **row,
                "path": join(folder, str(row["path"])),
                "transcript": join(folder, str(words)) if words else None,
            }
    elif suffix in AUDIO and "*" not in place:
        yield {"path": place}
    else:
        yield from ({"path": file} for file in listed(place) if _ends(file, *AUDIO))


def _ends(place: str, *suffixes: str) -> bool:
    return PurePosixPath(place).suffix.lower() in suffixes


def _source(
    row: dict[str, Any],
    manifest: str,
    transcripts: Transcripts | None,
    caller_channel: CallerChannel | None,
) -> CallSource:
    place = str(row["path"])
    call_id = str(row.get("call_id") or PurePosixPath(place).stem)
    words = row.get("transcript") or (transcripts.of(call_id) if transcripts else None)
    channel = _channel(row.get("caller_channel"), manifest) or caller_channel
    return CallSource(
        call_id=call_id,
        place=place,
        recording=_digest(call_id, _fingerprint_or_none(place), channel or ""),
        words=_digest(fingerprint(words)) if words else "",
        transcript=words,
        caller_channel=channel,
        started_at=_moment(row.get("started_at"), manifest),
    )


def _fingerprint_or_none(place: str) -> str:
    """A file that is not there is found out, and counted, when it is its turn."""
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
    """An aware datetime; one without a zone is taken as this machine's time."""
    if not value:
        return None
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    except ValueError as error:
        raise UnreadableInputError(manifest, f"started_at {value!r}: not ISO 8601") from error
    return moment if moment.tzinfo else moment.astimezone()


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:24]


def chunks(sources: Sequence[CallSource], size: int) -> list[tuple[CallSource, ...]]:
    """The calls in handfuls, for workers to take."""
    return [tuple(sources[at : at + size]) for at in range(0, len(sources), size)]
