"""Turns one recording into one row of evidence: what policies decide on, without any words."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ....models.errors import DeescalateError, shown
from ....models.readings import Samples
from ....models.registry import BUNDLED_VOICE, WEIGHTS, read_model
from ....models.text.cues import LANGUAGES
from ....models.voice import load_classifier
from ..alignment import read_untimed_at
from ..call import TurnInput, VoiceCall, classify_call, read_call, word_warnings
from ..segments import TurnRules
from ..transcript import Transcript, read_transcript
from ..turn_words import TranscriptError, TranscriptLike
from ..vad import SAMPLE_RATE
from .call_source import CallSource, Task
from .storage import local_file, open_file, storage_complaint

ENVELOPE_S = 0.2
"""One point of a call's envelope stands for this much audio."""

_SCHEMA = "evidence/2"

Row = dict[str, Any]
"""One call as the cache stores it; see `evidence_cache.SCHEMA`."""


@dataclass(frozen=True, slots=True)
class EvidenceSettings:
    """Everything that the evidence depends on, except the recording itself."""

    model: str | None = None
    language: str = "en"
    turn_rules: TurnRules = field(default_factory=TurnRules)

    @property
    def turns_key(self) -> str:
        """Changes with the rules that find the turns."""
        return _digest([_SCHEMA, asdict(self.turn_rules)])

    @property
    def key(self) -> str:
        """Changes with everything that affects evidence; damaged models raise ModelFileError."""
        voice = read_model(self.model or BUNDLED_VOICE).card["sha256"]
        words = [
            hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted([*WEIGHTS.glob("*.json"), *LANGUAGES.glob("*.yaml")])
            if path.stem != BUNDLED_VOICE.stem
        ]
        return _digest([self.turns_key, voice, words, self.language])


def _digest(values: Sequence[Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:32]


def tasks_for(sources: Iterable[CallSource], settings: EvidenceSettings) -> Iterator[Task]:
    """The calls with the keys under which the cache stores their evidence.

    Raises:
        ModelFileError: a model is missing or damaged.
    """
    key, turns_key = settings.key, settings.turns_key
    for source in sources:
        yield Task(
            source,
            _digest([key, source.recording, source.words]),
            _digest([turns_key, source.recording, source.words]),
        )


def extract_evidence(task: Task, settings: EvidenceSettings) -> Row:
    """Extract the evidence of one call; if that fails, the row says why."""
    try:
        transcript, unread = words_of(task.source)
        voice, envelope = _classify_audio(task, settings, transcript)
        turns = read_call(voice, transcript, language=settings.language)
    except DeescalateError as error:
        return failed_row(task, str(error))
    except Exception as error:  # noqa: BLE001 - one recording must not fail all others
        return failed_row(task, f"{task.source.place}: {storage_complaint(error)}")
    return {
        **_keys(task),
        "duration_s": voice.duration_s,
        "sample_rate": voice.sample_rate,
        "model": voice.model,
        "warnings": [*voice.warnings, *word_warnings(voice, transcript), *unread],
        "envelope": envelope,
        "turns": [
            _turn(turn, loudness.loudness_db)
            for turn, loudness in zip(turns, voice.turns, strict=True)
        ],
    }


def failed_row(task: Task, reason: str) -> Row:
    """The row of a call that could not be analysed, and why."""
    return {**_keys(task), "error": shown(reason)}


def _keys(task: Task) -> Row:
    return {
        "call_id": task.source.call_id,
        "evidence_key": task.evidence_key,
        "turns_key": task.turns_key,
    }


def _classify_audio(
    task: Task, settings: EvidenceSettings, transcript: TranscriptLike
) -> tuple[VoiceCall, bytes]:
    envelope = Envelope()
    with local_file(task.source.place) as path:
        voice = classify_call(
            path,
            load_classifier(settings.model),
            caller_channel=task.source.caller_channel,
            transcript=transcript,
            turn_rules=settings.turn_rules,
            known_turns=task.known_turns,
            on_block=envelope.add,
        )
    return voice, envelope.points()


def words_of(source: CallSource) -> tuple[TranscriptLike, list[str]]:
    """The transcript of a call, and why it is not used; one that nobody named fails no call."""
    try:
        return transcript_of(source), []
    except TranscriptError as error:
        if not source.beside:
            raise
        return Transcript(), [f"the transcript beside it is not used: {error}"]


def transcript_of(source: CallSource) -> TranscriptLike:
    """The transcript of a call; an empty one if it has none.

    Raises:
        UnreadableInputError, TranscriptError: it cannot be read.
    """
    if source.transcript is None or source.lines == ():
        return Transcript()
    if source.lines is not None:
        with open_file(source.transcript) as file:
            return read_untimed_at(file, source.transcript, source.lines)
    with local_file(source.transcript) as path:
        return read_transcript(
            path, caller_channel=source.caller_channel, caller_speaker=source.caller_speaker
        )


def _turn(turn: TurnInput, loudness_db: float | None) -> Row:
    reading, words = turn.reading, turn.reading.words
    return {
        "started_at_s": reading.started_at_s,
        "ended_at_s": reading.ended_at_s,
        "loudness_db": loudness_db,
        "voice": reading.voice.p_negative,
        "unknown": reading.voice.reason,
        "words": words.p_negative if words is not None else None,
        "log_likelihood_ratio": reading.log_likelihood_ratio,
        "cues": [cue.name.lower() for cue, _ in reading.cues],
        "dialog_state": turn.dialog_state,
        "timeline": list(reading.voice.timeline),
    }


class Envelope:
    """Collects the peaks of a call, one byte for every `ENVELOPE_S`."""

    def __init__(self) -> None:
        self._step = round(ENVELOPE_S * SAMPLE_RATE)
        self._peaks = bytearray()
        self._peak = 0.0
        self._seen = 0

    def add(self, block: Samples) -> None:
        """Take the next samples, fewer than `ENVELOPE_S` of them."""
        self._peak = max(self._peak, float(np.abs(block).max(initial=0.0)))
        self._seen += len(block)
        if self._seen >= self._step:
            self._seen -= self._step
            self._close()

    def points(self) -> bytes:
        """All peaks; full scale is 255."""
        if self._seen:
            self._seen = 0
            self._close()
        return bytes(self._peaks)

    def _close(self) -> None:
        self._peaks.append(min(255, round(self._peak * 255)))
        self._peak = 0.0


def extract_all(tasks: Iterable[Task], settings: EvidenceSettings) -> list[Row]:
    """Extract the evidence of several calls."""
    return [extract_evidence(task, settings) for task in tasks]


def preload(settings: EvidenceSettings) -> None:
    """Load the models before a worker gets its first call."""
    load_classifier(Path(settings.model) if settings.model else None)
