"""Another version of the package, side by side with this one."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.baseline import BaselineError, checked, compare, print_comparison

SLOW = """
import time

class Slow:
    def classify(self, *turn):
        time.sleep(0.2)

load_classifier = load_word_classifier = Slow
"""


def test_the_baseline_comes_from_its_folder(tmp_path: Path) -> None:
    """Two measurements of the same code would call every change harmless."""
    package = tmp_path / "pipecat_deescalate"
    package.mkdir()
    (package / "__init__.py").write_text(SLOW, encoding="utf-8")
    rows = compare(checked(tmp_path) or tmp_path, runs=1)
    assert [row.what for row in rows][-2:] == ["voice, 8 s", "text, 20 words"]
    assert all(row.baseline.median_ms >= 200 > row.ours.median_ms for row in rows)
    out = StringIO()
    print_comparison(rows, Console(file=out, width=100))
    assert all(row.what in out.getvalue() for row in rows)


def test_a_folder_without_the_package_is_refused(tmp_path: Path) -> None:
    """The installed package would be measured in its place."""
    with pytest.raises(BaselineError, match="holds no folder pipecat_deescalate"):
        checked(tmp_path)
