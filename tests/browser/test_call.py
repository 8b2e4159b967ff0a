"""Calls through the page: a caller's sound goes in, what the bot made of it is on the screen."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from .chromium import Page, Playwright, expect
from .demo_server import DemoServer, serving_demo
from .visitor import (
    CALL_MS,
    Visitor,
    expect_on_the_line,
    expect_status,
    hang_up,
    launch,
    play_sample,
)

LINES = 8
READING = re.compile(r"p\(negative\) [01]\.\d\d")


def expect_hand_over(page: Page) -> None:
    """Wait until a human has taken the call, and check what they got of it."""
    expect(page.locator("#agent-state")).to_have_text("call accepted", timeout=CALL_MS)
    human = page.get_by_role("region", name="Human agent")
    expect(human.locator(".summary")).to_contain_text("Handed over because")
    expect(human.get_by_role("row")).not_to_have_count(0)
    human.get_by_text("The packet as JSON").click()
    expect(human.locator("pre")).to_contain_text('"schema": "deescalate.transfer/1"')
    expect(page.locator(".decision.transfer")).to_have_count(1)
    expect_status(page, "a human talks to the caller")


def test_a_caller_with_a_microphone_is_heard_and_handed_over(
    playwright: Playwright, visit: Callable[..., Visitor], demo: DemoServer, caller_wav: Path
) -> None:
    """Sound from a real microphone track must become turns, decisions and a hand-over."""
    with launch(playwright, microphone=str(caller_wav)) as browser:
        page = visit(browser=browser).open(demo.address)
        page.get_by_role("button", name="Call with the microphone").click()
        expect_on_the_line(page)
        expect(page.locator(".entry.caller .p").first).to_have_text(READING, timeout=CALL_MS)
        expect_hand_over(page)
        page.context.close()


def test_a_sample_call_is_played_to_its_hand_over(
    page: Page, picture: Callable[[Page, str], None]
) -> None:
    """What a newcomer presses first must show readings, kinder words and the human's packet."""
    play_sample(page)
    expect_on_the_line(page)
    expect(page.locator("#bot-meter")).to_have_attribute("style", re.compile(r"scaleX\(0\.[1-9]"))
    expect_hand_over(page)
    turns = page.locator(".entry.caller").count()
    assert turns >= 3
    expect(page.locator(".voice-dot")).to_have_count(turns)
    expect(page.locator("#turns tr")).to_have_count(turns)
    expect(page.locator(".planned del").first).not_to_be_empty()
    expect(page.locator("#chart")).to_have_attribute("aria-label", re.compile("hand over at"))
    page.locator("details[open] > summary").click()
    picture(page, "demo.png")


def test_a_file_is_the_caller(page: Page, caller_wav: Path) -> None:
    """A recording of one's own must be heard like any caller."""
    page.locator("#file").set_input_files(caller_wav)
    expect_on_the_line(page)
    expect(page.locator("#source-name")).to_have_text("caller.wav")
    expect(page.locator(".entry.caller .p").first).to_have_text(READING, timeout=CALL_MS)
    hang_up(page)
    expect_status(page, "You hung up")


def test_without_analysis_nothing_is_read(page: Page) -> None:
    """A caller who says no before the call is heard, and not analysed, until they say yes."""
    analysis = page.get_by_role("switch", name="Analysis")
    analysis.uncheck()
    play_sample(page)
    expect_on_the_line(page)
    turns = page.locator(".entry.caller")
    expect(turns).to_have_count(1, timeout=CALL_MS)
    expect(page.locator(".entry.bot")).to_have_count(2, timeout=CALL_MS)
    expect(page.locator(".entry .p")).to_have_count(0)
    expect(page.locator(".entry .decision")).to_have_count(0)
    analysis.check()
    expect(page.locator(".entry.event")).to_have_text("The analysis is on.")
    expect(page.locator(".entry .decision")).to_have_count(1, timeout=CALL_MS)
    analysis.uncheck()
    expect(page.locator(".entry.event").last).to_have_text("The analysis is off.")
    hang_up(page)


def test_a_second_tab_has_a_call_of_its_own(visitor: Visitor, demo: DemoServer) -> None:
    """Two tabs must not share a line, nor end each other's call."""
    one, other = visitor.open(demo.address), visitor.open(demo.address)
    for page in (one, other):
        play_sample(page)
        expect_on_the_line(page)
    hang_up(one)
    expect(other.locator(".entry.caller .p").first).to_have_text(READING, timeout=CALL_MS)
    expect(other.locator("#line-state")).to_have_text("On the line")
    expect(one.locator(".entry.caller .p")).to_have_count(0)
    hang_up(other)


def test_tabs_closed_in_mid_call_leave_their_lines_free(visitor: Visitor, tmp_path: Path) -> None:
    """More people than there are lines, each gone without hanging up, must not make it busy."""
    with serving_demo(tmp_path / "log") as demo:
        for _ in range(LINES + 1):
            page = visitor.open(demo.address)
            play_sample(page)
            expect_on_the_line(page)
            expect(page.locator(".entry.bot")).to_have_count(1)
            page.close()
        assert demo.stop() == 0
