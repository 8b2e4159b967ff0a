"""The recipe of a model: one YAML file, checked when it is read."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..errors import UnreadableInputError
from .augment import Strength

Share = Annotated[float, Field(ge=0, le=1)]
_DEFAULT = Path(__file__).with_name("recipe.yaml")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class AugmentConfig(_Strict):
    """The changes of `augment.Strength`, as a person writes them."""

    speed: float = Field(ge=0, lt=0.5)
    snr_db: tuple[float, float]
    tilt_db: float = Field(ge=0, le=40)
    crop_s: tuple[float, float]
    noise_share: Share
    mu_law_share: Share
    crop_share: Share
    overdrive_share: Share

    def strength(self) -> Strength:
        """Return the same values for the audio functions."""
        return Strength(**self.model_dump())


class Corpus(_Strict):
    """A training corpus and what allows its use."""

    name: str
    licence: str


class HeadConfig(_Strict):
    """One linear head.

    `states` are the encoder outputs that it reads (0 is the stem), `penalty` the ridge penalty on
    standardised inputs, `nuisance` how much it is kept from following what the changes do.
    """

    states: tuple[Annotated[int, Field(ge=0, le=4)], ...] = Field(min_length=1)
    penalty: float = Field(gt=0)
    nuisance: float = Field(ge=0)


class Recipe(_Strict):
    """Everything that decides a training run, beside the audio and the base model.

    `unlabelled` names the real turns that the calibration counts as calm (None: without them),
    `copies` are the changed copies beside each clip, `heads` are averaged into one, `range_clips`
    the clips on which int8 ranges are measured, `calibration_limit` the largest evidence of one
    turn.
    """

    name: str = Field(min_length=1)
    version: str = Field(min_length=1)
    seed: int = Field(ge=0)
    corpora: tuple[Corpus, ...] = Field(min_length=1)
    unlabelled: Corpus | None = None
    heads: tuple[HeadConfig, ...] = Field(min_length=1)
    copies: int = Field(ge=0, le=20)
    shortest_s: float = Field(ge=0.1)
    longest_s: float = Field(le=8)
    augment: AugmentConfig
    folds: int = Field(ge=2)
    range_clips: int = Field(ge=1)
    calibration_limit: float = Field(gt=0)

    @property
    def corpus_names(self) -> tuple[str, ...]:
        """Return the names of the training corpora."""
        return tuple(corpus.name for corpus in self.corpora)

    @property
    def layers(self) -> int:
        """Return how many encoder layers the model needs."""
        return max(1, *self.states)

    @property
    def states(self) -> tuple[int, ...]:
        """Return all encoder outputs that some head reads, in order."""
        return tuple(sorted({state for head in self.heads for state in head.states}))

    @property
    def sha256(self) -> str:
        """Return the hash of all values, whatever the YAML looked like."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


def load_recipe(path: Path | None = None) -> Recipe:
    """Read a recipe, or the shipped one. Raises UnreadableInputError that names the key."""
    source = path or _DEFAULT
    try:
        return Recipe.model_validate(yaml.safe_load(source.read_text("utf-8")))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "recipe"
        raise UnreadableInputError(source, f"{where}: {first['msg']}") from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UnreadableInputError(source, f"not a recipe ({error})") from error
