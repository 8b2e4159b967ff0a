"""The `calls import` command: convert recordings, call records and tables of turns to one table."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, Field
from rich.console import Console

from ...models.audio.formats import AUDIO
from ...models.audio.recording import CallerChannel, open_call
from ...models.errors import AudioError, DeescalateError, shown
from ...models.lab.annotation.call_table import CallsError, CallTurn, file_complaint, write_turns
from ...models.lab.annotation.clips import cut
from ...models.lab.annotation.jsonl import read_lines
from ...models.lab.annotation.validation import load_calls
from ...models.progress import Progress
from ...models.readings import Cue
from ...models.text.cues import find_cues
from ...models.voice import SILENCE_PEAK, EmotionClassifier, load_classifier
from ..console import UsageError, is_one_of, print_failure, stages
from ..console import recordings as recordings_in
from ..replay.call import classify_call, word_warnings
from ..replay.segments import TurnRules, find_turns
from ..replay.transcript import Transcript, TranscriptLine, read_transcript, with_states
from ..replay.transcript_names import TranscriptFolder
from ..replay.turn_words import TranscriptLike
from ..replay.vad import SAMPLE_RATE, WINDOW_MS

_ENDINGS = sorted(AUDIO, key=lambda ending: (ending != ".wav", ending))
_TABLES = {".jsonl", ".ndjson", ".json", ".parquet"}
_OTHER = {CallerChannel.LEFT: CallerChannel.RIGHT, CallerChannel.RIGHT: CallerChannel.LEFT}
_Time = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class _Voice(BaseModel):
    p_negative: float | None


class _Cue(BaseModel):
    cue: str


class _Words(BaseModel):
    cues: list[_Cue]


class _RecordedTurn(BaseModel):
    index: int
    started_at_s: _Time
    ended_at_s: _Time
    text: str | None
    voice: _Voice
    words: _Words | None
    dialog_state: str | None
    action: str


class _Record(BaseModel):
    """The fields of docs/call-record.md that are kept."""

    schema_: Annotated[Literal["deescalate.call/1"], Field(alias="schema")]
    call_id: str
    source: str
    turns: list[_RecordedTurn]


@dataclass(frozen=True, slots=True)
class Import:
    """How sources are read; audio paths are relative to `folder`, where the turns are written."""

    folder: Path
    caller_channel: CallerChannel | None
    transcripts: TranscriptFolder | None
    caller_speaker: str | None
    recordings: Path | None
    language: str


def run_import(
    sources: Sequence[Path],
    *,
    out: Path,
    caller_channel: CallerChannel | None,
    transcripts: Path | None,
    caller_speaker: str | None = None,
    recordings: Path | None,
    language: str,
    as_json: bool,
) -> int:
    """Write the turns of all sources into one file; return how many sources could not be read.

    The other sources are still imported.

    Raises:
        CallsError: a call appears twice, or there are no turns.
        UsageError: `out` is one of the sources.
        OutputError: the file cannot be written.
    """
    seen: dict[str, Path] = {}
    failed: list[Path] = []
    sources = _files(sources, failed)
    if is_one_of(out, sources):
        raise UsageError(f"--out {out} is one of the sources")
    folder = Path(os.path.realpath(out)).parent
    words = None
    if transcripts is not None:
        words = TranscriptFolder(transcripts, [path.stem for path in sources])
    options = Import(folder, caller_channel, words, caller_speaker, recordings, language)
    count = write_turns(out, _turns_of(sources, options, seen, failed))
    for said in words.complaints() if words else ():
        print(f"deescalate: {said}", file=sys.stderr)
    if not count and not failed:
        raise CallsError(file_complaint(out, "not written: there are no turns in these calls"))
    summary = {"out": shown(out), "calls": len(seen), "turns": count, "failed": len(failed)}
    if as_json:
        print(json.dumps(summary))
    elif count:
        Console().print(
            f"{shown(out)}: {len(seen)} calls, {count} turns", markup=False, soft_wrap=True
        )
    return len(failed)


def _turns_of(
    sources: Sequence[Path], options: Import, seen: dict[str, Path], failed: list[Path]
) -> Iterator[CallTurn]:
    """The turns, source by source; records the calls `seen` and the sources that `failed`."""
    classifier = load_classifier()
    for path in sources:
        try:
            with stages() as progress:
                found = list(_read(path, options, classifier, progress))
        except Exception as error:  # noqa: BLE001 - one source must not fail all others
            failed.append(path)
            print_failure(path, error)
            continue
        _check_new(path, found, seen)
        yield from found


def _files(sources: Sequence[Path], failed: list[Path]) -> list[Path]:
    """The sources, and the recordings of those that are folders."""
    found: list[Path] = []
    for source in sources:
        try:
            found += recordings_in(source)
        except DeescalateError as error:
            failed.append(source)
            print_failure(source, error)
    return found


def _check_new(path: Path, turns: Sequence[CallTurn], seen: dict[str, Path]) -> None:
    for call_id in {turn.call_id for turn in turns}:
        if seen.setdefault(call_id, path) is not path:
            raise CallsError(file_complaint(path, f"call {call_id} is also in {seen[call_id]}"))


def _read(
    path: Path,
    options: Import,
    classifier: EmotionClassifier,
    progress: Progress,
) -> Iterator[CallTurn]:
    if shown(path) != str(path):
        raise CallsError(file_complaint(path, "its name is not UTF-8, as a table needs; rename it"))
    if path.suffix.lower() not in _TABLES:
        yield from _recording(path, options, classifier, progress)
    elif _holds_records(path):
        yield from _records(path, options)
    else:
        with load_calls([path]) as calls:
            for call in calls.each():
                for turn in call.turns:
                    found = call.recording(turn)
                    yield turn if found is None else replace(turn, audio=_name(found[0], options))


def _holds_records(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return b'"deescalate.call/1"' in file.readline(1 << 16)
    except OSError as error:
        raise CallsError(file_complaint(path, error.strerror or "cannot be read")) from error


def _name(audio: Path, options: Import) -> str:
    """A recording's path relative to the turns' folder, so that both can be moved together."""
    return os.path.relpath(os.path.realpath(audio), options.folder)


def _recording(
    path: Path, options: Import, classifier: EmotionClassifier, progress: Progress
) -> Iterator[CallTurn]:
    """Find the caller's turns; the other side's come from the transcript, else its channel."""
    transcript = _transcript(path, options)
    call = classify_call(
        path,
        classifier,
        caller_channel=options.caller_channel,
        transcript=transcript,
        on_progress=partial(progress, path.name),
    )
    said = transcript or Transcript()
    for warning in (*call.warnings, *word_warnings(call, said)):
        print(f"deescalate: {path}: {warning}", file=sys.stderr)
    channel = options.caller_channel if call.channels != 1 else None
    audio = _name(path, options)
    turns = [
        CallTurn(
            call_id=path.stem,
            turn=0,
            speaker="caller",
            text=words.text,
            dialog_state=words.dialog_state,
            events=_events(words.text, options.language),
            audio=audio,
            channel=channel.value if channel else None,
            start_s=round(turn.started_at_s, 3),
            end_s=round(turn.ended_at_s, 3),
            p_negative=_rounded(turn.voice.p_negative),
        )
        for turn, words in zip(call.turns, said.align(call.turns), strict=True)
    ]
    if isinstance(transcript, Transcript):
        turns += _others_in_transcript(path, transcript.lines)
    elif channel is not None:
        turns += _others_in_audio(path, _OTHER[channel], audio)
    turns.sort(key=lambda turn: turn.start_s or 0.0)
    return (replace(turn, turn=number) for number, turn in enumerate(turns))


def _rounded(p_negative: float | None) -> float | None:
    return None if p_negative is None else round(float(p_negative), 4)


def _is_stereo(path: Path, options: Import) -> bool:
    with open_call(path, caller_channel=options.caller_channel) as call:
        return call.channels > 1


def _transcript(path: Path, options: Import) -> TranscriptLike | None:
    """The transcript of a recording; None without one."""
    found = options.transcripts.of(path.stem) if options.transcripts else None
    if found is None:
        return None
    return read_transcript(
        found, caller_channel=options.caller_channel, caller_speaker=options.caller_speaker
    )


def _events(text: str | None, language: str) -> tuple[str, ...]:
    asks = any(cue is Cue.ASKS_FOR_HUMAN for cue, _ in find_cues(text or "", language))
    return ("agent_request",) if asks else ()


def _others_in_transcript(path: Path, lines: Sequence[TranscriptLine]) -> Iterator[CallTurn]:
    """Turns of bot and agents; a line ends where the same speaker's next one begins."""
    states = {id(utterance): state for utterance, state in with_states(lines)}
    next_s: dict[str, float] = {}
    for utterance in reversed(lines):
        if utterance.speaker == "caller":
            continue
        end_s = min(utterance.end_s, next_s.get(utterance.speaker, utterance.end_s))
        if end_s <= utterance.start_s:
            continue
        next_s[utterance.speaker] = utterance.start_s
        yield CallTurn(
            call_id=path.stem,
            turn=0,
            speaker=utterance.speaker,
            text=utterance.text,
            dialog_state=states.get(id(utterance)),
            start_s=round(utterance.start_s, 3),
            end_s=round(end_s, 3),
        )


