"""The `train` command."""

from __future__ import annotations

from pathlib import Path

from ..models.training.config import load_recipe
from ..models.training.train import train
from .progress import stages


def train_voice(*, data: Path, out: Path, recipe: Path | None) -> str:
    """Train the voice classifier and return a line on the result."""
    with stages() as progress:
        result = train(load_recipe(recipe), data, out, progress)
    scores = ", ".join(f"{name} {auc:.3f}" for name, auc in result.left_out_corpus.items())
    return f"{result.model}: ROC-AUC with the corpus left out: {scores}"
