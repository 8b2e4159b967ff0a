"""The bot's side of the conversation: a script in YAML, and a pure state machine over it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ...models.errors import UnreadableInputError, first_complaint

BANK_CARD = Path(__file__).with_name("bank_card.yaml")

_WORD = re.compile(r"[\w']+")
_DIGITS = frozenset(
    ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
)
Sentence = Annotated[str, Field(min_length=1, max_length=300)]
Phrase = Annotated[str, Field(pattern=r"^[a-z']+( [a-z']+)*$")]
Grammar = Literal["yes_no", "digits"]


class ScriptError(UnreadableInputError):
    """A script cannot be used; the message names the file and the place in it."""


class Answer(BaseModel):
    """The bot's response to one of these phrases or, with `digits`, to nothing but digits.

    The bot first says the `mishears`, one each time, as if it had misunderstood, and stays in its
    state. After them it says `says`, and goes to the state `goes_to`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    heard: tuple[Phrase, ...] = ()
    digits: bool = False
    mishears: tuple[Sentence, ...] = ()
    says: Sentence | None = None
    goes_to: str | None = None

    @model_validator(mode="after")
    def _can_be_given(self) -> Answer:
        if not self.heard and not self.digits:
            raise ValueError("heard or digits is needed")
        return self

    def is_in(self, heard: str) -> bool:
        """Whether the text holds this answer."""
        words = _WORD.findall(heard.casefold())
        if self.digits and words and _DIGITS.issuperset(words):
            return True
        return any(f" {phrase} " in f" {' '.join(words)} " for phrase in self.heard)


class State(BaseModel):
    """A question and its answers; to anything else the bot says the `unclear`, in rotation.

    With `expects` the spotter also listens for a closed answer.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    asks: Sentence
    expects: Grammar | None = None
    answers: tuple[Answer, ...] = ()
    unclear: Annotated[tuple[Sentence, ...], Field(min_length=1)]


class Script(BaseModel):
    """A whole dialogue. `phrases` are those that the spotter listens for, with their thresholds.

    The answers in `always` hold in every state, after the state's own.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    greeting: Sentence
    starts: str
    phrases: Annotated[dict[Phrase, Annotated[float, Field(gt=0, le=1)]], Field(min_length=1)]
    always: tuple[Answer, ...] = ()
    states: Annotated[dict[str, State], Field(min_length=1)]

    @model_validator(mode="after")
    def _leads_somewhere(self) -> Script:
        answers = [*self.always, *(a for state in self.states.values() for a in state.answers)]
        for name in (self.starts, *(a.goes_to for a in answers if a.goes_to is not None)):
            if name not in self.states:
                raise ValueError(f"there is no state {name!r}")
        return self


@dataclass(frozen=True, slots=True)
class Place:
    """A position in the dialogue: the state, and how often each answer was misheard."""

    state: str
    unclear: int = 0
    misheard: Mapping[Answer, int] = field(default_factory=dict)


def opening(script: Script) -> tuple[Place, str]:
    """The first position, and the bot's first words."""
    return Place(script.starts), f"{script.greeting} {script.states[script.starts].asks}"


def reply(script: Script, place: Place, heard: str | None) -> tuple[Place, str]:
    """The next position, and the bot's reply to these words; None: nothing was understood."""
    state = script.states[place.state]
    for answer in (*state.answers, *script.always):
        if not answer.is_in(heard or ""):
            continue
        times = place.misheard.get(answer, 0)
        if times < len(answer.mishears):
            misheard = {**place.misheard, answer: times + 1}
            return replace(place, misheard=misheard), answer.mishears[times]
        return _moved(script, place, answer)
    said = state.unclear[place.unclear % len(state.unclear)]
    return replace(place, unclear=place.unclear + 1), said


@lru_cache(maxsize=4)
def load_script(path: Path = BANK_CARD) -> Script:
    """Read a script.

    Raises:
        ScriptError: the file is not a valid script.
    """
    try:
        return Script.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        raise ScriptError(path, first_complaint(error, "the script")) from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ScriptError(path, " ".join(str(error).split())) from error


def _moved(script: Script, place: Place, answer: Answer) -> tuple[Place, str]:
    to = answer.goes_to or place.state
    said = [answer.says] if answer.says else []
    if answer.goes_to is not None or not said:
        said.append(script.states[to].asks)
    return replace(place, state=to, unclear=0), " ".join(said)
