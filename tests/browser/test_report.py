"""What a browser makes of a report."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from ..agent.conftest import corpus
from ..agent.replay.simulate.conftest import calls
from ..agent.replay.simulate.reports import write_reports
from .chromium import CHROMIUM

__all__ = ["calls", "corpus"]


def test_a_browser_draws_it_without_a_complaint(calls: Path, tmp_path: Path) -> None:
    """A blocked script or a fault in ours would leave an empty page."""
    write_reports(calls, tmp_path)
    run = subprocess.run(  # noqa: S603 - a browser on a file of ours
        [
            *(CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu"),
            *("--disable-background-networking", f"--user-data-dir={tmp_path / 'profile'}"),
            *("--enable-logging=stderr", "--virtual-time-budget=6000", "--dump-dom"),
            (tmp_path / "whole.html").as_uri(),
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert not [line for line in run.stderr.splitlines() if "CONSOLE" in line]
    drawn = re.sub(r"<script.*?</script>", "", run.stdout, flags=re.S)
    assert "distressed callers by their third negative turn" in drawn
    assert "is simulated" in drawn
    assert drawn.count("<canvas") == 7
    assert "&lt;/script&gt;&lt;img" in drawn
    assert "<img" not in drawn
