"""A recorded call as one stage passes it to the next; workers import only this."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ....models.audio.recording import CallerChannel
from ..alignment import ByteRange


@dataclass(frozen=True, slots=True)
class CallSource:
    """One recording: where it is, what is known about it, and digests for the cache keys.

    `recording` changes with the audio and how it is read, `words` with the transcript and with
    `caller_speaker`, the caller's name in it. `lines` are this call's byte ranges in a transcript
    of many calls, None if the transcript is its own; `beside` if nobody named the transcript.
    """

    call_id: str
    place: str
    recording: str
    words: str = ""
    transcript: str | None = None
    lines: tuple[ByteRange, ...] | None = None
    caller_channel: CallerChannel | None = None
    started_at: datetime | None = None
    caller_speaker: str | None = None
    beside: bool = False


@dataclass(frozen=True, slots=True)
class Task:
    """One call to analyse; `known_turns` from an earlier run make the VAD unnecessary."""

    source: CallSource
    evidence_key: str
    turns_key: str
    known_turns: tuple[tuple[float, float], ...] | None = None
