"""Transcripts as speech services write them: JSON, JSON lines, WebVTT and SRT, into plain lines.

Nothing here knows a vendor by name. A document's lines are the list whose entries have a text and a
time or a speaker; the name of a key says what it is and in which unit: `BeginOffsetMillis`,
`offsetInTicks`, `start_time`, `media_channel`, `participantPurpose`.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from statistics import median
from typing import Any

from .speakers import Spoken, role

S_PER_CHARACTER, S_AROUND = 0.07, 0.25
"""How long a text takes to say, about."""

_UNITS = {"milliseconds": 1e-3, "millis": 1e-3, "ms": 1e-3, "inticks": 1e-7, "ticks": 1e-7}
_UNIT = re.compile(r"(.+?)(milliseconds|millis|ms|inticks|ticks|seconds|secs|sec|s)")
_STARTS = (
    *("start", "starttime", "startedat", "startoffset", "begin", "begintime", "beginoffset"),
    *("offset", "fromstart", "secondsfromstart", "timeincall", "timestamp", "time"),
)
_ORIGINS = ("start", "starttime", "startedat", "conversationstarttime")
_ENDS = ("end", "endtime", "endedat", "endoffset", "stop", "stoptime")
_DURATIONS = ("duration", "dur")
_TEXTS = ("decoratedtext", "text", "transcript", "content", "message", "display", "body")
_WORDS = ("punctuatedword", "word", *_TEXTS)
_SPEAKERS = (
    *("role", "participantrole", "participantpurpose", "speakerrole", "speaker", "speakerlabel"),
    *("speakername", "speakerid", "participant", "participantid", "name", "party", "originator"),
    *("parties", "from", "sender", "author"),
)
_BY_NUMBER = ("party", "parties", "originator")
"""These count the people of the document; other numbers are voices told apart by a recogniser."""
_CHANNELS = ("channel", "mediachannel", "channellabel", "channelid", "channelnumber", "channeltag")
_LISTS = ("utterances", "segments", "transcript", "phrases", "recognizedphrases", "sentences")
"""Where lines stand, the surest first; a list of words is the last resort."""
_WORD_LISTS = ("words", "items", "wordsegments")
_PEOPLE = ("participants", "parties", "speakers")
_EPOCH_S, _EPOCH_MS = 1e8, 1e11
_WORD_GAP_S = 1.0
_MS_LINE = 50
"""Lines of this length or more, in whole numbers, are counted in milliseconds, not seconds."""
_TIME = r"(?:\d+:)?\d+:\d+(?:[.,]\d+)?"
_CUE = re.compile(rf"^[ \t]*({_TIME})[ \t]+-->[ \t]+({_TIME}).*$", re.MULTILINE)
_VOICE = re.compile(r"<v(?:\.[^\s>]+)?\s+([^>]+)>")
_NAME = re.compile(r"^([^\W\d_][^:<>\n]{0,40}):[ \t]+", re.MULTILINE)

Raw = dict[str, Any]


def parse_transcript(data: bytes) -> list[Spoken]:
    """The lines of a file, whatever its form.

    Raises:
        ValueError: it is no text, or holds no lines; the message says where and what is wrong.
    """
    text = _decoded(data)
    if text.startswith("WEBVTT") or _CUE.search(text[:1000]):
        return list(_cues(text))
    document = None
    if text.lstrip()[:1] in ("{", "["):
        try:
            document = json.loads(text)
        except ValueError as error:
            if text.lstrip().startswith("["):
                raise ValueError(f"is not valid JSON: {error}") from error
    if document is None or (_is_line(document) and not _holds_lists(document)):
        return _finished([_entry(f"line {number}", raw) for number, raw in _json_lines(text)])
    return _finished(_document(document))


def _decoded(data: bytes) -> str:
    try:
        if data.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
            return data.decode("utf-16")
        if b"\0" in data[:4]:
            return data.decode("utf-16-be" if data[:1] == b"\0" else "utf-16-le")
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError("is not UTF-8 text") from error


def _json_lines(text: str) -> Iterator[tuple[int, Raw]]:
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                raw = json.loads(line)
            except ValueError as error:
                raise ValueError(f"line {number}: is not valid JSON: {error}") from error
            if not isinstance(raw, dict):
                raise ValueError(f"line {number}: must be a mapping of keys to values")
            yield number, raw


def _cues(text: str) -> Iterator[Spoken]:
    """WebVTT and SRT: `<v Name>text` or `Name: text`, several of them in one cue share its time."""
    parts = _CUE.split(text.replace("\r\n", "\n"))
    for at in range(1, len(parts), 3):
        start, end, said = parts[at : at + 3]
        cue = _NAME.sub(r"<v \1>", re.split(r"\n\s*\n", said.strip("\n"), maxsplit=1)[0])
        unnamed, *voices = _VOICE.split(cue)
        for name, words in [(None, unnamed), *zip(voices[::2], voices[1::2], strict=True)]:
            spoken = " ".join(re.sub(r"<[^>]*>", "", words).split())
            if spoken:
                times = {"start_s": _seconds(start), "end_s": _seconds(end)}
                yield Spoken(f"cue {at // 3 + 1}", name, None, {**times, "text": spoken})


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a list stands in a document, and what stands around it."""

    keys: tuple[str, ...] = ("",)
    channel: int | None = None
    origin_s: float | None = None


