"""What reaches each vendor, and which settings are refused."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from urllib.parse import parse_qs
from xml.etree import ElementTree

import pytest

from pipecat_deescalate.models.errors import SettingError
from pipecat_deescalate.policies import Level
from pipecat_deescalate.policies.transfer.request import (
    TransferOutcome,
    TransferRequest,
    transfer_request,
)
from pipecat_deescalate.policies.transfer.signed_webhook import WebhookTransfer
from pipecat_deescalate.policies.transfer.vendors import (
    DailySipTransfer,
    PlivoTransfer,
    TelnyxTransfer,
    TwilioTransfer,
)

from ..fakes import FakeServer, Reply
from .fake_vendors import (
    CALL,
    KEY,
    REQUEST,
    SECRET,
    WHSEC,
    YES,
    Naps,
    basic,
    records,
    target,
)


async def test_twilio_gets_new_twiml_for_the_call(server: FakeServer, naps: Naps) -> None:
    """Another path, login or form field would leave the caller with the bot."""
    server.replies = [Reply(200, YES["twilio"])]
    outcome = await target("twilio", server.url, naps).transfer(REQUEST)
    assert outcome == TransferOutcome(True, "HTTP 200", 1)
    (seen,) = server.seen
    assert (seen.method, seen.path) == ("POST", f"/2010-04-01/Accounts/AC1/Calls/{CALL}.json")
    assert seen.headers["Authorization"] == basic("AC1")
    assert seen.headers["Content-Type"] == "application/x-www-form-urlencoded"
    form = parse_qs(seen.body.decode(), strict_parsing=True)
    assert form == {"Twiml": ["<Response><Dial><Number>+15550100123</Number></Dial></Response>"]}


async def test_what_goes_into_twiml_and_paths_is_escaped(server: FakeServer) -> None:
    """A URL with & or a call id with / must neither break the XML nor reach another resource."""
    server.replies = [Reply(200, '{"sid": "a/../b?c"}')]
    twilio = TwilioTransfer(
        to="sip:desk@example.com;transport=tls?X-Team=a&X-Case=1",
        account_sid="AC1",
        auth_token=SECRET,
        caller_id="+15550100999",
        ring_s=20,
        action_url="https://bot.example/back?a=1&b=2",
        base_url=server.url,
    )
    outcome = await twilio.transfer(TransferRequest("a/../b?c", "", Level.CALM, ""))
    assert outcome.ok
    assert server.seen[0].path == "/2010-04-01/Accounts/AC1/Calls/a%2F..%2Fb%3Fc.json"
    twiml = ElementTree.fromstring(parse_qs(server.seen[0].body.decode())["Twiml"][0])  # noqa: S314 - our own
    dial = twiml.find("Dial")
    assert dial.attrib == {
        "callerId": "+15550100999",
        "timeout": "20",
        "action": "https://bot.example/back?a=1&b=2",
    }
    assert dial.findtext("Sip") == "sip:desk@example.com;transport=tls?X-Team=a&X-Case=1"


async def test_twilio_whispers_to_the_human_first(server: FakeServer) -> None:
    """The whisper belongs on the number; elsewhere Twilio would ignore it."""
    server.replies = [Reply(200, YES["twilio"])]
    whisper = "https://bot.example/whisper"
    await TwilioTransfer(
        to="+15550100123",
        account_sid="AC1",
        auth_token=SECRET,
        whisper_url=whisper,
        base_url=server.url,
    ).transfer(REQUEST)
    assert f'<Number url="{whisper}">' in parse_qs(server.seen[0].body.decode())["Twiml"][0]


async def test_telnyx_gets_a_command_that_it_runs_once(server: FakeServer, naps: Naps) -> None:
    """Without one command_id a call, in every attempt and process, two would ring."""
    server.replies = [Reply(500), Reply(200, YES["telnyx"])]
    request = TransferRequest("v3:abc_-1", "", Level.CALM, "")
    outcome = await target("telnyx", server.url, naps).transfer(request)
    assert outcome == TransferOutcome(True, "HTTP 200", 2)
    first, second = server.seen
    assert first.path == "/v2/calls/v3%3Aabc_-1/actions/transfer"
    assert first.headers["Authorization"] == f"Bearer {SECRET}"
    body = json.loads(first.body)
    await target("telnyx", server.url, naps).transfer(request)
    ids = {json.loads(seen.body)["command_id"] for seen in (first, second, server.seen[2])}
    assert ids == {body.pop("command_id")}
    assert body == {"to": "+15550100123"}


async def test_plivo_gets_the_address_of_the_xml(server: FakeServer, naps: Naps) -> None:
    """Plivo takes a URL for the caller's leg, not XML; 202 is its yes."""
    server.replies = [Reply(202, YES["plivo"])]
    outcome = await target("plivo", server.url, naps).transfer(REQUEST)
    assert outcome == TransferOutcome(True, "HTTP 202", 1)
    (seen,) = server.seen
    assert seen.path == f"/v1/Account/MA1/Call/{CALL}/"
    assert seen.headers["Authorization"] == basic("MA1")
    assert json.loads(seen.body) == {
        "legs": "aleg",
        "aleg_url": "https://bot.example/dial?to=desk&key=dial-key",
        "aleg_method": "POST",
    }


async def test_daily_gets_the_participant_and_the_end_point(server: FakeServer, naps: Naps) -> None:
    """The session id says who in the room is transferred."""
    server.replies = [Reply(200, YES["daily"])]
    assert (await target("daily", server.url, naps).transfer(REQUEST)).ok
    (seen,) = server.seen
    assert seen.path == "/v1/rooms/room-1/sipCallTransfer"
    assert seen.headers["Authorization"] == f"Bearer {SECRET}"
    assert json.loads(seen.body) == {"sessionId": CALL, "toEndPoint": "sip:desk@example.com"}


