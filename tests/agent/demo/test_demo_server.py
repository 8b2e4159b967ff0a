"""The demo's web server: what it serves, whom it refuses, and that it goes on."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
import soundfile
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from pipecat_deescalate.agent.demo.caller import CallError, calling
from pipecat_deescalate.agent.demo.limits import CallLimits, Ended, RateLimiter
from pipecat_deescalate.agent.demo.security import Door, is_loopback
from pipecat_deescalate.agent.demo.serve import AddressError, Demo, serving

from ...audio import noise
from .demo_servers import LEVELS, an_offer, follow, of, web

pytestmark = pytest.mark.asyncio(loop_scope="module")

LIMITS = CallLimits(silent_s=2.0, connect_s=1.0, calls=1)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def demo() -> AsyncIterator[Demo]:
    async with serving(port=0, limits=LIMITS, phone=True, keyless=True) as (served, _):
        yield served


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def open_demo() -> AsyncIterator[Demo]:
    """One that other machines could reach."""
    async with serving(host="0.0.0.0", port=0, phone=True, keyless=True) as (served, _):  # noqa: S104
        yield served


async def test_the_page_comes_with_its_guards(demo: Demo) -> None:
    """Without these headers another site could frame the page or run scripts in it."""
    async with web(demo.origin) as client:
        for path in ("/", "/api/demo", "/nothing", "/static/nothing.js"):
            headers = (await client.get(path)).headers
            assert "default-src 'self'" in headers["content-security-policy"]
            assert "frame-ancestors 'none'" in headers["content-security-policy"]
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["referrer-policy"] == "no-referrer"
            assert "access-control-allow-origin" not in headers
        page = await client.get("/")
        assert page.headers["content-type"].startswith("text/html")
        assert (await client.get("/static/../calls.py")).status_code == 404
        assert (await client.get("/docs")).status_code == 404


async def test_the_page_learns_what_there_is(demo: Demo) -> None:
    """The page shows the sample calls and the policy's thresholds."""
    async with web(demo.origin) as client:
        about = (await client.get("/api/demo")).json()
        assert about["policy"] == "balanced"
        assert about["levels"] == LEVELS
        assert about["token_required"] is False
        for call in about["calls"]:
            sample = await client.get(f"/api/calls/{call['id']}.ogg")
            assert sample.headers["content-type"] == "audio/ogg"
            info = soundfile.info(io.BytesIO(sample.content))
            assert info.channels == 1
            assert 25 < info.duration < 60
        assert (await client.get("/api/calls/secret.ogg")).status_code == 404


BAD_OFFERS: dict[str, tuple[bytes, int]] = {
    "nothing": (b"", 400),
    "no JSON": (b"{", 400),
    "no text": (b"\xff\xfe\x00", 400),
    "deep": (b"[" * 30_000, 400),
    "a list": (b"[]", 422),
    "no SDP": (b'{"type": "offer"}', 422),
    "an answer": (b'{"sdp": "v=0", "type": "answer"}', 422),
    "a number": (b'{"sdp": 7, "type": "offer"}', 422),
    "garbage": (b'{"sdp": "hello", "type": "offer"}', 400),
    "bad lines": (b'{"sdp": "v=0\\r\\nm=audio x y z\\r\\n", "type": "offer"}', 400),
    "half a pair": (b'{"sdp": "\\ud800", "type": "offer"}', 400),
    "huge": (b'{"sdp": "' + b"v=0" * 50_000 + b'", "type": "offer"}', 413),
}


@pytest.mark.parametrize("name", BAD_OFFERS)
async def test_a_bad_offer_is_refused_with_a_sentence(name: str, demo: Demo) -> None:
    """Whatever a stranger posts, the answer must be a 4xx in JSON, and the server go on."""
    body, status = BAD_OFFERS[name]
    async with web(demo.origin, client="127.0.0.2") as client:
        answer = await client.post("/api/offer", content=body)
        assert answer.status_code == status
        assert answer.json()["detail"].endswith(".")
        assert (await client.get("/api/demo")).status_code == 200


