"""The model card: a JSON file beside the model, written by the runs it tells of."""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path
from typing import Any

from ..errors import UnreadableInputError
from ..evaluation.evaluate import EvaluationReport
from .config import Recipe
from .encoder import BASE_MODEL
from .export import FORMAT
from .files import write_whole


def write_card(model: Path, recipe: Recipe, training: dict[str, object]) -> Path:
    """Write the card of a model that was just trained and return its path."""
    content = model.read_bytes()
    card = {
        "format": FORMAT,
        "name": recipe.name,
        "version": recipe.version,
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
        "base_model": {"file": BASE_MODEL, "licence": "BSD-2-Clause, derived from Whisper (MIT)"},
        "training_corpora": [corpus.model_dump() for corpus in recipe.corpora],
        "calibrated_with": recipe.unlabelled.model_dump() if recipe.unlabelled else None,
        "training": training,
        "recipe": recipe.model_dump(mode="json"),
        "evaluation": None,
    }
    path = model.with_suffix(".json")
    _write(path, card)
    return path


def add_evaluation(card: Path, report: EvaluationReport) -> None:
    """Put the figures of an evaluation run into the card. Raises UnreadableInputError."""
    try:
        values = json.loads(card.read_text("utf-8"))
        values["evaluation"] = report.as_dict()
    except (OSError, ValueError, TypeError) as error:
        raise UnreadableInputError(card, f"not a model card ({error})") from error
    _write(card, values)


def _write(path: Path, card: dict[str, Any]) -> None:
    content = json.dumps(_finite(card), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    write_whole(path, lambda file: file.write(content.encode()))


def _finite(value: Any) -> Any:
    """Return the value with None for what JSON has no number for."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
