"""The report: what is in it, and what a browser makes of it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from pipecat_deescalate import load_policy
from pipecat_deescalate.agent.replay.simulate.call_detail import ReportContent
from pipecat_deescalate.agent.replay.simulate.command import Options, run_simulation
from pipecat_deescalate.agent.replay.simulate.report import render

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
HOSTILE = "</script><img src=x onerror=document.title='taken'>"


def hash_of(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def data_of(page: str) -> dict[str, Any]:
    (data,) = re.findall(r'<script id="data" type="application/json">(.*?)</script>', page, re.S)
    found: dict[str, Any] = json.loads(data)
    return found


@pytest.fixture(scope="module")
def report(calls: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report with words and audio; one call's transcript is hostile."""
    folder = tmp_path_factory.mktemp("report")
    transcripts = folder / "transcripts"
    transcripts.mkdir()
    line = {"start_s": 0, "end_s": 60, "speaker": "caller", "text": HOSTILE}
    (transcripts / "call-000000.jsonl").write_text(json.dumps(line) + "\n")
    for words in (False, True):
        path = folder / f"{'whole' if words else 'bare'}.html"
        options = Options(
            calls=[str(calls / "calls.csv")],
            policies=["balanced", "eager"],
            labels=str(calls / "labels.csv"),
            transcripts=str(transcripts),
            evidence=str(folder / "evidence"),
            workers=1,
            as_json=True,
            report=path,
            caller_model="bundled" if words else None,
            shown=ReportContent(words=words, audio=words),
        )
        assert run_simulation(options) == 0
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


@pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on this machine")
def test_a_browser_draws_it_without_a_complaint(report: Path, tmp_path: Path) -> None:
    """A blocked script or a fault in ours would leave an empty page."""
    run = subprocess.run(  # noqa: S603 - a browser on a file of ours
        [
            *(str(CHROMIUM), "--headless=new", "--no-sandbox", "--disable-gpu"),
            *("--disable-background-networking", f"--user-data-dir={tmp_path}"),
            *("--enable-logging=stderr", "--virtual-time-budget=6000", "--dump-dom"),
            (report / "whole.html").as_uri(),
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert not [line for line in run.stderr.splitlines() if "CONSOLE" in line]
    drawn = re.sub(r"<script.*?</script>", "", run.stdout, flags=re.S)
    assert "distressed callers by their third negative turn" in drawn
    assert "costs least here, and still does in" in drawn
    assert drawn.count("<canvas") == 7
    assert "&lt;/script&gt;&lt;img" in drawn
    assert "<img" not in drawn
