"""Measures the demo as a person meets it: `python -m tests.browser.measure_demo --out FILE`.

One Chromium, one server, sample calls one after another on this machine; times are wall-clock.
What else stands in FILE is kept.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from .chromium import Page, expect, sync_playwright
from .demo_server import serving_demo
from .visitor import CALL_MS, Visitor, launch, play_sample

STARTS = 5
SAMPLES = ("synthetic_escalating", "synthetic_calm")
ANSWER_MS = 3_000
"""A reading this long after a phrase belongs to something else."""

# Marks when the bot's sound first leaves the page's audio element: 0.02 of full scale.
HEAR_BOT = """
() => {
  const audio = document.querySelector("#bot-audio");
  const context = new AudioContext();
  const analyser = new AnalyserNode(context, { fftSize: 512 });
  const samples = new Float32Array(analyser.fftSize);
  let stream = null;
  const watch = setInterval(() => {
    if (stream !== audio.srcObject && audio.srcObject) {
      stream = audio.srcObject;
      context.createMediaStreamSource(stream).connect(analyser);
    }
    analyser.getFloatTimeDomainData(samples);
    if (!samples.some((sample) => Math.abs(sample) > 0.02)) return;
    performance.mark("bot-heard");
    clearInterval(watch);
  }, 5);
}
"""
MARKS = """
() => performance.getEntriesByType("mark").map(
  ({name, startTime, detail}) => ({name, at: performance.timeOrigin + startTime, detail}))
"""


def main() -> None:
    """Measure, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=3, help="of all sample calls")
    options = parser.parse_args()
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        figures["start_to_page_s"] = summary([start_to_page_s(log) for _ in range(STARTS)])
        calls = list(marks_of_calls(log, options.rounds))
    figures["click_to_first_word_s"] = summary([first_word_s(marks) for marks in calls])
    figures["words_to_reading_ms"] = summary([ms for marks in calls for ms in readings_ms(marks)])
    figures["turn_to_decision_ms"] = summary([ms for marks in calls for ms in decisions_ms(marks)])
    figures["load_average"] = round(os.getloadavg()[1], 1)  # of five minutes, over all programs
    kept = json.loads(options.out.read_text("utf-8")) if options.out.exists() else {}
    options.out.write_text(json.dumps({**kept, **figures}, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(figures, indent=2))


def summary(values: Sequence[float]) -> dict[str, float]:
    """Median, 95th percentile and how many there were."""
    p95 = statistics.quantiles(values, n=20, method="inclusive")[-1]
    return {"median": round(statistics.median(values), 3), "p95": round(p95, 3), "n": len(values)}


def start_to_page_s(log: Path) -> float:
    """From starting the command to the page, served."""
    began = time.perf_counter()
    with serving_demo(log) as server, urllib.request.urlopen(server.address):  # noqa: S310
        return time.perf_counter() - began


def marks_of_calls(log: Path, rounds: int) -> Iterator[list[dict[str, Any]]]:
    """What the page marked in each of the sample calls."""
    with (
        serving_demo(log) as server,
        sync_playwright() as playwright,
        launch(playwright) as browser,
    ):
        for sample in SAMPLES * rounds:
            visitor = Visitor(browser)
            yield marks_of_call(visitor.open(server.address), sample)
            visitor.context.close()


def marks_of_call(page: Page, sample: str) -> list[dict[str, Any]]:
    """Play one sample call to its end."""
    page.evaluate(HEAR_BOT)
    play_sample(page, sample)
    hang_up = page.get_by_role("button", name="Hang up")
    expect(hang_up).to_be_visible()
    expect(hang_up).to_be_hidden(timeout=2 * CALL_MS)
    marks: list[dict[str, Any]] = page.evaluate(MARKS)
    return marks


def first_word_s(marks: Sequence[dict[str, Any]]) -> float:
    """From the click to the first sound of the bot."""
    return (times(marks, "bot-heard")[0] - times(marks, "call-asked")[0]) / 1000


def readings_ms(marks: Sequence[dict[str, Any]]) -> Iterator[float]:
    """From the end of a phrase's last word to its reading on the page."""
    shown = times(marks, "shown-reading")
    for ended in times(marks, "words-end"):
        after = [at - ended for at in shown if 0 < at - ended < ANSWER_MS]
        if after:
            yield after[0]


def decisions_ms(marks: Sequence[dict[str, Any]]) -> Iterator[float]:
    """From the end of a turn, by the server's clock, to the decision on the page."""
    over = {
        mark["detail"]["turn"]: mark["detail"]["overAt"] * 1000
        for mark in marks
        if mark["name"] == "shown-turn" and mark["detail"]["overAt"] is not None
    }
    for mark in marks:
        if mark["name"] == "shown-decision":
            yield mark["at"] - over[mark["detail"]["decision"]["turn"]]


def times(marks: Sequence[dict[str, Any]], name: str) -> list[float]:
    """When these were marked, in milliseconds."""
    return [mark["at"] for mark in marks if mark["name"] == name]


if __name__ == "__main__":
    main()
