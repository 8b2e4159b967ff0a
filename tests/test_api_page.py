"""docs/api.md says what is public: a name in `__all__` that it lacks would have no promise."""

from __future__ import annotations

import re
from pathlib import Path

import pipecat_deescalate

PAGE = Path(__file__).parents[1] / "docs" / "api.md"


def test_the_page_has_the_public_names() -> None:
    """A public name without documentation would be found by reading the source alone."""
    text = PAGE.read_text(encoding="utf-8")
    named = re.findall(r"^::: pipecat_deescalate\.(\w+)$", text, re.MULTILINE)
    assert sorted(named) == sorted(pipecat_deescalate.__all__)