def _document(document: object) -> list[Spoken]:
    found: dict[tuple[str, ...], list[tuple[_Place, list[Any]]]] = {}
    people: dict[str, str] = {}
    for place, items in _lists(document, _Place()):
        if place.keys[-1] in _PEOPLE:
            people |= _people(items)
        elif any(_is_line(item, place.keys[-1]) for item in items):
            found.setdefault(place.keys, []).append((place, items))
    if not found:
        if document in ({}, []):
            return []
        raise ValueError("is JSON, but holds no list of lines with a text and a time or a speaker")
    keys = min(found, key=lambda keys: _rank(keys, found[keys][0][0]))
    lines = []
    for place, items in found[keys]:
        kept = [
            (f"{keys[-1] or 'line'} {number}", item)
            for number, item in enumerate(items, 1)
            if isinstance(item, dict) and (_is_line(item, keys[-1]) or keys[-1] in _WORD_LISTS)
        ]
        some = [_entry(where, item, place, people) for where, item in kept]
        some = _shifted(some, place.origin_s)
        some = _in_seconds(some) if keys[-1] in ("utterances", "words") else some
        lines += _joined(some) if keys[-1] in _WORD_LISTS else some
    return lines


def _rank(keys: tuple[str, ...], place: _Place) -> tuple[int, bool, int]:
    others = len(_LISTS) + (keys[-1] in _WORD_LISTS)
    rank = _LISTS.index(keys[-1]) if keys[-1] in _LISTS else others
    return rank, place.channel is None, len(keys)


def _lists(node: object, place: _Place) -> Iterator[tuple[_Place, list[Any]]]:
    """Every list of a document, also those in JSON that is the text of a `body`."""
    if isinstance(node, str) and place.keys[-1] == "body" and node.lstrip()[:1] in ("{", "["):
        try:
            node = json.loads(node)
        except ValueError:
            return
    if isinstance(node, dict):
        raw = _folded(node)
        channel, origin_s = _channel(raw), _origin(raw)
        for key, value in raw.items():
            yield from _lists(
                value,
                _Place(
                    (*place.keys, key),
                    place.channel if channel is None else channel,
                    place.origin_s if origin_s is None else origin_s,
                ),
            )
    elif isinstance(node, list):
        if place.keys[-1] == "dialog":
            dated = [_origin(_folded(item)) for item in node if isinstance(item, dict)]
            place = replace(
                place, origin_s=min((at for at in dated if at is not None), default=None)
            )
        yield place, node
        for number, item in enumerate(node):
            inner = replace(place, channel=number) if place.keys[-1] == "channels" else place
            yield from _lists(item, inner)


def _folded(raw: Mapping[str, Any]) -> Raw:
    """Keys in lower case without punctuation; those of the best alternative stand for its own."""
    folded = {re.sub(r"[\W_]", "", str(key).lower()): value for key, value in raw.items()}
    for key in ("nbest", "alternatives"):
        best = folded.get(key)
        if isinstance(best, list) and best and isinstance(best[0], dict):
            folded = _folded(best[0]) | folded
    return folded


