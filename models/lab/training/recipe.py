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
"""Least and greatest amount of a change, in its unit; any where none is given."""


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
        """Return the hash of all values, whatever the YAML looked like."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


_Kind = TypeVar("_Kind", bound=Strict)


class Change(Strict):
    """A changed copy of every clip: what happens, between how little and how much.

    `weight` is how much the heads are kept from following it, against the clips' own covariance.
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
    """A training corpus and what allows its use."""

    name: str
    licence: str


class HeadConfig(Strict):
    """One linear head.

    `states` are the encoder outputs that it reads (0 is the stem), `penalty` the ridge penalty on
    standardised inputs.
    """

    states: tuple[Annotated[int, Field(ge=0, le=4)], ...] = Field(min_length=1)
    penalty: float = Field(gt=0)


class StudentConfig(Strict):
    """How the narrowed encoder learns to hear on a line what the whole one hears on none.

    A step hears pieces of turns, of a length between the two of `piece_s`, `frames` of 10 ms in
    all. `line` is what happens to what the student hears. The run is kept every so many steps.
    """

    steps: int = Field(ge=1)
    frames: int = Field(ge=1)
    piece_s: _Between
    learning_rate: float = Field(gt=0)
    checkpoint_every: int = Field(ge=1)
    line: Line


class Plateau(Strict):
    """From which evidence on, in nats, real calm turns are held under p = 0.8, all but a share."""

    start: float = Field(lt=PLATEAU_TOP)
    calm_over: float = Field(gt=0, lt=1)


class Recipe(Strict):
    """Everything that decides a training run, beside the audio and the base model.

    `unlabelled` names the real turns that the calibration counts as calm (None: without them);
    turns of callers in `evaluated_on_calls` (a CSV under the data) are left out of them, since
    false alarms are counted on those.

    `changes` make one changed copy each beside every clip, `heads` are averaged into one; they
    learn the labels and, with a share of `soft_labels`, what the whole encoder's heads would say.
    `arousal` is how much of the head for arousal is added to that one.
    `affect` is the head for arousal and for valence (None: without them), learnt from the emotions
    that `circumplex_degrees` places by their angle: 0 is pleasant, 90 aroused; None stands for the
    centre, and clips of other emotions do not teach them. `hidden_units` are left of the 1,536 in
    the first layer's MLP, and what the last layer adds is computed for every `every_nth` frame of
    20 ms. `student` is how what is left then learns (None: not at all); at last, the 64
    numbers of a head's queries and keys are cut to `key_sizes`, one for each layer (none: they stay
    whole). `range_clips` are the clips on which activations and int8 ranges are measured,
    `calibration_limit` the largest evidence of one turn, `plateau` what presses it for the sake of
    real calm turns (None: nothing), `limits` what the card says that the model does not do.
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
            raise ValueError("a student has two layers: some head must read state 2, none a higher")
        return self

    @model_validator(mode="after")
    def _consistent(self) -> Recipe:
        if self.shortest_s > self.longest_s:
            raise ValueError("shortest_s is over longest_s")
        if len(set(self.corpus_names)) < len(self.corpora):
            raise ValueError("a corpus is named twice")
        if self.key_sizes and len(self.key_sizes) != self.layers:
            raise ValueError(f"key_sizes: one for each of the {self.layers} layers is needed")
        if self.arousal and self.affect is None:
            raise ValueError("arousal adds a head that only affect makes")
        if self.unlabelled is None and (self.plateau or self.evaluated_on_calls is not None):
            raise ValueError("plateau and evaluated_on_calls need unlabelled turns")
        return self

    @property
    def corpus_names(self) -> tuple[str, ...]:
        """Return the names of the training corpora."""
        return tuple(corpus.name for corpus in self.corpora)

    @property
    def needs_noise(self) -> bool:
        """Whether noise is mixed in somewhere."""
        taught_in_noise = self.student is not None and self.student.line.noise > 0
        return taught_in_noise or any(c.kind is Effect.NOISE for c in self.changes)

    @property
    def layers(self) -> int:
        """Return how many encoder layers the model needs."""
        return max(1, *self.states)

    @property
    def states(self) -> tuple[int, ...]:
        """Return all encoder outputs that some head reads, in order."""
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
    """Read a recipe, or the shipped one. Raises UnreadableInputError that names the key."""
    return read_recipe(path or _DEFAULT, Recipe)


def read_recipe(source: Path, kind: type[_Kind]) -> _Kind:
    """Read a recipe of any kind. Raises UnreadableInputError that names the key."""
    try:
        return kind.model_validate(yaml.safe_load(source.read_text("utf-8")))
    except ValidationError as error:
        raise UnreadableInputError(source, first_complaint(error, "recipe")) from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UnreadableInputError(source, f"not a recipe ({error})") from error
