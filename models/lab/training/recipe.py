"""The recipe of a model: one YAML file, checked when it is read."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path
from typing import Annotated, TypeVar

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from ...calibration import PLATEAU_TOP
from ...errors import UnreadableInputError, first_complaint
from ..channel_effects import Effect, Line

_DEFAULT = Path(__file__).with_name("recipe.yaml")
_ALLOWED = {Effect.CROP: (0.1, 8.0), Effect.SPEED: (0.0, 0.9), Effect.OVERDRIVE: (0.0, math.inf)}
"""Least and greatest amount of a change, in its unit; unlisted kinds take any."""


def _rising(between: tuple[float, float]) -> tuple[float, float]:
    if between[0] > between[1]:
        raise ValueError("the lesser value must come first")
    return between


_Between = Annotated[tuple[float, float], AfterValidator(_rising)]


class Strict(BaseModel):
    """Values of a recipe: unknown keys and infinite numbers are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @property
    def sha256(self) -> str:
        """Return the hash of all values, independent of the YAML's layout."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


_Kind = TypeVar("_Kind", bound=Strict)


class Change(Strict):
    """A changed copy of every clip: the effect, and the range of its amount.

    `weight` is how strongly the heads ignore it, relative to the clips' own covariance.
    """

    kind: Effect
    amount: _Between
    weight: float = Field(ge=0)

    @model_validator(mode="after")
    def _possible(self) -> Change:
        least, most = _ALLOWED.get(self.kind, (-math.inf, math.inf))
        if not least <= self.amount[0] <= self.amount[1] <= most:
            raise ValueError(f"amount of {self.kind} must be from {least} to {most}")
        return self


class CorpusRecipe(Strict):
    """A training corpus and its licence."""

    name: str
    licence: str


class HeadConfig(Strict):
    """One linear head.

    `states` are the encoder outputs that it takes (0 is the stem), `penalty` the ridge penalty on
    standardised inputs.
    """

    states: tuple[Annotated[int, Field(ge=0, le=4)], ...] = Field(min_length=1)
    penalty: float = Field(gt=0)


class StudentConfig(Strict):
    """How the pruned encoder learns to match, on degraded audio, the full encoder on clean audio.

    A step takes pieces of turns, with a length within `piece_s`, `frames` of 10 ms in all. `line`
    degrades the student's audio. `checkpoint_every` counts steps.
    """

    steps: int = Field(ge=1)
    frames: int = Field(ge=1)
    piece_s: _Between
    learning_rate: float = Field(gt=0)
    checkpoint_every: int = Field(ge=1)
    line: Line


class Plateau(Strict):
    """Evidence over `start` nats is compressed; at most `calm_over` of real calm turns pass 0.8."""

    start: float = Field(lt=PLATEAU_TOP)
    calm_over: float = Field(gt=0, lt=1)


class Recipe(Strict):
    """Everything besides the audio and the base model that determines a training run.

    `unlabelled` names the real turns that the calibration counts as calm (None: without them),
    except those of callers in `evaluated_on_calls` (a CSV under the data), on whose calls false
    alarms are counted.

    Each of `changes` adds one changed copy of every clip. `heads` are averaged into one; they learn
    the labels and, with the share `soft_labels`, the output of heads on the full encoder. `arousal`
    is the share of the arousal head that is added. `affect` is the head for arousal and for valence
    (None: without them), trained on the emotions that `circumplex_degrees` places by angle: 0 is
    pleasant, 90 aroused, None the centre.

    `hidden_units` of the 1,536 in the first layer's MLP are kept, and the last layer's addition is
    computed for every `every_nth` frame of 20 ms. `student` then distils the pruned encoder (None:
    not at all). Last, the 64 dimensions of a head's queries and keys are cut to `key_sizes`, one
    per layer (none: not cut). Activations and int8 ranges are measured on `range_clips` clips.

    `calibration_limit` is the largest evidence of one turn, `plateau` compresses it where real calm
    turns reach (None: not at all), and `limits` is the card's list of what the model cannot do.
    """

    name: str = Field(min_length=1)
    version: str = Field(min_length=1)
    seed: int = Field(ge=0)
    corpora: tuple[CorpusRecipe, ...] = Field(min_length=1)
    unlabelled: CorpusRecipe | None = None
    evaluated_on_calls: str | None = None
    heads: tuple[HeadConfig, ...] = Field(min_length=1)
    soft_labels: float = Field(default=0.0, ge=0, le=1)
    arousal: float = Field(default=0.0, ge=0, le=1)
    affect: HeadConfig | None = None
    circumplex_degrees: dict[str, float | None] = {}
    hidden_units: int = Field(default=1536, ge=1, le=1536)
    every_nth: int = Field(default=1, ge=1, le=8)
    student: StudentConfig | None = None
    key_sizes: tuple[Annotated[int, Field(ge=1, le=64)], ...] = ()
    shortest_s: float = Field(ge=0.1)
    longest_s: float = Field(le=8)
    changes: tuple[Change, ...]
    folds: int = Field(ge=2)
    range_clips: int = Field(ge=1)
    calibration_limit: float = Field(gt=0)
    plateau: Plateau | None = None
    limits: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _two_layers(self) -> Recipe:
        if self.student is not None and self.layers != 2:
            raise ValueError("a student has two layers: the highest state of all heads must be 2")
        return self

    @model_validator(mode="after")
    def _consistent(self) -> Recipe:
        if self.shortest_s > self.longest_s:
            raise ValueError("shortest_s is above longest_s")
        if len(set(self.corpus_names)) < len(self.corpora):
            raise ValueError("a corpus is named twice")
        if self.key_sizes and len(self.key_sizes) != self.layers:
            raise ValueError(f"key_sizes needs one size for each of the {self.layers} layers")
        if self.arousal and self.affect is None:
            raise ValueError("arousal needs affect, which trains its head")
        if self.unlabelled is None and (self.plateau or self.evaluated_on_calls is not None):
            raise ValueError("plateau and evaluated_on_calls need unlabelled turns")
        return self

    @property
    def corpus_names(self) -> tuple[str, ...]:
        """Return the names of the training corpora."""
        return tuple(corpus.name for corpus in self.corpora)

    @property
    def needs_noise(self) -> bool:
        """Whether the run mixes in noise."""
        student_in_noise = self.student is not None and self.student.line.noise > 0
        return student_in_noise or any(c.kind is Effect.NOISE for c in self.changes)

    @property
    def layers(self) -> int:
        """Return how many encoder layers the model needs."""
        return max(1, *self.states)

    @property
    def states(self) -> tuple[int, ...]:
        """Return all encoder outputs that a head takes, in order."""
        heads = (*self.heads, *([self.affect] if self.affect else []))
        return tuple(sorted({state for head in heads for state in head.states}))

    @property
    def circumplex(self) -> dict[str, tuple[float, float]]:
        """Return arousal and valence of each emotion, on the unit circle or at its centre."""
        return {
            emotion: (0.0, 0.0)
            if degrees is None
            else (math.sin(math.radians(degrees)), math.cos(math.radians(degrees)))
            for emotion, degrees in self.circumplex_degrees.items()
        }


def load_recipe(path: Path | None = None) -> Recipe:
    """Read a recipe, by default the shipped one. Raises UnreadableInputError that names the key."""
    return read_recipe(path or _DEFAULT, Recipe)


def read_recipe(source: Path, kind: type[_Kind]) -> _Kind:
    """Read a recipe of any kind. Raises UnreadableInputError that names the key."""
    try:
        return kind.model_validate(yaml.safe_load(source.read_text("utf-8")))
    except ValidationError as error:
        raise UnreadableInputError(source, first_complaint(error, "recipe")) from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UnreadableInputError(source, f"not a recipe ({error})") from error