def _is_line(item: object, within: str = "") -> bool:
    """Whether it has a text, and a time or a speaker unless the list's name says it all."""
    raw = _folded(item) if isinstance(item, dict) else {}
    known = within in _LISTS or _time(raw, _STARTS) is not None
    if within in _WORD_LISTS:
        return known and _first(raw, _WORDS) is not None
    known = known or _first(raw, _SPEAKERS) is not None
    return known and isinstance(_first(raw, _TEXTS), str) and raw.get("type") != "recording"


def _holds_lists(document: Mapping[str, Any]) -> bool:
    return any(isinstance(value, list) for key, value in document.items() if key != "words")


def _people(items: Sequence[object]) -> dict[str, str]:
    """The roles, or else the names, of the people that a document lists, by id or `#number`."""
    people = {}
    for number, item in enumerate(items):
        raw = _folded(item) if isinstance(item, dict) else {}
        named = _name([raw[key] for key in _SPEAKERS if isinstance(raw.get(key), str)])
        if named is not None:
            known = _first(raw, ("participantid", "id", "speakerid"))
            people[f"#{number}" if known is None else str(known)] = named
    return people


def _entry(
    where: str, item: Raw, place: _Place | None = None, people: Mapping[str, str] | None = None
) -> Spoken:
    """One line; what the file does not give is missing in its fields."""
    raw = _folded(item)
    words = [_folded(word) for word in raw.get("words") or () if isinstance(word, dict)]
    start_s, end_s, lasts_s = (_time(raw, names) for names in (_STARTS, _ENDS, _DURATIONS))
    if start_s is None and words:
        start_s, end_s = _time(words[0], _STARTS), _time(words[-1], _ENDS)
    if start_s is not None and end_s is not None and end_s - start_s > _EPOCH_S:
        end_s = None
    if end_s is None and start_s is not None and lasts_s is not None:
        end_s = start_s + lasts_s
    channel = _channel(raw)
    fields = {
        "start_s": start_s,
        "end_s": end_s,
        "text": _first(raw, _WORDS),
        "dialog_state": raw.get("dialogstate"),
    }
    ids = [(raw[key], "#" * (key in _BY_NUMBER)) for key in _SPEAKERS if raw.get(key) is not None]
    ids = [(id_[0] if isinstance(id_, list) and id_ else id_, by) for id_, by in ids]
    return Spoken(
        where,
        _name([(people or {}).get(f"{by}{name}", name) for name, by in ids]),
        channel if channel is not None or place is None else place.channel,
        {key: value for key, value in fields.items() if value is not None},
        is_ours="start_s" in item,
        counts_from_one=raw.get("mediachannel") is not None or raw.get("channel") in ("1", "2"),
    )


def _name(names: Sequence[object]) -> str | None:
    """The name that is a role, or else the first one."""
    return next((str(n) for n in names if role(n)), str(names[0]) if names else None)


def _all(raw: Raw, keys: Sequence[str]) -> list[Any]:
    return [raw[key] for key in keys if raw.get(key) is not None]


def _first(raw: Raw, keys: Sequence[str]) -> Any:
    return next(iter(_all(raw, keys)), None)


def _channel(raw: Raw) -> int | None:
    digits = [re.search(r"\d+$", str(value)) for value in _all(raw, _CHANNELS)]
    return next((int(found[0]) for found in digits if found), None)


def _time(raw: Raw, names: Sequence[str]) -> float | None:
    """The time under the first of these names that is there, in seconds; names may have units."""
    given: dict[str, float] = {}
    for key, value in raw.items():
        named = None if key in names else _UNIT.fullmatch(key)
        name, unit = (named[1], named[2]) if named else (key, "s")
        if name in names and (seconds := _seconds(value)) is not None:
            given.setdefault(name, seconds * _UNITS.get(unit, 1.0))
    return next((given[name] for name in names if name in given), None)


