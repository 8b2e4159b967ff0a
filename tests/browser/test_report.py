"""What a browser makes of a report."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pipecat_deescalate.agent.replay.simulate.command import Options, run_simulation
from pipecat_deescalate.agent.replay.simulate.statistics import caller_model

from ..agent.conftest import corpus
from ..agent.replay.simulate.conftest import calls
from ..agent.replay.simulate.made_up import MadeUpCall, write_calls
from ..agent.replay.simulate.reports import write_reports
from .chromium import expect

if TYPE_CHECKING:
    from .chromium import Page
    from .visitor import Visitor

__all__ = ["calls", "corpus"]

WIDTHS = (320, 375, 560, 768, 1024, 1280, 1600)
LONG_NAME = "the-policy-of-the-night-shift-in-the-north"
CHECKS = (Path(__file__).parent / "report_checks.js").read_text(encoding="utf-8")


def write_report(folder: Path, calls: list[MadeUpCall], **options: Any) -> Path:
    """A report on made-up calls."""
    labels, evidence = write_calls(folder / "calls", calls)
    path = folder / "report.html"
    asked: dict[str, Any] = {
        "calls": [str(folder / "calls")],
        "policies": ["balanced", "eager"],
        "labels": str(labels),
        "evidence": str(evidence),
        "as_json": True,
        "report": path,
    }
    with pytest.MonkeyPatch.context() as patch:
        # What is drawn is the same for few calls, and thousands take seconds.
        patch.setattr(caller_model, "sensitivities", partial(caller_model.sensitivities, calls=30))
        run_simulation(Options(**asked | options))
    return path


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report with everything that it can hold, and a policy with a long name."""
    folder = tmp_path_factory.mktemp("full")
    policy = folder / "mine.yaml"
    policy.write_text(f"name: {LONG_NAME}\ntransfer_after: 1\n")
    draw = random.Random(1)  # noqa: S311 - made-up calls, not security
    made = [
        MadeUpCall(
            number % 3 == 0,
            [draw.gauss(1.5 if number % 3 == 0 and turn > 2 else -1.5, 1) for turn in range(8)],
        )
        for number in range(400)
    ]
    return write_report(
        folder,
        made,
        policies=["balanced", str(policy)],
        sweep=["least_turn_evidence=0.8:1.6:0.2", "memory=0.6,0.8"],
        caller_model="bundled",
    )


def shown(page: Page) -> None:
    """Wait until the charts have met their width."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 50)))")


def check(page: Page, name: str) -> list[str]:
    """What one of `report_checks.js` finds."""
    found: list[str] = page.evaluate(f"() => {{ {CHECKS}\n return {name}(); }}")
    return found


@pytest.fixture
def arrive(visit: Callable[..., Visitor]) -> Callable[..., Page]:
    """Opens a report in a window."""

    def arrive(path: Path, width: int = 1280, scheme: str = "light") -> Page:
        visitor = visit(viewport={"width": width, "height": 900}, color_scheme=scheme)
        page = visitor.open(path.as_uri())
        shown(page)
        return page

    return arrive


def test_a_browser_draws_it_without_a_complaint(
    arrive: Callable[..., Page], calls: Path, tmp_path: Path
) -> None:
    """A blocked script or a fault in ours would leave an empty page."""
    write_reports(calls, tmp_path)
    page = arrive(tmp_path / "whole.html")
    drawn = re.sub(r"<script.*?</script>", "", page.content(), flags=re.S)
    assert "distressed callers by their third negative turn" in drawn
    assert "This caller is simulated" in drawn
    assert drawn.count("<canvas") == 5
    assert "&lt;/script&gt;&lt;img" in drawn
    assert "<img" not in drawn
    assert check(page, "faults") == []


@pytest.mark.parametrize("width", WIDTHS)
def test_charts_fit_their_cards(arrive: Callable[..., Page], full: Path, width: int) -> None:
    """The first chart was as wide as the page, and lay over its neighbour."""
    page = arrive(full, width)
    assert check(page, "faults") == []
    assert page.locator("canvas").count() >= 6


def test_charts_follow_the_window_and_a_tab_that_was_hidden(
    arrive: Callable[..., Page], full: Path
) -> None:
    """Drawn without a width, or for another one, a chart would stay so."""
    page = arrive(full, 1600)
    page.evaluate("document.querySelector('main').style.display = 'none'")
    page.set_viewport_size({"width": 400, "height": 900})
    shown(page)
    page.evaluate("document.querySelector('main').style.display = ''")
    shown(page)
    assert check(page, "faults") == []


def test_a_printed_report_is_dark_on_white(arrive: Callable[..., Page], full: Path) -> None:
    """Paper is white, whatever the screen of who prints it."""
    page = arrive(full, 1280, "dark")
    page.emulate_media(media="print", color_scheme="dark")
    page.set_viewport_size({"width": 700, "height": 900})
    shown(page)
    assert check(page, "faults") == []
    ink = page.evaluate("echarts.getInstanceByDom(document.querySelector('.chart')).getOption()")
    assert ink["yAxis"][0]["axisLabel"]["color"] == "#566065"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_and_colours_can_be_told_from_their_card(
    arrive: Callable[..., Page], full: Path, scheme: str
) -> None:
    """A dark page with the colours of a light one is unreadable."""
    page = arrive(full, 1280, scheme)
    assert check(page, "paleColors") == []
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (max(map(int, re.findall(r"\d+", paper))) < 64) == (scheme == "dark")


def test_charts_take_the_colours_of_the_page(arrive: Callable[..., Page], full: Path) -> None:
    """A page that turns dark in the evening would keep charts for the day."""
    page = arrive(full)
    option = "echarts.getInstanceByDom(document.querySelector('.chart')).getOption()"
    read = f"(({option}).yAxis[0].axisLabel.color)"
    day = page.evaluate(read)
    page.emulate_media(color_scheme="dark")
    shown(page)
    assert page.evaluate(read) != day


def test_without_labels_no_policy_is_praised(arrive: Callable[..., Page], tmp_path: Path) -> None:
    """One transfer in thirty calls was 33.3 of 1,000, and the first policy cost least."""
    angry, calm = MadeUpCall(True, (-2.0, 2.5, 2.5, 2.5)), MadeUpCall(False, (-2.0,) * 4)
    page = arrive(write_report(tmp_path, [angry] + [calm] * 29, labels=None))
    expect(page.locator("h1")).to_have_text(
        "Of 30 calls, balanced would have transferred 1, eager 1."
    )
    expect(page.locator(".badge")).to_have_count(0)
    expect(page.locator("body")).not_to_contain_text("per 1,000")
    expect(page.locator("#cards")).to_contain_text("1 of 30")


def test_what_costs_clearly_least_is_marked(arrive: Callable[..., Page], tmp_path: Path) -> None:
    """Labels that tell must be seen to tell."""
    once, calm = MadeUpCall(True, (-2.0, 2.5, -2.0)), MadeUpCall(False, (-2.0,) * 4)
    made = [one for one in (once, calm) for _ in range(120)]
    page = arrive(write_report(tmp_path, made, policies=["gentle", "balanced"]))
    expect(page.locator(".badge")).to_have_count(1)
    expect(page.locator(".card.best")).to_contain_text("balanced")
