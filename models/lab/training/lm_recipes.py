"""Recipes of audio language models: a teacher by LoRA, a student by distillation."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from .recipe import Strict, read_recipe

TEACHER_RECIPE = Path(__file__).with_name("teacher.yaml")
DISTIL_RECIPE = Path(__file__).with_name("distil.yaml")

Against = Literal["corpus", "caller"]
"""What a turn is compared with to describe its sound: all turns, or the same caller's."""


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"not a pattern ({error})") from error
    return text


class Lora(Strict):
    """Low-rank weights beside those of the layers that the pattern `targets` names."""

    rank: int = Field(ge=1)
    alpha: float = Field(gt=0)
    dropout: float = Field(ge=0, lt=1)
    targets: Annotated[str, AfterValidator(_pattern)] = Field(min_length=1)


class Schedule(Strict):
    """How many turns a step takes, and the learning rate.

    A step takes `accumulate` batches of `batch` turns. The learning rate rises over `warmup` of
    all steps, then falls to zero along a cosine. `checkpoint_every` counts steps.
    """

    epochs: int = Field(ge=1)
    batch: int = Field(ge=1)
    accumulate: int = Field(ge=1)
    learning_rate: float = Field(gt=0)
    warmup: float = Field(ge=0, lt=1)
    weight_decay: float = Field(ge=0)
    clip_norm: float = Field(gt=0)
    checkpoint_every: int = Field(ge=1)


class LmRecipe(Strict):
    """Everything besides the data that determines a run.

    `model` is the one to train, by name or folder. `others_per_negative` is the number of
    non-negative turns drawn per negative turn, anew each epoch; None takes all turns and weighs the
    classes equally. `recompute` trades time for memory: the backward pass recomputes activations.
    """

    model: str = Field(min_length=1)
    seed: int = Field(ge=0)
    precision: Literal["bfloat16", "float32"]
    recompute: bool
    others_per_negative: float | None = Field(default=None, gt=0)
    lora: Lora
    schedule: Schedule


class TeacherRecipe(LmRecipe):
    """With `reasoning` the teacher first describes the sound of a turn, less and less often."""

    reasoning: Against | None = None


class DistilRecipe(LmRecipe):
    """`model` is the student, `uld_weight` the weight of its distance to the teacher."""

    uld_weight: float = Field(gt=0)


def load_teacher_recipe(path: Path | None = None) -> TeacherRecipe:
    """Read a teacher's recipe, by default the shipped one. Raises UnreadableInputError."""
    return read_recipe(path or TEACHER_RECIPE, TeacherRecipe)


def load_distil_recipe(path: Path | None = None) -> DistilRecipe:
    """Read a student's recipe, by default the shipped one. Raises UnreadableInputError."""
    return read_recipe(path or DISTIL_RECIPE, DistilRecipe)