async def test_the_webhook_is_signed_as_the_standard_says(server: FakeServer, naps: Naps) -> None:
    """A receiver's own library must verify each attempt, and know a retry by its id."""
    server.replies = [Reply(503), Reply(204)]
    request = transfer_request(CALL, records("I want a human, now\ud800"), manner="louder")
    outcome = await target("webhook", server.url, naps).transfer(request)
    assert outcome == TransferOutcome(True, "HTTP 204", 2)
    for seen in server.seen:
        assert seen.path == f"/desk?key={SECRET}"
        assert seen.headers["webhook-id"] == CALL
        stamp = seen.headers["webhook-timestamp"]
        assert abs(int(stamp) - time.time()) < 5
        signed = f"{CALL}.{stamp}.".encode() + seen.body
        digest = base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()
        assert seen.headers["webhook-signature"] == f"v1,{digest}"
    event = json.loads(server.seen[0].body)
    assert event["type"] == "call.transfer_requested"
    packet = event["data"]
    assert packet["schema"] == "deescalate.transfer/1"
    assert packet["asked"] == "I want a human, now?"
    assert packet["manner"] == "louder"
    assert [one["level"] for one in packet["turns"]] == ["calm", "strained", "distressed"]


@pytest.mark.parametrize("call_id", ["", "..", "x" * 501])
async def test_a_call_without_an_id_is_not_sent(
    call_id: str, server: FakeServer, naps: Naps
) -> None:
    """Such an id would name another resource of the vendor's."""
    request = TransferRequest(call_id, "", Level.CALM, "")
    outcome = await target("telnyx", server.url, naps).transfer(request)
    assert (outcome.ok, outcome.attempts, server.seen) == (False, 0, [])


async def test_a_strange_call_id_still_signs(server: FakeServer, naps: Naps) -> None:
    """Full stops separate what is signed, and headers take no umlauts: neither may be in an id."""
    request = TransferRequest("a.b\u00fc\ud800", "", Level.CALM, "")
    assert (await target("webhook", server.url, naps).transfer(request)).ok
    assert len(server.seen[0].headers["webhook-id"]) == 64


GOOD = {"to": "+15550100123", "account_sid": "AC1", "auth_token": "t"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"to": "555-0100"},
        {"to": "+1555010012345678"},
        {"to": "sip:desk@example.com><Hangup/"},
        {"to": "sip:desk @example.com"},
        {"to": "+15550100123\n"},
        {"caller_id": "me"},
        {"account_sid": "AC1/../AC2"},
        {"account_sid": ""},
        {"auth_token": ""},
        {"auth_token": f"{SECRET}\r\nX-Injected: 1"},
        {"base_url": "http://api.twilio.com"},
        {"base_url": f"https://user:{SECRET}@api.twilio.com"},
        {"base_url": "api.twilio.com"},
        {"base_url": "https://\x00"},
        {"base_url": "https:///v1"},
        {"action_url": "ftp://bot.example"},
        {"whisper_url": "/whisper"},
    ],
)
def test_wrong_settings_are_refused_at_once(
    wrong: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A typing error must be seen when the bot starts, not when the first caller is upset."""
    monkeypatch.delenv("TWILIO_AUTH_TOKEN", raising=False)
    with pytest.raises(SettingError, match=f"^{next(iter(wrong))}: ") as caught:
        TwilioTransfer(**{**GOOD, **wrong})
    assert SECRET not in str(caught.value)
    TwilioTransfer(**GOOD)


@pytest.mark.parametrize("to", ["sip:a@b.example", "sips:+1555@[2001:db8::1]:5061;x=y", "sip:b.de"])
def test_sip_addresses_are_accepted(to: str) -> None:
    """What a PBX hands out as its address must be usable."""
    TwilioTransfer(**{**GOOD, "to": to})


@pytest.mark.parametrize("bad", ["whsec_c2hvcnQ=", "whsec_%%%", base64.b64encode(KEY).decode()])
def test_a_webhook_needs_a_real_secret(bad: str) -> None:
    """A short or unprefixed secret is a mix-up that the receiver would only see as forgery."""
    with pytest.raises(SettingError, match=r"^secret: "):
        WebhookTransfer("https://desk.example", secret=bad)


async def test_secrets_may_come_from_the_environment(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The documented variables must be the ones that are read."""
    monkeypatch.setenv("TWILIO_ACCOUNT_SID", "ACenv")
    for name in ("TWILIO_AUTH_TOKEN", "TELNYX_API_KEY", "PLIVO_AUTH_TOKEN", "DAILY_API_KEY"):
        monkeypatch.setenv(name, SECRET)
    monkeypatch.setenv("PLIVO_AUTH_ID", "MAenv")
    monkeypatch.setenv("DEESCALATE_WEBHOOK_SECRET", WHSEC)
    server.replies = [Reply(200, YES["twilio"])]
    assert (await TwilioTransfer(to="+15550100123", base_url=server.url).transfer(REQUEST)).ok
    assert server.seen[0].headers["Authorization"] == basic("ACenv")
    TelnyxTransfer(to="+15550100123")
    PlivoTransfer(aleg_url="https://bot.example/dial")
    DailySipTransfer(room="r", to="sip:a@b.example")
    WebhookTransfer("https://desk.example")
