"""Labels of turns, by a person or a model: JSON lines, in the schema of docs/annotate.md."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from .call_table import CallsError, file_complaint
from .jsonl import parse_lines, read_lines

SCHEMA: Literal["deescalate.label/1"] = "deescalate.label/1"
_COUNT = Annotated[int, Field(ge=0)]


class Emotion(StrEnum):
    """The two classes."""

    NEGATIVE = "negative"
    NON_NEGATIVE = "non_negative"


class Label(BaseModel):
    """One annotator's answer about one turn.

    Without a `label` it is an answer that could not be read; `answer` then keeps its words.
    `score` is the annotator's probability of negative, if it gives one. The rest says how a model
    was asked: `prompt_hash` is that of the prompt's file, `context` the previous exchanges shown.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    call_id: Annotated[str, Field(min_length=1)]
    turn: _COUNT
    annotator: Annotated[str, Field(min_length=1)]
    label: Emotion | None
    score: Annotated[float, Field(ge=0, le=1)] | None = None
    reasoning: str | None = None
    strategy: str | None = None
    context: _COUNT | None = None
    prompt_version: int | None = None
    prompt_hash: str | None = None
    answer: str | None = None
    asked: _COUNT = 1
    input_tokens: _COUNT = 0
    output_tokens: _COUNT = 0
    schema_: Annotated[Literal["deescalate.label/1"], Field(alias="schema")] = SCHEMA

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.label is None and self.answer is None:
            raise ValueError("label is needed")
        return self

    def to_line(self) -> bytes:
        """The label as one line of a file."""
        return f"{self.model_dump_json(by_alias=True, exclude_none=False)}\n".encode()

    @property
    def source(self) -> Source:
        """Who labelled, and how it was asked."""
        return Source(self.annotator, self.strategy, self.context, self.prompt_hash)

    @property
    def key(self) -> tuple[str, int, Source]:
        """What identifies a label: its turn and its source."""
        return self.call_id, self.turn, self.source


@dataclass(frozen=True, slots=True)
class Source:
    """Where a label comes from; labels of one source are about different turns."""

    annotator: str
    strategy: str | None = None
    context: int | None = None
    prompt_hash: str | None = None

    def __str__(self) -> str:
        how = [self.strategy, None if self.context is None else f"context {self.context}"]
        return ", ".join(part for part in (self.annotator, *how, self.prompt_hash) if part)


def read_labels(path: Path) -> Iterator[Label]:
    """Read labels, including those whose answer was unparsable.

    Raises:
        CallsError: the file cannot be read, holds nothing, or as `parse_labels`.
    """
    empty = True
    for label in read_lines(path, Label, what="label", wrong=_twice()):
        empty = False
        yield label
    if empty:
        raise CallsError(file_complaint(path, "holds no labels"))


def parse_labels(path: Path, lines: Iterable[bytes]) -> Iterator[Label]:
    """Read the lines of a file of labels.

    Raises:
        CallsError: lines are not labels, or a source labels a turn twice; one complaint a line.
    """
    return parse_lines(path, lines, Label, what="label", wrong=_twice())


def _twice() -> Callable[[Label], str | None]:
    """Complains about a second label of one source for the same turn."""
    seen: set[tuple[str, int, Source]] = set()

    def wrong(label: Label) -> str | None:
        if label.key in seen:
            return f"turn: {label.source} labels it twice"
        seen.add(label.key)
        return None

    return wrong
