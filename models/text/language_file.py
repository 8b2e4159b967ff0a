"""What a language file may hold; docs/add-a-language.md explains every key."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StrictStr, model_validator

from .bot_prompts import Kind


class CueSource(BaseModel):
    """How one cue is found."""

    model_config = ConfigDict(extra="forbid")
    say: list[StrictStr] = []
    bare: list[StrictStr] = []
    unless: list[StrictStr] = []
    never: list[StrictStr] = []
    trained: Annotated[StrictStr, Field(pattern=r"^\w+\.npz$")] | None = None

    @model_validator(mode="after")
    def _finds_something(self) -> Self:
        if not self.say and self.trained is None:
            raise ValueError("needs patterns under say, or a classifier under trained")
        return self


CueName = Literal[
    "asks_for_human",
    "repeats_request",
    "not_understood",
    "complaint_about_system",
    "profanity",
    "threatens_to_leave",
    "waiting",
]


class LanguageFile(BaseModel):
    """One language."""

    model_config = ConfigDict(extra="forbid")
    name: StrictStr
    apostrophe: Literal["drop", "split"] = "drop"
    also: list[StrictStr] = []
    fillers: list[StrictStr] = []
    stutters: list[StrictStr] = []
    answers: list[StrictStr] = []
    small_words: list[StrictStr] = []
    counts: list[StrictStr] = []
    negations: list[StrictStr] = []
    resumes: list[StrictStr] = []
    classes: dict[StrictStr, list[StrictStr]] = {}
    prompts: dict[Kind, list[StrictStr]] = {}
    agrees: list[StrictStr] = []
    declines: list[StrictStr] = []
    words: dict[StrictStr, Annotated[list[StrictStr], Field(min_length=1)]] = {}
    cues: dict[CueName, CueSource] = {}
