"""The page's modules without a page."""

from __future__ import annotations

import subprocess
from pathlib import Path

from .chromium import program

HERE = Path(__file__).parent


def test_the_pure_modules_pass_their_own_tests() -> None:
    """Geometry, messages, phrases and the story of a call are tested by node's own runner."""
    files = [str(path) for path in sorted(HERE.glob("*.test.js"))]
    assert files
    run = subprocess.run(  # noqa: S603 - fixed files
        [program("node"), "--test", *files], check=False, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stdout
