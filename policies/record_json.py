"""The record of a call back from its JSON form, which docs/call-record.md describes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from ..models.errors import RecordError, first_complaint
from ..models.readings import Cue, EmotionReading, TurnReading, UnknownReason, WordReading
from .config import MitigationPolicy
from .record import CallRecord, TurnRecord
from .types import Action, Decision, Evidence, Level


def _cue(name: object) -> Cue:
    names = {cue.name.lower(): cue for cue in Cue}
    if name not in names:
        raise ValueError(f"must be one of {', '.join(names)}")
    return names[str(name)]


_Probability: TypeAlias = Annotated[float, Field(ge=0, le=1)]
_Coordinate: TypeAlias = Annotated[float, Field(ge=-1, le=1)]
_Positive: TypeAlias = Annotated[float, Field(ge=0)]
_Count: TypeAlias = Annotated[int, Field(ge=0)]
_Cue: TypeAlias = Annotated[Cue, BeforeValidator(_cue)]


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class _WordCue(_Form):
    cue: _Cue
    words: str


class _ConversationCue(_Form):
    cue: _Cue
    seen: str


class _Voice(_Form):
    p_negative: _Probability | None
    reason: Annotated[UnknownReason | None, Field(strict=False)]
    audio_s: _Positive
    inference_ms: _Positive
    arousal: _Coordinate | None = None
    valence: _Coordinate | None = None
    timeline: list[_Probability] = []


class _Words(_Form):
    p_negative: _Probability | None
    cues: list[_WordCue]


class _Turn(_Form):
    index: _Count
    started_at_s: _Positive
    ended_at_s: _Positive
    text: str | None
    voice: _Voice
    words: _Words | None
    conversation: list[_ConversationCue]
    log_likelihood_ratio: float | None
    dialog_state: str | None
    agents_available: bool
    transfer_failed: bool
    belief: _Probability
    level: Annotated[Level, Field(strict=False)]
    action: Annotated[Action, Field(strict=False)]
    callback: bool
    reason: str


class _Summary(_Form):
    turns: _Count
    unknown_turns: _Count
    highest_level: str
    actions: dict[str, int]


class _Record(_Form):
    schema_: Annotated[Literal["deescalate.call/1"], Field(alias="schema")]
    call_id: str
    source: str
    duration_s: _Positive
    sample_rate: _Count
    model: str
    policy: MitigationPolicy
    warnings: list[str]
    summary: _Summary
    turns: list[_Turn]


def record_from_dict(data: Mapping[str, Any]) -> CallRecord:
    """Read the JSON form of a record.

    Raises:
        RecordError: a key is missing, unknown or not valid, or the summary contradicts the turns.
    """
    try:
        form = _Record.model_validate(data)
    except ValidationError as error:
        raise RecordError(f"call record: {first_complaint(error)}") from error
    record = CallRecord(
        call_id=form.call_id,
        source=form.source,
        duration_s=form.duration_s,
        sample_rate=form.sample_rate,
        model=form.model,
        policy=form.policy,
        turns=tuple(_turn(turn, form.model) for turn in form.turns),
        warnings=tuple(form.warnings),
    )
    if form.summary.model_dump() != record.to_dict()["summary"]:
        raise RecordError("call record: summary: contradicts the turns")
    return record


def _turn(turn: _Turn, model: str) -> TurnRecord:
    voice = EmotionReading(
        p_negative=turn.voice.p_negative,
        model=model,
        audio_s=turn.voice.audio_s,
        inference_ms=turn.voice.inference_ms,
        reason=turn.voice.reason,
        arousal=turn.voice.arousal,
        valence=turn.voice.valence,
        timeline=tuple(turn.voice.timeline),
    )
    words = None
    if turn.words is not None:
        cues = tuple((cue.cue, cue.words) for cue in turn.words.cues)
        words = WordReading(turn.words.p_negative, cues)
    reading = TurnReading(
        index=turn.index,
        started_at_s=turn.started_at_s,
        ended_at_s=turn.ended_at_s,
        voice=voice,
        words=words,
        log_likelihood_ratio=turn.log_likelihood_ratio,
        conversation=tuple((cue.cue, cue.seen) for cue in turn.conversation),
    )
    decision = Decision(
        action=turn.action,
        level=turn.level,
        reason=turn.reason,
        evidence=Evidence(reading, turn.dialog_state, turn.agents_available, turn.transfer_failed),
        belief=turn.belief,
        callback=turn.callback,
    )
    return TurnRecord(decision, turn.text)
