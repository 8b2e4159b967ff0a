"""A person with a browser: pages that note what their console complains of."""

from __future__ import annotations

import json
from typing import Any

from .chromium import CHROMIUM, Browser, ConsoleMessage, Page, Playwright, expect

CALL_MS = 60_000
"""More than the longest sample call takes; nothing waits as long as that in vain."""

_KEEP_CHANNEL = """
const create = RTCPeerConnection.prototype.createDataChannel;
RTCPeerConnection.prototype.createDataChannel = function (...all) {
  return (window.channelUnderTest = create.apply(this, all));
};
"""


def launch(playwright: Playwright, *, microphone: str | None = "beep") -> Browser:
    """Chromium with a fake microphone: a beep, a WAV file (played once), or none."""
    options = ["--disable-gpu", "--no-sandbox"]
    if microphone is not None:
        options.append("--use-fake-device-for-media-stream")
    if microphone not in {None, "beep"}:
        options.append(f"--use-file-for-fake-audio-capture={microphone}%noloop")
    return playwright.chromium.launch(executable_path=CHROMIUM, args=options)


class Visitor:
    """One person: a browser context with its own pages, which allows the microphone or not."""

    def __init__(self, browser: Browser, *, microphone: bool = True, **options: Any) -> None:
        permissions = ["microphone"] if microphone else []
        self.context = browser.new_context(permissions=permissions, **options)
        self.context.add_init_script(_KEEP_CHANNEL)
        self.complaints: list[str] = []

    def open(self, address: str) -> Page:
        """A new tab at the address."""
        page = self.context.new_page()
        page.on("console", self._note)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.goto(address)
        return page

    def forgive(self, words: str) -> None:
        """Drop the complaints that a test provoked; there must have been one."""
        kept = [one for one in self.complaints if words not in one]
        assert kept != self.complaints, f"nobody complained of: {words}"
        self.complaints = kept

    def _note(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(message.text)


def play_sample(page: Page, name: str = "synthetic_escalating") -> None:
    """Press the button of a sample call."""
    page.locator(f"[data-sample={name}]").click()


def expect_on_the_line(page: Page) -> None:
    """Wait until the page has a call, and has cleared what it showed of the one before."""
    expect(page.locator("#line-state")).to_have_text("On the line", timeout=15_000)
    expect_status(page, "You are connected")


def expect_status(page: Page, words: str, *, timeout_ms: float = 15_000) -> None:
    """Wait until the page says this to the person."""
    expect(page.get_by_role("status").first).to_contain_text(words, timeout=timeout_ms)


def receive(page: Page, **data: Any) -> None:
    """Let the page's call receive a message, as if the server had sent it."""
    raw = json.dumps({"label": "rtvi-ai", "type": "server-message", "data": data})
    page.evaluate(
        "raw => channelUnderTest.dispatchEvent(new MessageEvent('message', {data: raw}))", raw
    )


def hang_up(page: Page) -> None:
    """End the page's call."""
    page.get_by_role("button", name="Hang up").click()
