"""Every figure in the README must come from a result that a command wrote."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_readme_shows_the_results() -> None:
    """A number that was typed by hand, or is out of date, must not stand in the README."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    figures = runpy.run_path(str(ROOT / "docs" / "figures.py"))
    assert figures["rendered"](readme) == readme


def test_the_card_of_the_voice_model_holds_the_same_figures() -> None:
    """A card from another run, or another model, would vouch for something else."""
    card = json.loads((ROOT / "models" / "weights" / "voice.json").read_text(encoding="utf-8"))
    results = json.loads((ROOT / "docs" / "results" / "evaluate.json").read_text(encoding="utf-8"))
    assert card["evaluation"] == results["corpora"]
    assert card["limits"]
