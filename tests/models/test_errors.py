"""What is wrong with a file that a person wrote, in our words."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel, Field, IPvAnyAddress, TypeAdapter, ValidationError

import pipecat_deescalate
from pipecat_deescalate.agent.demo.dialogue import BANK_CARD, Script
from pipecat_deescalate.agent.replay.alignment import UntimedLine
from pipecat_deescalate.agent.replay.simulate.statistics.caller_model import CallerModel
from pipecat_deescalate.agent.replay.transcript import TranscriptLine
from pipecat_deescalate.models.errors import first_complaint
from pipecat_deescalate.models.lab.annotation.labels import Label
from pipecat_deescalate.models.lab.text_corpora import TextRecipe
from pipecat_deescalate.models.lab.training.lm_recipes import DistilRecipe, TeacherRecipe
from pipecat_deescalate.models.lab.training.recipe import Recipe
from pipecat_deescalate.policies.config import MitigationPolicy
from pipecat_deescalate.policies.empathy import PhraseBook

NAN, INFINITE = float("nan"), float("inf")
MISTAKES = [None, True, -1, 0, 1.5, 1e9, 2**70, NAN, INFINITE, "", "a word", "x" * 400]
MISTAKES += ["25:61", b"x", [], ["a word"], [1] * 20, {}, {"a word": 1}]


def shipped(*parts: str) -> Any:
    return yaml.safe_load(Path(str(resources.files(pipecat_deescalate)), *parts).read_text("utf-8"))


def whole() -> list[tuple[type[BaseModel], dict[str, Any]]]:
    """Each kind of file that a person may write, with an example that fills its keys."""
    policy = MitigationPolicy.model_validate(
        {
            "opening_hours": {"opens": "09:00", "closes": "17:00"},
            "dialog_states": {"pin": {"max_empathy": 1, "highest_action": "offer_human"}},
        }
    ).model_dump(mode="json")
    said = {"start_s": 0, "end_s": 1, "text": "hi", "speaker": "caller", "dialog_state": "pin"}
    label = {"call_id": "a", "turn": 0, "annotator": "x", "label": "negative", "score": 0.5}
    recipes = ("models", "lab", "training")
    return [
        (MitigationPolicy, policy),
        (CallerModel, shipped("agent", "replay", "simulate", "statistics", "caller_model.yaml")),
        (PhraseBook, shipped("policies", "phrases", "en.yaml")),
        (Script, yaml.safe_load(BANK_CARD.read_text("utf-8"))),
        (Recipe, shipped(*recipes, "recipe.yaml")),
        (TeacherRecipe, shipped(*recipes, "teacher.yaml")),
        (DistilRecipe, shipped(*recipes, "distil.yaml")),
        (TextRecipe, shipped("models", "lab", "text_corpora.yaml")),
        (TranscriptLine, said),
        (UntimedLine, {"call_id": "a", "order": 0, "speaker": "bot", "text": "hi"}),
        (Label, label),
    ]


def with_a_mistake(value: Any) -> Iterator[Any]:
    """The value with one thing wrong, at every place of it; of a list its first item stands in."""
    yield from MISTAKES
    if isinstance(value, dict):
        yield value | {"colour": "red"}
        for key, held in value.items():
            yield {name: other for name, other in value.items() if name != key}
            yield from ({**value, key: wrong} for wrong in with_a_mistake(held))
    elif isinstance(value, list) and value:
        yield value[:1]
        yield from ([wrong, *value[1:]] for wrong in with_a_mistake(value[0]))


@pytest.mark.parametrize(
    ("kind", "example"), whole(), ids=lambda value: getattr(value, "__name__", "")
)
def test_every_mistake_in_a_file_is_told_in_our_words(
    kind: type[BaseModel], example: dict[str, Any]
) -> None:
    """Pydantic's words change with its version, and speak of types that YAML does not have."""
    kind.model_validate(example)
    found = 0
    for wrong in with_a_mistake(example):
        try:
            kind.model_validate(wrong)
        except ValidationError as error:
            found += 1
            details = error.errors()[0]
            complaint = first_complaint(error, "the file")
            if details["type"] != "value_error":  # then the message is ours already
                assert details["msg"] not in complaint, (details["type"], complaint)
            assert not complaint.endswith(": ")
    assert found > 50


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({}, "at_most_5: missing key"),
        ({"at_most_5": 6}, "at_most_5: must be at most 5"),
        ({"at_most_5": "many"}, "at_most_5: must be a number"),
        ({"at_most_5": 1, "names": []}, "names: length must be at least 1"),
        ({"at_most_5": 1, "names": ["a", 2]}, "names.1: must be text"),
        (["at_most_5"], "the file: must be a mapping of keys to values"),
    ],
)
def test_a_complaint_names_the_key(values: object, complaint: str) -> None:
    """Who wrote the file must know where to look and what to write there."""

    class Kind(BaseModel):
        at_most_5: float = Field(le=5)
        names: list[str] = Field(default=["a"], min_length=1)

    with pytest.raises(ValidationError) as caught:
        Kind.model_validate(values)
    assert first_complaint(caught.value, "the file") == complaint


def test_a_complaint_of_an_unknown_kind_keeps_its_reason() -> None:
    """A newer pydantic may find what we have no words for: it must be told all the same."""
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(IPvAnyAddress).validate_python("nowhere")
    reason = caught.value.errors()[0]["msg"]
    assert first_complaint(caught.value, "host") == f"host: {reason}"


def test_a_line_that_is_no_json_says_so() -> None:
    """A line cut short must not look like a wrong key."""
    with pytest.raises(ValidationError) as caught:
        TranscriptLine.model_validate_json(json.dumps({"text": "hi"})[:-1])
    assert first_complaint(caught.value, "the line").startswith("the line: is not valid JSON: ")
