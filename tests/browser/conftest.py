"""The demo's server, a browser, and people with pages in it."""

from __future__ import annotations

import json
import os
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile

from ..audio import ESCALATING
from .demo_server import DemoServer, serving_demo

if TYPE_CHECKING:
    from .chromium import Browser, Page, Playwright
    from .visitor import Visitor

PICTURES = Path(__file__).parents[2] / "docs" / "images"
BOT_SPEAKS_S = 6
AXE = "axe-core@4.14.1"


@pytest.fixture(scope="package")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoServer]:
    """The server that tests share."""
    with serving_demo(tmp_path_factory.mktemp("demo") / "log") as server:
        yield server


@pytest.fixture(scope="package")
def playwright() -> Iterator[Playwright]:
    from .chromium import sync_playwright  # noqa: PLC0415 - tests have checked that it is there

    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="package")
def browser(playwright: Playwright) -> Iterator[Browser]:
    """Chromium, whose microphone beeps."""
    from .visitor import launch  # noqa: PLC0415 - as above

    with launch(playwright) as running:
        yield running


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[..., Visitor]]:
    """Makes people; afterwards no page may have complained of anything on its console."""
    from .visitor import Visitor  # noqa: PLC0415 - as above

    people: list[Visitor] = []

    def arrive(**options: Any) -> Visitor:
        people.append(Visitor(options.pop("browser", browser), **options))
        return people[-1]

    yield arrive
    for person in people:
        person.context.close()
        assert not person.complaints


@pytest.fixture
def visitor(visit: Callable[..., Visitor]) -> Visitor:
    """One person."""
    return visit()


@pytest.fixture
def page(visitor: Visitor, demo: DemoServer) -> Page:
    """The demo's page, before a call."""
    return visitor.open(demo.address)


@pytest.fixture(scope="session")
def caller_wav(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A caller who says what is wrong, then twice that they want a human: a 16-bit WAV file."""
    stereo, rate = soundfile.read(ESCALATING, always_2d=True)
    turns = [json.loads(line) for line in ESCALATING.with_suffix(".jsonl").read_text().splitlines()]
    said = [
        stereo[round(turn["start_s"] * rate) : round(turn["end_s"] * rate), 0]
        for turn in turns
        if turn["speaker"] == "caller"
    ]
    pause = np.zeros(BOT_SPEAKS_S * rate)
    call = [pause, said[0], pause, said[-1], pause, said[-1]]
    path = tmp_path_factory.mktemp("caller") / "caller.wav"
    soundfile.write(path, np.concatenate(call), rate, subtype="PCM_16")
    return path


@pytest.fixture(scope="session")
def axe(pytestconfig: pytest.Config) -> str:
    """axe-core's source, fetched from npm once."""
    from .chromium import missing, program  # noqa: PLC0415 - as above

    folder = pytestconfig.cache.mkdir("axe-core")
    source = folder / f"{AXE}.js"
    if not source.exists():
        fetch = [program("npm"), "pack", "--silent", AXE]
        packed = subprocess.run(fetch, cwd=folder, check=False, capture_output=True, text=True)  # noqa: S603
        if packed.returncode:
            missing(f"npm could not fetch {AXE}")
        with tarfile.open(folder / packed.stdout.strip()) as archive:
            member = archive.extractfile("package/axe.min.js")
            assert member is not None
            source.write_bytes(member.read())
    return source.read_text(encoding="utf-8")


@pytest.fixture
def picture() -> Callable[[Page, str], None]:
    """Keeps the picture of a call in docs/images, if DEESCALATE_PICTURES is set."""

    def take(page: Page, name: str) -> None:
        if os.environ.get("DEESCALATE_PICTURES"):
            PICTURES.mkdir(parents=True, exist_ok=True)
            page.set_viewport_size({"width": 1200, "height": 2400})  # all of it, without scrolling
            call, columns = (page.locator(part).bounding_box() for part in ("#call", ".columns"))
            top, bottom = call["y"] - 16, columns["y"] + columns["height"] + 16
            clip = {"x": 0, "y": top, "width": 1200, "height": bottom - top}
            page.screenshot(path=PICTURES / name, clip=clip)

    return take