def _seconds(value: object) -> float | None:
    """A number, a clock (`1:02:03.5`), a duration (`PT1M2.5S`) or a date as seconds."""
    if isinstance(value, Mapping):
        return _time({f"duration{key}".lower(): part for key, part in value.items()}, _DURATIONS)
    text = str(value).strip().replace(",", ".")
    if re.fullmatch(r"-?\d+(\.\d+)?(e-?\d+)?s?|nan|inf", text):
        return float(text.rstrip("s"))
    if re.fullmatch(_TIME, text):
        return sum(float(part) * 60.0**n for n, part in enumerate(reversed(text.split(":"))))
    iso = re.fullmatch(r"PT(?:([\d.]+)H)?(?:([\d.]+)M)?(?:([\d.]+)S)?", text)
    if iso:
        hours, minutes, seconds = (float(part or 0) for part in iso.groups())
        return hours * 3600 + minutes * 60 + seconds
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _origin(raw: Raw) -> float | None:
    """When a recording began, in seconds since 1970, if its document says so."""
    began = _time(raw, _ORIGINS)
    if began is None or began < _EPOCH_S:
        return None
    return began / 1000 if began > _EPOCH_MS else began


def _shifted(lines: list[Spoken], origin_s: float | None) -> list[Spoken]:
    """Times since 1970 counted from the document's own start; others as they are."""
    starts = [line.fields["start_s"] for line in lines if "start_s" in line.fields]
    if origin_s is None or not starts or min(starts) < _EPOCH_S:
        return lines
    scale = 1e-3 if min(starts) > _EPOCH_MS else 1.0
    return [_retimed(line, lambda at: max(at * scale - origin_s, 0.0)) for line in lines]


def _in_seconds(lines: list[Spoken]) -> list[Spoken]:
    """AssemblyAI's times: whole numbers in milliseconds, under names that say no unit."""
    spans = [(f["start_s"], f["end_s"]) for f in (x.fields for x in lines) if "end_s" in f]
    whole = all(float(at).is_integer() for span in spans for at in span)
    if whole and spans and median(end - start for start, end in spans) >= _MS_LINE:
        return [_retimed(line, lambda at: at / 1000) for line in lines]
    return lines


def _retimed(line: Spoken, change: Callable[[float], float]) -> Spoken:
    times = {k: change(v) for k, v in line.fields.items() if k in ("start_s", "end_s")}
    return replace(line, fields=line.fields | times)


def _joined(words: Sequence[Spoken]) -> list[Spoken]:
    """Words of one speaker without a long pause make a line; punctuation has no time."""
    lines: list[Spoken] = []
    for word in words:
        now, before = word.fields, lines[-1].fields if lines else {}
        start_s = now.get("start_s")
        if start_s is None:
            joined = {"text": before.get("text", "") + now["text"]}
            lines[-1:] = [replace(line, fields=before | joined) for line in lines[-1:]]
        elif (
            before
            and (lines[-1].speaker, lines[-1].channel) == (word.speaker, word.channel)
            and start_s - before.get("end_s", start_s) < _WORD_GAP_S
        ):
            joined = {"start_s": before["start_s"], "text": f"{before['text']} {now['text']}"}
            lines[-1] = replace(word, fields=now | joined)
        else:
            lines.append(word)
    return lines


def _finished(lines: Sequence[Spoken]) -> list[Spoken]:
    """Without blank lines, with channels counted from 0 and with an end for each start."""
    lines = [line for line in lines if str(line.fields.get("text", "?")).strip()]
    channels = {line.channel for line in lines}
    from_one = 0 not in channels and (2 in channels or any(one.counts_from_one for one in lines))
    starts = sorted(line.fields["start_s"] for line in lines if "start_s" in line.fields)
    finished = []
    for line in lines:
        start_s, fields = line.fields.get("start_s"), line.fields
        if start_s is not None and "end_s" not in fields:
            following = starts[bisect_right(starts, start_s) :]
            takes_s = S_AROUND + S_PER_CHARACTER * len(str(fields.get("text", "")))
            fields = fields | {"end_s": min([start_s + takes_s, *following[:1]])}
        channel = line.channel
        if from_one and channel is not None:
            channel -= 1
        finished.append(replace(line, channel=channel, fields=fields))
    return finished
