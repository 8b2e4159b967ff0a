"""The frames and metrics that we add to a pipeline."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pipecat.frames.frames import DataFrame, SystemFrame, TTSSpeakFrame
from pipecat.metrics.metrics import MetricsData

from ..models.readings import TurnReading
from ..policies.record import affect
from ..policies.transfer.request import TransferOutcome, TransferRequest
from ..policies.types import Decision


@dataclass
class CallerEmotionFrame(SystemFrame):
    """What was heard in the caller's turn so far; goes downstream.

    A turn with pauses gives several, one after each pause, on ever more audio: of one
    `reading.index` the last one counts.
    """

    reading: TurnReading


class CallerEmotionMetricsData(MetricsData):
    """The cost of one reading; `p_negative` is None where nothing could be heard."""

    turn: int
    p_negative: float | None
    audio_s: float
    inference_ms: float


@dataclass
class GuardSpeakFrame(TTSSpeakFrame):
    """A sentence of ours: spoken as it is, whatever was decided."""


@dataclass
class TransferCallFrame(DataFrame):
    """Hand this call over once everything queued before it was spoken; survives a barge-in."""

    request: TransferRequest
    interruptible: bool = field(default=False, init=False)


def emotion_metrics(processor: str, reading: TurnReading) -> CallerEmotionMetricsData:
    """What a reading cost."""
    return CallerEmotionMetricsData(
        processor=processor,
        model=reading.voice.model,
        turn=reading.index,
        p_negative=reading.voice.p_negative,
        audio_s=reading.voice.audio_s,
        inference_ms=reading.voice.inference_ms,
    )


def emotion_message(reading: TurnReading) -> dict[str, Any]:
    """What an RTVI client is told of a reading."""
    return {
        "type": "caller-emotion",
        "turn": reading.index,
        "p_negative": reading.voice.p_negative,
        "reason": reading.voice.reason,
        **affect(reading.voice),
    }


def decision_message(decision: Decision) -> dict[str, Any]:
    """What an RTVI client is told of a decision."""
    return {
        "type": "caller-decision",
        "turn": decision.evidence.reading.index,
        "action": decision.action.value,
        "level": decision.level.value,
        "belief": decision.belief,
        "callback": decision.callback,
        "reason": decision.reason,
    }


def transfer_message(outcome: TransferOutcome) -> dict[str, Any]:
    """What an RTVI client is told of a transfer."""
    return {"type": "caller-transfer", "ok": outcome.ok, "detail": outcome.detail}
