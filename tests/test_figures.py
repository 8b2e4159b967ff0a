"""Every figure in the README must come from a result that a command wrote."""

from __future__ import annotations

import runpy
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_readme_shows_the_results() -> None:
    """A number that was typed by hand, or is out of date, must not stand in the README."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    figures = runpy.run_path(str(ROOT / "docs" / "figures.py"))
    assert figures["rendered"](readme) == readme
