"""The model card: a JSON file beside the model that describes its training and evaluation."""

from __future__ import annotations

from typing import Any

from ...voice import FORMAT
from .encoder import BASE_MODEL
from .recipe import Recipe


def card(content: bytes, recipe: Recipe, training: dict[str, object]) -> dict[str, Any]:
    """Return the card of a new model; `write_model` adds its hash."""
    return {
        "format": FORMAT,
        "name": recipe.name,
        "version": recipe.version,
        "bytes": len(content),
        "base_model": {"file": BASE_MODEL, "licence": "BSD-2-Clause, derived from Whisper (MIT)"},
        "training_corpora": [corpus.model_dump() for corpus in recipe.corpora],
        "calibrated_with": recipe.unlabelled.model_dump() if recipe.unlabelled else None,
        "limits": list(recipe.limits),
        "training": training,
        "recipe": recipe.model_dump(mode="json"),
        "evaluation": None,
    }