async def test_an_offer_cut_in_half_is_refused(demo: Demo) -> None:
    """SDP that begins well must not end in a 500, nor keep a line busy."""
    offer = await an_offer()
    async with web(demo.origin, client="127.0.0.3") as client:
        for share in (0.1, 0.3, 0.5):
            cut = {**offer, "sdp": offer["sdp"][: int(share * len(offer["sdp"]))]}
            answer = await client.post("/api/offer", json=cut)
            assert answer.status_code in {400, 422}


async def test_candidates_belong_to_a_call(demo: Demo) -> None:
    """A path to a call that does not exist is refused."""
    async with web(demo.origin, client="127.0.0.4") as client:
        found = {"pc_id": "x", "candidates": [{"candidate": "nonsense", "sdp_mid": "0"}]}
        assert (await client.patch("/api/offer", json=found)).status_code == 404
        assert (await client.patch("/api/offer", content=b"x")).status_code == 400


async def test_other_sites_are_refused(demo: Demo) -> None:
    """A page elsewhere must reach the bot neither by its own name nor by a rebound one."""
    async with web(demo.origin) as client:
        for headers in (
            {"Host": "evil.example"},
            {"Host": f"evil.example:{demo.port}"},
            {"Origin": "https://evil.example"},
            {"Origin": "null"},
        ):
            answer = await client.post("/api/offer", content=b"{}", headers=headers)
            assert answer.status_code == 403
        same = await client.get("/api/demo", headers={"Origin": demo.origin})
        assert same.status_code == 200
    with pytest.raises(InvalidStatus, match="403"):
        async with connect(f"ws://127.0.0.1:{demo.port}/phone", origin="https://evil.example"):  # type: ignore[arg-type]
            pass


async def test_too_many_offers_are_refused_for_a_while(demo: Demo) -> None:
    """One client must not keep the server busy; the others are not held up by it."""
    async with web(demo.origin, client="127.0.0.5") as client:
        answers = [(await client.post("/api/offer", content=b"")).status_code for _ in range(25)]
    assert answers.count(400) >= 20
    assert answers[-1] == 429
    async with web(demo.origin, client="127.0.0.6") as client:
        assert (await client.post("/api/offer", content=b"")).status_code == 400


async def test_callers_who_do_not_come_or_do_not_speak_free_the_line(demo: Demo) -> None:
    """The only line must be free again soon, and who is on it must learn why it is closed."""
    offer = await an_offer()
    async with web(demo.origin, client="127.0.0.7") as client:
        assert (await client.post("/api/offer", json=offer)).status_code == 200
        busy = await client.post("/api/offer", json=offer)
    assert busy.status_code == 503
    assert "busy" in busy.json()["detail"]
    async with asyncio.timeout(10):
        while (told := await silent_call(demo)) is None:
            await asyncio.sleep(0.3)  # the server frees the line by its own clock
    (ended,) = of(told, "demo-ended")
    assert ended["reason"] == "silent"
    assert "2 seconds" in ended["message"]


async def silent_call(demo: Demo) -> list[dict[str, Any]] | None:
    """What a caller is told who never speaks; None if the line is busy."""
    try:
        async with calling(noise(0.1, level=1e-4), demo.origin) as caller:
            return await follow(caller, lambda told: of(told, "demo-ended"))
    except CallError:
        return None


async def test_packets_are_taken_only_with_a_signature(demo: Demo) -> None:
    """Nobody but the bot may put a packet on the human agent's screen."""
    body = json.dumps({"type": "call.transfer_requested", "data": {"call_id": "x"}}).encode()
    forged = {"webhook-id": "x", "webhook-timestamp": "1", "webhook-signature": "v1,AAAA"}
    async with web(demo.origin) as client:
        for headers in ({}, forged):
            answer = await client.post("/api/hand-over", content=body, headers=headers)
            assert answer.status_code == 401
        huge = await client.post("/api/hand-over", content=b"x" * 100_000)
        assert huge.status_code == 413


