"""A recorded call as it is handed from one stage to the next; workers load nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ....models.audio.recording import CallerChannel
from ..alignment import ByteRange


@dataclass(frozen=True, slots=True)
class CallSource:
    """One recording: where it is, what is known of it, and what its evidence is kept under.

    `recording` changes with the audio and how it is read, `words` with its transcript. `lines` is
    where in an untimed transcript this call's are, None if the transcript is the call's own.
    """

    call_id: str
    place: str
    recording: str
    words: str = ""
    transcript: str | None = None
    lines: tuple[ByteRange, ...] | None = None
    caller_channel: CallerChannel | None = None
    started_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """One call to be heard; `known_turns` from an earlier hearing spare the search."""

    source: CallSource
    evidence_key: str
    turns_key: str
    known_turns: tuple[tuple[float, float], ...] | None = None