def _others_in_audio(path: Path, channel: CallerChannel, audio: str) -> Iterator[CallTurn]:
    with open_call(
        path, caller_channel=channel, sample_rate=SAMPLE_RATE, block_ms=WINDOW_MS
    ) as call:
        for turn in find_turns(call, TurnRules()):
            yield CallTurn(
                call_id=path.stem,
                turn=0,
                speaker="bot",
                audio=audio,
                channel=channel.value,
                start_s=round(turn.started_at_s, 3),
                end_s=round(turn.ended_at_s, 3),
            )


def _records(path: Path, options: Import) -> Iterator[CallTurn]:
    """The caller's turns in call records."""
    for record in read_lines(path, _Record, what="record"):
        yield from _of_record(record, options)


def _recording_of(record: _Record, options: Import) -> Path | None:
    """The record's source, or the file named after the call in the folder of recordings."""
    if Path(record.source).is_file():
        return Path(record.source)
    if options.recordings is None or "/" in record.call_id:
        return None
    places = (options.recordings / f"{record.call_id}{ending}" for ending in _ENDINGS)
    return next((place for place in places if place.is_file()), None)


def _check_heard(record: _Record, recording: Path, channel: CallerChannel | None) -> None:
    """A turn that is silent in its recording was cut at times that are not the recording's.

    Raises:
        AudioError: there is one, or one that begins after the recording's end.
    """
    timed = [turn for turn in record.turns if turn.ended_at_s > turn.started_at_s]
    spans_s = [(turn.started_at_s, turn.ended_at_s) for turn in timed]
    for at, samples in cut(recording, channel, spans_s, pad_s=0.0):
        if np.ptp(samples) < 2 * SILENCE_PEAK:
            start_s, end_s = spans_s[at]
            raise AudioError(
                recording,
                f"silent from {start_s:.2f} to {end_s:.2f} s, where call {record.call_id} has "
                f"turn {timed[at].index}: these are not the times of this recording",
            )


def _of_record(record: _Record, options: Import) -> Iterator[CallTurn]:
    recording = _recording_of(record, options)
    audio = _name(recording, options) if recording else None
    channel = options.caller_channel if recording and _is_stereo(recording, options) else None
    if recording is not None:
        _check_heard(record, recording, channel)
    transferred = any(turn.action == "transfer" for turn in record.turns)
    for turn in record.turns:
        asks = any(cue.cue == "asks_for_human" for cue in (turn.words.cues if turn.words else ()))
        timed = turn.ended_at_s > turn.started_at_s
        yield CallTurn(
            call_id=record.call_id,
            turn=turn.index,
            speaker="caller",
            text=turn.text,
            dialog_state=turn.dialog_state,
            events=("agent_request",) if asks else (),
            audio=audio if timed else None,
            channel=channel.value if channel and timed else None,
            start_s=turn.started_at_s if timed else None,
            end_s=turn.ended_at_s if timed else None,
            outcome="transferred" if transferred else None,
            p_negative=turn.voice.p_negative,
        )
