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
    """How the caller's turn sounds so far; goes downstream.

    A turn with pauses gives one frame after each pause, each on more audio; for one
    `reading.index` the last frame counts.
    """

    reading: TurnReading


class CallerEmotionMetricsData(MetricsData):
    """The cost of one reading; `p_negative` is None if it is unknown."""

    turn: int
    p_negative: float | None
    audio_s: float
    inference_ms: float


@dataclass
class GuardSpeakFrame(TTSSpeakFrame):
    """A sentence of the guard's own, which is spoken unchanged."""


@dataclass
class TransferCallFrame(DataFrame):
    """Hand this call over once everything queued before it is spoken; survives a barge-in."""

    request: TransferRequest
    interruptible: bool = field(default=False, init=False)


def emotion_metrics(processor: str, reading: TurnReading) -> CallerEmotionMetricsData:
    """The metrics of a reading."""
    return CallerEmotionMetricsData(
        processor=processor,
        model=reading.voice.model,
        turn=reading.index,
        p_negative=reading.voice.p_negative,
        audio_s=reading.voice.audio_s,
        inference_ms=reading.voice.inference_ms,
    )


def emotion_message(reading: TurnReading) -> dict[str, Any]:
    """A reading as a message to RTVI clients."""
    return {
        "type": "caller-emotion",
        "turn": reading.index,
        "p_negative": reading.voice.p_negative,
        "reason": reading.voice.reason,
        **affect(reading.voice),
    }


def decision_message(decision: Decision) -> dict[str, Any]:
    """A decision as a message to RTVI clients."""
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
    """A transfer's outcome as a message to RTVI clients."""
    return {
        "type": "caller-transfer",
        "ok": outcome.ok,
        "status": outcome.status,
        "detail": outcome.detail,
    }
