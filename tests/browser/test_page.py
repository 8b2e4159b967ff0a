"""The page itself: for everybody, small, and closed to other sites."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from .chromium import Page, expect
from .demo_server import DemoServer
from .visitor import CALL_MS, Visitor, expect_on_the_line, hang_up, play_sample, receive

LARGEST_PAGE_BYTES = 200_000
PACKET = {
    "summary": "3 caller turns until 0:21; distressed since 0:11\nHanded over because: voice 0.9.",
    "reason": "voice 0.9",
    "level": "distressed",
    "asked": "a real person",
    "manner": "louder than before",
    "transcript": [{"speaker": "caller", "text": "a real person"}],
    "turns": [{"started_at_s": 1, "p_negative": 0.9, "level": "distressed", "action": "transfer"}],
}


def accessibility_problems(page: Page, axe: str) -> list[str]:
    """What axe-core calls serious or critical."""
    page.evaluate(axe)
    found = page.evaluate("axe.run(document)")["violations"]
    return [
        f"{one['id']}: {node['html']} {node['failureSummary']}"
        for one in found
        if one["impact"] in {"serious", "critical"}
        for node in one["nodes"]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nobody_is_shut_out(
    visit: Callable[..., Visitor], demo: DemoServer, axe: str, scheme: str
) -> None:
    """Contrast, names and roles must hold before, during and after a call."""
    page = visit(color_scheme=scheme, reduced_motion="reduce").open(demo.address)
    expect(page.locator("[data-sample]")).to_have_count(2)
    assert not accessibility_problems(page, axe)
    play_sample(page)
    expect_on_the_line(page)
    expect(page.locator(".decision")).to_have_count(1, timeout=CALL_MS)
    for number, level, action in (
        (7, "strained", "empathize"),
        (8, "distressed", "offer_human"),
        (9, "distressed", "transfer"),
    ):
        receive(page, type="demo-turn", turn=number, started_at_s=number, ended_at_s=number + 1)
        decision = {"turn": number, "level": level, "action": action, "belief": 0.6}
        receive(page, type="caller-decision", **decision, reason="voice 0.9")
    receive(page, type="demo-said", text="Sorry.", instead_of="Which shop?", at_s=9)
    receive(page, type="demo-hand-over", packet=PACKET)
    for closed in page.locator("details > summary").all():
        closed.click()
    assert not accessibility_problems(page, axe)
    hang_up(page)
    assert not accessibility_problems(page, axe)


def test_a_call_needs_no_mouse(page: Page) -> None:
    """The keyboard must reach the sample, the switch and the hang-up, and keep its place."""
    expect(page.locator("[data-sample]")).to_have_count(2)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the call")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect_on_the_line(page)
    expect(page.get_by_role("button", name="Hang up")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    expect(page.get_by_role("switch", name="Analysis")).not_to_be_checked()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Call with the microphone")).to_be_focused()


def test_a_phone_shows_all_of_the_page(visit: Callable[..., Visitor], demo: DemoServer) -> None:
    """Nothing may reach over the side of a narrow screen."""
    phone = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
    page = visit(**phone).open(demo.address)
    play_sample(page)
    expect_on_the_line(page)
    receive(page, type="demo-hand-over", packet=PACKET)
    for wide in page.locator("details > summary").all():
        wide.click()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    hang_up(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_the_page_is_small_and_from_one_place(visitor: Visitor, demo: DemoServer) -> None:
    """All of it must come from the demo's own server, in less than 200 kB."""
    page = visitor.context.new_page()
    sizes: dict[str, int] = {}
    page.on("response", lambda got: sizes.update({got.url: len(got.body())}))
    page.goto(demo.address, wait_until="networkidle")
    expect(page.locator("[data-sample]")).to_have_count(2)
    assert sum(sizes.values()) < LARGEST_PAGE_BYTES, json.dumps(sizes, indent=1)
    assert all(url.startswith(demo.address) for url in sizes)
    policy = page.request.get(demo.address).headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
