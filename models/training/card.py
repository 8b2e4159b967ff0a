"""The model card: a JSON file beside the model, written by the runs it tells of."""

from __future__ import annotations

import hashlib
from pathlib import Path

from ..classifier import FORMAT
from ..files import write_json
from .config import Recipe
from .encoder import BASE_MODEL


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
        "limits": list(recipe.limits),
        "training": training,
        "recipe": recipe.model_dump(mode="json"),
        "evaluation": None,
    }
    path = model.with_suffix(".json")
    write_json(path, card)
    return path
