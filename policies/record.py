"""The record of a call: every turn, what was read from it and what was decided.

The JSON form is described in docs/call-record.md; `SCHEMA` changes with it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from ..models.readings import EmotionReading, TurnReading
from .config import MitigationPolicy
from .types import Decision, Level

SCHEMA = "deescalate.call/1"


@dataclass(frozen=True, slots=True)
class TurnRecord:
    """One caller turn: the decision with its evidence, and the words if they are kept."""

    decision: Decision
    text: str | None = None

    @property
    def reading(self) -> TurnReading:
        """What was read from the turn."""
        return self.decision.evidence.reading


@dataclass(frozen=True, slots=True)
class CallRecord:
    """A whole call, in order. `warnings` says what was wrong with the recording."""

    call_id: str
    source: str
    duration_s: float
    sample_rate: int
    model: str
    policy: MitigationPolicy
    turns: tuple[TurnRecord, ...]
    warnings: tuple[str, ...] = ()

    @property
    def highest_level(self) -> Level:
        """The highest level that the call reached."""
        levels = (turn.decision.level for turn in self.turns)
        return max(levels, key=lambda level: level.rank, default=Level.CALM)

    @property
    def actions(self) -> Counter[str]:
        """How often each action was decided."""
        return Counter(turn.decision.action.value for turn in self.turns)

    def to_dict(self) -> dict[str, Any]:
        """The record in its JSON form, schema `SCHEMA`."""
        return {
            "schema": SCHEMA,
            "call_id": self.call_id,
            "source": self.source,
            "duration_s": round(self.duration_s, 3),
            "sample_rate": self.sample_rate,
            "model": self.model,
            "policy": self.policy.model_dump(mode="json"),
            "warnings": list(self.warnings),
            "summary": {
                "turns": len(self.turns),
                "unknown_turns": sum(t.reading.log_likelihood_ratio is None for t in self.turns),
                "highest_level": self.highest_level.value,
                "actions": dict(self.actions),
            },
            "turns": [_turn_to_dict(turn) for turn in self.turns],
        }


def affect(voice: EmotionReading) -> dict[str, Any]:
    """The rest of a voice reading beside p_negative, rounded, as in the JSON form."""
    return {
        "arousal": _rounded(voice.arousal),
        "valence": _rounded(voice.valence),
        "timeline": [round(p, 3) for p in voice.timeline],
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def _turn_to_dict(turn: TurnRecord) -> dict[str, Any]:
    reading, decision = turn.reading, turn.decision
    words = reading.words
    return {
        "index": reading.index,
        "started_at_s": round(reading.started_at_s, 3),
        "ended_at_s": round(reading.ended_at_s, 3),
        "text": turn.text,
        "voice": {
            "p_negative": reading.voice.p_negative,
            "reason": reading.voice.reason,
            "audio_s": round(reading.voice.audio_s, 3),
            "inference_ms": round(reading.voice.inference_ms, 2),
            **affect(reading.voice),
        },
        "words": None
        if words is None
        else {
            "p_negative": words.p_negative,
            "cues": [{"cue": cue.name.lower(), "words": said} for cue, said in words.cues],
        },
        "conversation": [
            {"cue": cue.name.lower(), "seen": seen} for cue, seen in reading.conversation
        ],
        "log_likelihood_ratio": reading.log_likelihood_ratio,
        "dialog_state": decision.evidence.dialog_state,
        "agents_available": decision.evidence.agents_available,
        "transfer_failed": decision.evidence.transfer_failed,
        "belief": decision.belief,
        "level": decision.level.value,
        "action": decision.action.value,
        "callback": decision.callback,
        "reason": decision.reason,
    }
