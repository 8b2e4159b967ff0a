"""One call for the report: its envelope, its turns, each policy's decisions and their reasons."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import soundfile

from ....models.audio.recording import read_audio
from ....models.audio.samples import resample
from ....models.readings import Cue, EmotionReading, TurnReading, UnknownReason, WordReading
from ....models.voice import TIMELINE_STEP_S
from ....policies.config import MitigationPolicy, within_opening_hours
from ....policies.decide import decide
from ....policies.types import CallState, Decision, Evidence
from ..transcript import Transcript
from .call_source import CallSource
from .recording_evidence import ENVELOPE_S, Row, words_of
from .statistics.call_labels import CallLabel
from .storage import local_file

_POINTS = 600
_AUDIO_RATE = 8_000


@dataclass(frozen=True, slots=True)
class ReportContent:
    """What a report may contain of the caller: nothing, unless requested."""

    words: bool = False
    audio: bool = False


def serialize_call(
    row: Row,
    source: CallSource,
    policies: Sequence[MitigationPolicy],
    label: CallLabel | None,
    shown: ReportContent,
) -> dict[str, Any]:
    """One call as JSON, with all that the report draws.

    Raises:
        DeescalateError: words or audio were requested and cannot be read any more.
    """
    readings = [_reading(index, turn, row["model"]) for index, turn in enumerate(row["turns"])]
    said = (words_of(source)[0] if shown.words else Transcript()).align(readings)
    return {
        "id": row["call_id"],
        "duration_s": round(row["duration_s"], 2),
        "started_at": source.started_at.isoformat() if source.started_at else None,
        "distressed": label.distressed if label is not None else None,
        "negative": [list(span) for span in label.negative] if label is not None else [],
        "warnings": row["warnings"],
        "envelope": _envelope(row["envelope"]),
        "audio": _audio(source) if shown.audio else None,
        "turns": [
            {
                "start_s": round(reading.started_at_s, 2),
                "end_s": round(reading.ended_at_s, 2),
                "voice": _rounded(reading.voice.p_negative),
                "within": _steps(reading),
                "words": _rounded(reading.words.p_negative) if reading.words else None,
                "llr": _rounded(reading.log_likelihood_ratio),
                "cues": [cue.value for cue, _ in reading.cues],
                "text": words.text,
            }
            for reading, words in zip(readings, said, strict=True)
        ],
        "policies": [
            [_decision(one) for one in _decided(row, readings, source, policy)]
            for policy in policies
        ],
    }


def _reading(index: int, turn: Row, model: str) -> TurnReading:
    unknown = UnknownReason(turn["unknown"]) if turn["unknown"] else None
    length_s = turn["ended_at_s"] - turn["started_at_s"]
    return TurnReading(
        index=index,
        started_at_s=turn["started_at_s"],
        ended_at_s=turn["ended_at_s"],
        voice=EmotionReading(
            turn["voice"], model, length_s, 0.0, unknown, timeline=tuple(turn.get("timeline") or ())
        ),
        words=WordReading(turn["words"]) if turn["words"] is not None else None,
        log_likelihood_ratio=turn["log_likelihood_ratio"],
        conversation=tuple((Cue[name.upper()], "") for name in turn["cues"]),
    )


def _steps(reading: TurnReading) -> list[list[float]]:
    """The voice within the turn: when each p(negative) starts, and finally where the last one ends.

    Each window of the timeline covers its middle half second. The timeline ends with the turn; it
    may begin a little before the turn, or long after its start.
    """
    timeline = reading.voice.timeline
    began_s = reading.ended_at_s - TIMELINE_STEP_S * (len(timeline) + 1)
    steps = [
        [
            round(max(reading.started_at_s, began_s + TIMELINE_STEP_S * (index + 0.5)), 2),
            round(p, 3),
        ]
        for index, p in enumerate(timeline)
    ]
    return [*steps, [round(reading.ended_at_s, 2), steps[-1][1]]] if steps else []


def _decided(
    row: Row, readings: Sequence[TurnReading], source: CallSource, policy: MitigationPolicy
) -> list[Decision]:
    state, decisions = CallState(), []
    for turn, reading in zip(row["turns"], readings, strict=True):
        humans = within_opening_hours(policy, source.started_at, reading.ended_at_s)
        state, decision = decide(state, Evidence(reading, turn["dialog_state"], humans), policy)
        decisions.append(decision)
    return decisions


def _decision(decision: Decision) -> dict[str, Any]:
    return {
        "action": "call_back" if decision.callback else decision.action.value,
        "level": decision.level.value,
        "belief": round(decision.belief, 4),
        "reason": decision.reason,
    }


def _envelope(peaks: bytes) -> dict[str, Any]:
    """The peaks, at most `_POINTS` of them, `step_s` apart."""
    points = np.frombuffer(peaks, np.uint8)
    stride = max(1, -(-len(points) // _POINTS))
    padded = np.pad(points, (0, -len(points) % stride))
    return {
        "step_s": ENVELOPE_S * stride,
        "peaks": padded.reshape(-1, stride).max(axis=1).tolist() if len(points) else [],
    }


def _audio(source: CallSource) -> str:
    """The caller's channel as a data URL, Ogg/Opus."""
    with local_file(source.place) as path:
        samples = read_audio(path, caller_channel=source.caller_channel)
    written = io.BytesIO()
    narrow = resample(samples, 16_000, _AUDIO_RATE)
    soundfile.write(written, narrow, _AUDIO_RATE, format="OGG", subtype="OPUS")
    return "data:audio/ogg;base64," + base64.b64encode(written.getvalue()).decode()


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
