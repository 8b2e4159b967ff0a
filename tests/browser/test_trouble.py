"""What goes wrong is said in words that a person understands, and the page goes on usable."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from .chromium import Page, Playwright, Route, expect
from .demo_server import DemoServer, serving_demo
from .visitor import (
    Visitor,
    expect_on_the_line,
    expect_status,
    hang_up,
    launch,
    play_sample,
    receive,
)

CALL = "Call with the microphone"
HOSTILE = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
ANYWHERE = "0.0.0.0"  # noqa: S104 - what the token is for
FAILED_REQUEST = "Failed to load resource"


def expect_usable(page: Page) -> None:
    """A call can be made from here."""
    play_sample(page)
    expect_on_the_line(page)
    hang_up(page)
    expect_status(page, "You hung up")


def test_a_refused_microphone_is_explained(visit: Callable[..., Visitor], demo: DemoServer) -> None:
    """Whoever refuses the microphone must learn what else there is."""
    page = visit(microphone=False).open(demo.address)
    page.get_by_role("button", name=CALL).click()
    expect_status(page, "The microphone was refused")
    expect_usable(page)


def test_a_missing_microphone_is_explained(
    playwright: Playwright, visit: Callable[..., Visitor], demo: DemoServer
) -> None:
    """A computer without a microphone must not look like a broken page."""
    with launch(playwright, microphone=None) as browser:
        page = visit(browser=browser).open(demo.address)
        page.get_by_role("button", name=CALL).click()
        expect_status(page, "No microphone was found")
        page.context.close()


def test_an_unplugged_microphone_ends_the_call(page: Page) -> None:
    """A call that hears nothing any more must not go on as if it did."""
    page.evaluate(
        """() => {
          const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
          navigator.mediaDevices.getUserMedia = async (wish) => (window.given = await ask(wish));
        }"""
    )
    page.get_by_role("button", name=CALL).click()
    expect_on_the_line(page)
    page.evaluate("given.getAudioTracks()[0].dispatchEvent(new Event('ended'))")
    expect_status(page, "The microphone was disconnected")
    expect_usable(page)


def test_a_file_that_is_not_audio_is_named(page: Page) -> None:
    """A file that cannot be played must be told by its name, be it chosen or dropped."""
    page.locator("#file").set_input_files(
        {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"no sound"}
    )
    expect_status(page, "“notes.txt” is not audio")
    files = page.evaluate_handle(
        """() => {
          const carried = new DataTransfer();
          carried.items.add(new File(["RIFF"], "broken.wav", {type: "audio/wav"}));
          return carried;
        }"""
    )
    page.dispatch_event("#drop", "drop", {"dataTransfer": files})
    expect_status(page, "“broken.wav” is not audio")
    expect_usable(page)


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (429, '{"detail": "All lines are busy."}', "All lines are busy."),
        (503, "", "All lines are busy"),
        (500, "<h1>oops</h1>", "could not take the call (error 500)"),
        (400, '{"detail": "No."}', "could not take the call: No."),
    ],
)
def test_a_refused_call_is_explained(
    page: Page, visitor: Visitor, status: int, body: str, said: str
) -> None:
    """A busy or broken server must not leave the page waiting."""
    page.route("**/api/offer", lambda route: route.fulfill(status=status, body=body))
    play_sample(page)
    expect_status(page, said)
    visitor.forgive(FAILED_REQUEST)
    page.unroute_all()
    expect_usable(page)


def test_a_network_without_a_way_for_sound_is_explained(page: Page) -> None:
    """A firewall lets the page through and the sound not: that must end, with the reason."""

    def block(route: Route) -> None:
        if route.request.method == "PATCH":
            route.fulfill(status=204)
            return
        answer = route.fetch()
        route.fulfill(response=answer, body=re.sub(r"a=candidate:.*?\\r\\n", "", answer.text()))

    page.route("**/api/offer", block)
    play_sample(page)
    expect_status(page, "no sound gets through", timeout_ms=30_000)
    expect(page.get_by_role("button", name=CALL)).to_be_visible()


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("hung_up", "The call is over"),
        ("silent", "nobody said anything"),
        ("too_long", "longest time"),
        ("transferred", "a human talks to the caller"),
        ("something new", "The reason in words."),
    ],
)
def test_the_end_of_a_call_is_explained(page: Page, reason: str, said: str) -> None:
    """Whom the server hangs up on must learn why."""
    play_sample(page)
    expect_on_the_line(page)
    receive(page, type="demo-ended", reason=reason, message="The reason in words.")
    expect_status(page, said)
    expect(page.get_by_role("button", name=CALL)).to_be_visible()


def test_the_page_calls_again_when_its_server_comes_back(visitor: Visitor, tmp_path: Path) -> None:
    """A lost connection and a restarted server must not need a reload, nor lock anybody in."""
    with serving_demo(tmp_path / "log") as demo:
        page = visitor.open(demo.address)
        play_sample(page)
        expect_on_the_line(page)
        demo.kill()
        expect_status(page, "The connection was lost. Calling again", timeout_ms=30_000)
        demo.start()
        expect(page.locator("#line-state")).to_have_text("On the line", timeout=30_000)
        expect(page.locator(".entry.bot").first).to_be_visible()
        assert demo.stop() == 0
        expect_status(page, "The connection was lost. Calling again")
        hang_up(page)
        expect_status(page, "You hung up")
    visitor.complaints[:] = [one for one in visitor.complaints if FAILED_REQUEST not in one]


def test_only_a_page_with_the_token_may_call(visitor: Visitor, tmp_path: Path) -> None:
    """A demo that others can reach must not take calls from whoever finds its port."""
    with serving_demo(tmp_path / "log", "--host", ANYWHERE) as demo:
        address, token = re.fullmatch(r"(http://\S+)/#token=(\S+)", demo.address).groups()
        address = address.replace(ANYWHERE, "127.0.0.1")
        page = visitor.open(address)
        play_sample(page)
        expect_status(page, "asks for its token")
        visitor.forgive(FAILED_REQUEST)
        expect_usable(visitor.open(f"{address}/#token={token}"))
        assert demo.stop() == 0


def test_text_of_others_is_never_markup(page: Page) -> None:
    """Words of a caller, a bot or a packet that look like HTML must be read, not run."""
    play_sample(page)
    expect_on_the_line(page)
    receive(page, type="demo-turn", turn=7, started_at_s=0, ended_at_s=1, text=HOSTILE)
    receive(page, type="caller-emotion", turn=7, p_negative=None, reason=HOSTILE)
    decision = {"turn": 7, "action": "transfer", "level": "distressed", "belief": 0.9}
    receive(page, type="caller-decision", **decision, reason=HOSTILE)
    receive(page, type="demo-said", text=HOSTILE, instead_of=HOSTILE, at_s=1)
    texts = dict.fromkeys(("summary", "reason", "level", "asked", "manner", "call_id"), HOSTILE)
    turn = {"started_at_s": 0, "p_negative": 1, "level": HOSTILE, "action": HOSTILE}
    packet = {**texts, "turns": [turn], "transcript": [{"speaker": HOSTILE, "text": HOSTILE}]}
    receive(page, type="demo-hand-over", packet=packet)
    receive(page, type="caller-transfer", ok=False, detail=HOSTILE)
    expect(page.locator("#agent-state")).to_contain_text(HOSTILE)
    expect(page.locator(".planned del")).to_have_text(HOSTILE)
    expect(page.locator(".entry ins")).to_have_text(HOSTILE)
    expect(page.locator(".decision .reason")).to_have_text(HOSTILE)
    expect(page.locator("main img, main script")).to_have_count(0)
    expect(page).to_have_title(re.compile("Demo call"))
    receive(page, type="demo-ended", reason="unknown", message=HOSTILE)
    expect_status(page, HOSTILE)
