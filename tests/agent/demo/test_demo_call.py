"""Whole calls with the demo bot: over WebRTC, over a phone line, with services for a script.

Time is real here: both lines are paced by the machine's clock, 20 ms a frame.
"""

from __future__ import annotations

import asyncio
import io
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio
from rich.console import Console

from pipecat_deescalate.agent.demo.caller import calling
from pipecat_deescalate.agent.demo.serve import Demo, serving
from pipecat_deescalate.agent.demo.terminal import CallView

from ...audio import noise
from ...telephony import FakeTwilio
from ...telephony import serving as serving_app
from .demo_servers import LEVELS, Messages, eventually, follow, of, spoken
from .phone_bot import FakeOpenAI

pytestmark = pytest.mark.asyncio(loop_scope="module")

ASKS = "I want a real person."
CALL = ("Hello. I have a question.", ASKS, ASKS, ASKS)  # once is enough, if it is understood


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def demo() -> AsyncIterator[Demo]:
    async with serving(port=0, phone=True, keyless=True) as (served, _):
        yield served


async def heard_out(demo: Demo) -> Messages:
    """A call in which the analysis is on."""
    async with calling(spoken(*CALL), demo.origin) as caller:
        return await follow(caller, lambda told: of(told, "demo-ended"))


async def switched_on_late(demo: Demo) -> Messages:
    """A call in which it is switched on after the first turn."""
    async with calling(spoken(*CALL), demo.origin, analysis=False) as caller:

        def switch(message: dict[str, object]) -> None:
            if message["type"] == "demo-turn" and message["turn"] == 0:
                caller.send("client-message", {"t": "analysis", "d": {"on": True}})

        return await follow(caller, lambda told: of(told, "demo-ended"), on_message=switch)


async def test_an_angry_caller_is_heard_and_handed_over(demo: Demo) -> None:
    """The story that the demo tells must come true, in one call as in the one beside it."""
    told, late = await asyncio.gather(heard_out(demo), switched_on_late(demo))

    assert told[0]["type"] == "demo-call"
    assert told[0]["levels"] == LEVELS
    decisions = of(told, "caller-decision")
    assert [one["turn"] for one in decisions] == list(range(len(decisions)))
    assert decisions[-1]["action"] == "transfer"
    assert {one["turn"] for one in of(told, "caller-emotion")} >= {0, decisions[-1]["turn"]}
    turns = of(told, "demo-turn")
    assert [turn["turn"] for turn in turns][: len(decisions)] == list(range(len(decisions)))
    assert decisions[-1]["reason"] == "asked for a human"
    assert all(turn["started_at_s"] < turn["ended_at_s"] for turn in turns)
    packet = of(told, "demo-hand-over")[0]["packet"]
    assert packet["call_id"] == told[0]["call_id"]
    assert packet["schema"] == "deescalate.transfer/1"
    assert of(told, "caller-transfer")[0]["ok"]
    assert of(told, "demo-ended")[0]["reason"] == "transferred"
    said = [one["text"] for one in of(told, "demo-said")]
    assert len(said) == len(set(said))

    assert late[0]["analysis"] is False
    assert of(late, "demo-analysis")[0]["on"] is True
    assert all(one["turn"] > 0 for one in of(late, "caller-emotion") + of(late, "caller-decision"))
    assert all(one["instead_of"] is None for one in of(late, "demo-said")[:2])
    assert of(late, "demo-ended")[0]["reason"] == "transferred"

    view = io.StringIO()
    shown = CallView(Console(file=view, width=100))
    for message in told:
        shown.show(message)
    shown.close(1.5)
    assert "asked for a human" in view.getvalue()
    assert "transfer accepted" in " ".join(view.getvalue().split())
    assert "bot heard 1.5 s" in view.getvalue()


async def test_a_phone_caller_is_handed_over(demo: Demo) -> None:
    """On an 8 kHz line the same must happen, and the stream say why it ends."""
    pcm = (spoken(*CALL[1:], *CALL[1:], rate=8_000) * 32_767).astype(np.int16)
    url = f"ws://127.0.0.1:{demo.port}/phone"
    async with FakeTwilio() as twilio, twilio.dial(url, "CAdemo") as phone:
        await eventually(lambda: np.abs(phone.heard()).max(initial=0) > 3_000)
        await asyncio.sleep(3.5)  # the greeting is that long
        saying = asyncio.create_task(phone.say(pcm))
        await eventually(lambda: phone.closed_at, 80)
        saying.cancel()
        assert phone.stream.close_code == 1000
        assert phone.stream.close_reason == "transferred"
        assert len(phone.received()) > 8_000


async def test_with_keys_services_take_the_place_of_the_script(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The same bot must run on speech recognition, a language model and a voice of one's own."""
    openai = FakeOpenAI("Let me see.", hears="this is ridiculous, it is wrong again")
    async with serving_app(openai.app) as address:
        monkeypatch.setenv("OPENAI_BASE_URL", f"http://{address}/v1")
        monkeypatch.setenv("OPENAI_API_KEY", "none")
        monkeypatch.setenv("LLM_MODEL", "my-model")
        async with serving(port=0) as (demo, _):
            assert "my-model" in demo.bot.kit.name
            async with calling(spoken(ASKS), demo.origin) as caller:
                told = await follow(caller, lambda told: len(of(told, "demo-said")) == 2)
    assert [one["text"] for one in of(told, "demo-said")][1] == "Let me see."
    assert of(told, "demo-turn")[0]["text"].startswith("this is ridiculous")
    assert of(told, "caller-decision")[0]["turn"] == 0
    assert openai.requests[0]["model"] == "my-model"


async def test_a_caller_who_hangs_up_leaves_nothing_behind(demo: Demo) -> None:
    """Lines must be free again once the callers are gone."""
    before = len(asyncio.all_tasks())
    async with calling(noise(0.1), demo.origin) as caller:
        await follow(caller, lambda told: of(told, "demo-said"))
        caller.send("disconnect-bot", {})
        await follow(caller, lambda _told: False)
    await eventually(lambda: len(asyncio.all_tasks()) <= before, 10)


@pytest.mark.parametrize("name", ["README.md", "nothing.wav"])
async def test_a_file_that_is_no_audio_is_one_line_and_exit_code_2(name: str) -> None:
    """Who plays the wrong file must read which one and why, before any bot is started."""
    path = Path(__file__).parents[3] / name
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pipecat_deescalate.agent", "demo", "--call", str(path)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, errors = await process.communicate()
    assert process.returncode == 2
    assert out == b""
    assert errors.decode().startswith(f"deescalate: {path}: ")
    assert errors.count(b"\n") == 1
