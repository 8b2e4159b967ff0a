"""What an annotator must answer; it is parsed strictly, and a label is never guessed."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from .labels import Emotion

_FENCED = re.compile(r"\s*```(?:json)?\s*\n(.*?)\n\s*```\s*", re.DOTALL)


class AnnotatorAnswer(BaseModel):
    """An answer as it must be: these fields, of these types, and no others."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    label: Emotion
    p_negative: Annotated[float, Field(ge=0, le=1)]
    reasoning: str | None = None


class UnparsableAnswerError(Exception):
    """An answer has another form than requested; the question may be asked again."""


def answer_schema(*, reasoning: bool) -> dict[str, Any]:
    """The JSON schema of an answer. Reasoning comes first, so that it is written first."""
    said = {"reasoning": {"type": "string"}} if reasoning else {}
    properties = {
        **said,
        "label": {"type": "string", "enum": [emotion.value for emotion in Emotion]},
        "p_negative": {"type": "number", "minimum": 0, "maximum": 1},
    }
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def read_answer(text: str, *, reasoning: bool) -> AnnotatorAnswer:
    """Read an answer: one JSON object, bare or as the only fenced block, and nothing else.

    Raises:
        UnparsableAnswerError: it is anything else.
    """
    fenced = _FENCED.fullmatch(text)
    try:
        answer = AnnotatorAnswer.model_validate_json(fenced[1] if fenced else text)
    except ValidationError:
        raise UnparsableAnswerError from None
    if reasoning != bool(answer.reasoning and answer.reasoning.strip()):
        raise UnparsableAnswerError
    return answer
