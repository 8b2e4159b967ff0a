"""A recipe that cannot be followed is refused before the run, by the key."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipecat_deescalate.models.errors import UnreadableInputError
from pipecat_deescalate.models.lab.training.lm_recipes import TEACHER_RECIPE, load_teacher_recipe
from pipecat_deescalate.models.lab.training.recipe import load_recipe

NAN, INFINITE = float("nan"), float("inf")
SHIPPED: dict[str, Any] = load_recipe().model_dump(mode="json")


def _line(**values: object) -> dict[str, Any]:
    student = SHIPPED["student"]
    return {"student": student | {"line": student["line"] | values}}


def _change(kind: str, low: float, high: float) -> dict[str, Any]:
    return {"changes": [{"kind": kind, "amount": [low, high], "weight": 1.0}]}


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"shortest_s": 4, "longest_s": 2}, "shortest_s is above longest_s"),
        ({"longest_s": -1}, "shortest_s is above longest_s"),
        ({"calibration_limit": INFINITE}, "calibration_limit: must be a finite number"),
        (_change("noise", NAN, 5), "changes.0.amount.0: must be a finite number"),
        (_change("noise", 20, 5), "changes.0.amount: the lesser value must come first"),
        (_change("crop", -2, -1), "changes.0: amount of crop must be from 0.1 to 8.0"),
        (_change("speed", 0.5, 1.5), "changes.0: amount of speed must be from 0.0 to 0.9"),
        ({"corpora": SHIPPED["corpora"][:1] * 2}, "a corpus is named twice"),
        ({"affect": None}, "arousal needs affect, which trains its head"),
        ({"key_sizes": [24]}, "key_sizes needs one size for each of the 2 layers"),
        ({"key_sizes": [24, 65]}, "key_sizes.1: must be at most 64"),
        ({"unlabelled": None}, "plateau and evaluated_on_calls need unlabelled turns"),
        (
            {"student": SHIPPED["student"] | {"piece_s": [2, 1]}},
            "student.piece_s: the lesser value must come first",
        ),
        (_line(clean=7), "student.line: a share of 7.0 is not from 0 to 1"),
        (_line(gsm=0.6, mu_law=0.6), "student.line: mu_law and gsm are shares of at most 1"),
        (_line(noise_db=[20, 5]), "student.line: the lesser of 20.0 and 5.0 must come first"),
        (_line(room_s=[0, 0]), "student.line: room_s must be at least 0.01"),
    ],
)
def test_a_recipe_that_contradicts_itself_is_refused(
    tmp_path: Path, values: dict[str, Any], complaint: str
) -> None:
    """It would fail far into the run, or silently train another model than it says."""
    path = tmp_path / "recipe.yaml"
    path.write_text(json.dumps(SHIPPED | values))
    with pytest.raises(UnreadableInputError) as raised:
        load_recipe(path)
    assert complaint in str(raised.value)


def test_an_invalid_pattern_is_named_before_a_model_is_loaded(tmp_path: Path) -> None:
    """It would fail after a model of gigabytes was fetched."""
    path = tmp_path / "recipe.yaml"
    path.write_text(TEACHER_RECIPE.read_text().replace("targets: '", "targets: '("))
    with pytest.raises(UnreadableInputError, match=r"lora\.targets: not a pattern"):
        load_teacher_recipe(path)


def test_a_student_without_noise_needs_none(tmp_path: Path) -> None:
    """Noises would be asked for that nothing mixes in."""
    path = tmp_path / "recipe.yaml"
    path.write_text(json.dumps(SHIPPED | _line(noise=0) | {"changes": []}))
    assert not load_recipe(path).needs_noise