@pytest.mark.parametrize(
    "messages",
    [
        ["hello"],
        ["{}", "{}"],
        ["[" * 5_000],
        ['{"event": "start"}'],
        ['{"event": "start", "start": 1}'],
    ],
)
async def test_what_is_no_media_stream_is_hung_up(messages: list[str], demo: Demo) -> None:
    """A stranger on the phone's websocket is told so, and the line is closed."""
    async with connect(f"ws://127.0.0.1:{demo.port}/phone") as line:
        for message in messages:
            await line.send(message)
        with pytest.raises(ConnectionClosed):
            await line.recv()
    assert line.close_code == 1008
    assert line.close_reason == "This is not a Twilio media stream."


async def test_other_machines_need_the_token(open_demo: Demo) -> None:
    """Reachable by others, the bot must talk only to who was given the address."""
    assert open_demo.token is not None
    assert len(open_demo.token) >= 32
    assert open_demo.address.endswith(f"/#token={open_demo.token}")
    assert open_demo.token not in repr(open_demo)
    origin = f"http://127.0.0.1:{open_demo.port}"
    offer = await an_offer()
    async with web(origin) as client:
        assert (await client.get("/")).status_code == 200
        assert (await client.get("/api/demo")).json()["token_required"] is True
        for headers in ({}, {"Authorization": "Bearer x"}, {"Authorization": open_demo.token}):
            answer = await client.post("/api/offer", json=offer, headers=headers)
            assert answer.status_code == 401
    async with calling(noise(0.1), origin, token=open_demo.token) as caller:
        assert await follow(caller, lambda told: of(told, "demo-call"))
    start = {"streamSid": "MZ1", "callSid": "CA1", "customParameters": {"token": "wrong"}}
    async with connect(f"ws://127.0.0.1:{open_demo.port}/phone") as line:
        await line.send(json.dumps({"event": "start", "start": start}))
        with pytest.raises(ConnectionClosed):
            await line.recv()
    assert "token" in line.close_reason


async def test_a_port_in_use_is_named(demo: Demo) -> None:
    """The usual mishap must read as what it is, with what to do about it."""
    with pytest.raises(AddressError, match=f"port {demo.port} is in use.*--port"):
        async with serving(port=demo.port, keyless=True):
            pass
    with pytest.raises(AddressError, match="not an address"):
        async with serving(host="nowhere.invalid", port=0, keyless=True):
            pass
    with pytest.raises(AddressError, match=r"192\.0\.2\.1"):
        async with serving(host="192.0.2.1", port=0, keyless=True):
            pass


async def test_the_limits_of_a_call() -> None:
    """A call ends when it is too long, or its caller silent for too long, and not before."""
    limits = CallLimits(max_call_s=600, silent_s=60)
    assert limits.overdue(call_s=599, silent_s=59) is None
    assert limits.overdue(call_s=599, silent_s=60) is Ended.SILENT
    assert limits.overdue(call_s=600, silent_s=0) is Ended.TOO_LONG
    assert "10 minutes" in limits.message(Ended.TOO_LONG)
    assert len({limits.message(reason) for reason in Ended}) == len(Ended)


async def test_the_rate_limit_forgets() -> None:
    """Requests are allowed again as time goes by, and old clients take no memory."""
    now = 0.0
    limiter = RateLimiter(burst=2, refill_s=10, clock=lambda: now)
    assert [limiter.take("a") for _ in range(3)] == [True, True, False]
    assert limiter.take("b")
    now = 10.0
    assert [limiter.take("a") for _ in range(2)] == [True, False]
    for client in range(5_000):
        limiter.take(str(client))
    assert limiter.take("a")
    assert len(limiter._left) <= 1025


async def test_who_counts_as_this_machine() -> None:
    """An address that others reach must never be taken for the loopback."""
    assert all(map(is_loopback, ("127.0.0.1", "127.1.2.3", "localhost", "::1", "[::1]")))
    assert not any(map(is_loopback, ("0.0.0.0", "::", "10.0.0.1", "example.com", "")))  # noqa: S104
    door = Door()
    assert door.refuses({"host": "[::1]:7860"}) is None
    assert door.refuses({"host": "localhost.evil.example:7860"})
    assert door.refuses({})
    assert Door("secret").refuses({"host": "10.0.0.1:7860"}) is None
    assert Door("secret").refuses({"host": "a:1", "origin": "http://b:1"})
    assert not Door("secret").admits("sécret")
    assert "secret" not in repr(Door("secret"))
