"""The JSON form of a call's record, checked; docs/call-record.md describes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from ..models.errors import RecordError, first_complaint
from ..models.readings import Cue, EmotionReading, TurnReading, UnknownReason, WordReading
from .config import MitigationPolicy
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


class TurnForm(_Form):
    """One turn."""

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

    def decision(self, model: str) -> Decision:
        """What was decided, with its evidence; `model` is the record's."""
        words = None
        if self.words is not None:
            cues = tuple((cue.cue, cue.words) for cue in self.words.cues)
            words = WordReading(self.words.p_negative, cues)
        reading = TurnReading(
            index=self.index,
            started_at_s=self.started_at_s,
            ended_at_s=self.ended_at_s,
            voice=EmotionReading(
                p_negative=self.voice.p_negative,
                model=model,
                audio_s=self.voice.audio_s,
                inference_ms=self.voice.inference_ms,
                reason=self.voice.reason,
                arousal=self.voice.arousal,
                valence=self.voice.valence,
                timeline=tuple(self.voice.timeline),
            ),
            words=words,
            log_likelihood_ratio=self.log_likelihood_ratio,
            conversation=tuple((cue.cue, cue.seen) for cue in self.conversation),
        )
        return Decision(
            action=self.action,
            level=self.level,
            reason=self.reason,
            evidence=Evidence(
                reading, self.dialog_state, self.agents_available, self.transfer_failed
            ),
            belief=self.belief,
            callback=self.callback,
        )


class _Summary(_Form):
    turns: _Count
    unknown_turns: _Count
    highest_level: str
    actions: dict[str, int]


class RecordForm(_Form):
    """A whole record."""

    schema_: Annotated[Literal["deescalate.call/1"], Field(alias="schema")]
    call_id: str
    source: str
    duration_s: _Positive
    sample_rate: _Count
    model: str
    policy: MitigationPolicy
    warnings: list[str]
    summary: _Summary
    turns: list[TurnForm]


def checked_form(data: Mapping[str, Any]) -> RecordForm:
    """Check the JSON form of a record.

    Raises:
        RecordError: a key is missing, unknown or not valid.
    """
    try:
        return RecordForm.model_validate(data)
    except ValidationError as error:
        raise RecordError(f"call record: {first_complaint(error)}") from error
