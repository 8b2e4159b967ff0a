"""The report: what is in it. What a browser makes of it is in `tests/browser`."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from pipecat_deescalate import load_policy
from pipecat_deescalate.agent.replay.simulate.report import render

from .reports import HOSTILE, write_reports


def hash_of(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def data_of(page: str) -> dict[str, Any]:
    (data,) = re.findall(r'<script id="data" type="application/json">(.*?)</script>', page, re.S)
    found: dict[str, Any] = json.loads(data)
    return found


@pytest.fixture(scope="module")
def report(calls: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the reports."""
    folder = tmp_path_factory.mktemp("report")
    write_reports(calls, folder)
    return folder


def test_the_policy_allows_what_is_in_the_file_and_nothing_else(report: Path) -> None:
    """A script that came in with a call must not run, and ours must."""
    page = (report / "whole.html").read_text(encoding="utf-8")
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="(.*?)"', page)
    scripts = re.findall(r"<script>(.*?)</script>", page, re.S)
    (style,) = re.findall(r"<style>(.*?)</style>", page, re.S)
    assert len(scripts) == 2
    allowed = unescape(policy)
    assert "default-src 'none'" in allowed
    assert "unsafe" not in allowed
    for part in (*scripts, style):
        assert hash_of(part) in allowed
    assert "innerHTML" not in scripts[1]


def test_neither_words_nor_audio_unless_asked_for(report: Path) -> None:
    """A report is mailed around; what callers said must be in it only on purpose."""
    bare = data_of((report / "bare.html").read_text(encoding="utf-8"))
    whole = data_of((report / "whole.html").read_text(encoding="utf-8"))
    assert len(bare["calls_told"]) == len(whole["calls_told"]) == 6
    assert all(call["audio"] is None for call in bare["calls_told"])
    assert all(turn["text"] is None for call in bare["calls_told"] for turn in call["turns"])
    assert all(call["audio"].startswith("data:audio/ogg") for call in whole["calls_told"])
    said = [turn["text"] for call in whole["calls_told"] for turn in call["turns"]]
    assert HOSTILE in said


def test_the_browser_of_calls_shows_the_decisions_of_the_figures(report: Path) -> None:
    """A call shown with other decisions than were counted would mislead its reader."""
    found = data_of((report / "whole.html").read_text(encoding="utf-8"))
    for index, policy in enumerate(found["policies"]):
        acted = sum(
            any(turn["action"] != "proceed" for turn in call["policies"][index])
            for call in found["calls_told"]
        )
        assert acted == found["calls"] - policy["calls_by_highest_action"]["proceed"]


def test_the_browser_of_calls_shows_the_voice_within_each_turn(report: Path) -> None:
    """Steps outside their turn, or in no order, would be drawn over those of another."""
    found = data_of((report / "bare.html").read_text(encoding="utf-8"))
    for turn in (turn for call in found["calls_told"] for turn in call["turns"]):
        times = [at_s for at_s, _ in turn["within"]]
        assert len(times) > 1
        assert turn["start_s"] <= times[0]
        assert times[-1] == turn["end_s"]
        assert times == sorted(times)


def test_levels_are_drawn_where_the_policy_has_them(report: Path) -> None:
    """A line elsewhere would make an action look out of place."""
    found = data_of((report / "bare.html").read_text(encoding="utf-8"))
    for policy, levels in zip(found["policies"], found["levels"], strict=True):
        rules = load_policy(policy["policy"])
        assert levels["prior"] == rules.expected_negative_rate
        assert levels["strained"] == rules.strained.enter
        assert levels["distressed"] == rules.distressed.enter


def test_hostile_names_stay_text() -> None:
    """A call id is a file name, and anybody may name a file."""
    page = render({"calls_told": [], "about": HOSTILE}, HOSTILE).decode()
    assert HOSTILE not in page
    assert data_of(page)["about"] == HOSTILE
