"""The record of a call: every turn, what was read from it and what was decided.

docs/call-record.md describes the JSON form; `SCHEMA` and `record_form` change with it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import escape
from importlib import import_module
from typing import Any

from ..models.errors import MissingPackageError, RecordError
from ..models.readings import EmotionReading, TurnReading
from .config import MitigationPolicy
from .record_form import checked_form
from .types import Decision, Level

SCHEMA = "deescalate.call/1"
_COLUMNS = (
    "index",
    "started_at_s",
    "ended_at_s",
    "text",
    *(f"voice.{key}" for key in ("p_negative", "reason", "arousal", "valence", "timeline")),
    *(f"voice.{key}" for key in ("audio_s", "inference_ms")),
    *(f"words.{key}" for key in ("p_negative", "cues")),
    "conversation",
    "log_likelihood_ratio",
    "dialog_state",
    "agents_available",
    "transfer_failed",
    "belief",
    "level",
    "action",
    "callback",
    "reason",
)
"""Of a data frame; the keys of a turn in JSON."""


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

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> CallRecord:
        """Read what `to_dict` returned, or its JSON holds; numbers stay rounded.

        Raises:
            RecordError: it is not a record of schema `SCHEMA`; the message names the key.
        """
        form = checked_form(data)
        record = cls(
            call_id=form.call_id,
            source=form.source,
            duration_s=form.duration_s,
            sample_rate=form.sample_rate,
            model=form.model,
            policy=form.policy,
            turns=tuple(TurnRecord(turn.decision(form.model), turn.text) for turn in form.turns),
            warnings=tuple(form.warnings),
        )
        if form.summary.model_dump() != record.to_dict()["summary"]:
            raise RecordError("call record: summary: contradicts the turns")
        return record

    def to_dataframe(self) -> Any:
        """A pandas DataFrame with a row for each turn.

        The columns are `call_id` and the keys of a turn in JSON, such as `voice.p_negative`. Cues
        are lists of their names.

        Raises:
            MissingPackageError: pandas is not installed.
        """
        try:
            pandas = import_module("pandas")
        except ModuleNotFoundError as error:
            raise MissingPackageError("pandas is not installed: pip install pandas") from error
        rows = [[self.call_id, *_cells(_turn_to_dict(turn))] for turn in self.turns]
        return pandas.DataFrame(rows, columns=["call_id", *_COLUMNS])

    def _repr_html_(self) -> str:
        """A table for notebooks; the caller's words are in it only if the record has them."""
        with_text = any(turn.text is not None for turn in self.turns)
        columns = ["time", "length", "p(negative)", "level", "action", "why"]
        rows = [columns + ["the caller said"] * with_text]
        for turn in self.turns:
            reading, decision = turn.reading, turn.decision
            p = reading.voice.p_negative
            row = [
                f"{reading.started_at_s:.1f} s",
                f"{reading.ended_at_s - reading.started_at_s:.1f} s",
                "?" if p is None else f"{p:.2f}",
                decision.level.value,
                "offer call back" if decision.callback else decision.action.value.replace("_", " "),
                decision.reason,
            ]
            rows.append(row + [turn.text or ""] * with_text)
        head, *body = (
            f"<tr>{''.join(f'<{tag}>{escape(cell)}</{tag}>' for cell in row)}</tr>"
            for tag, row in zip(["th", *["td"] * len(self.turns)], rows, strict=True)
        )
        caption = (
            f"{self.source}, {self.duration_s:.0f} s, policy {self.policy.name}: "
            f"{self.highest_level.value}"
        )
        notes = "".join(f"<li>{escape(warning)}</li>" for warning in self.warnings)
        return (
            f"<table><caption>{escape(caption)}</caption><thead>{head}</thead>"
            f"<tbody>{''.join(body)}</tbody></table>{f'<ul>{notes}</ul>' if notes else ''}"
        )


def _cells(turn: dict[str, Any]) -> Iterator[Any]:
    for column in _COLUMNS:
        room, _, key = column.rpartition(".")
        value = (turn[room] or {}).get(key) if room else turn[key]
        yield [cue["cue"] for cue in value or []] if key in {"cues", "conversation"} else value


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
