"""What reaches the vendors, and what happens when they do not answer as they should."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import logging
import socket
import time
from collections.abc import AsyncIterator, Callable
from email.utils import formatdate
from urllib.parse import parse_qs
from xml.etree import ElementTree

import pytest

from pipecat_deescalate.models.types import Cue
from pipecat_deescalate.policies import Level, load_policy
from pipecat_deescalate.policies.record import TurnRecord
from pipecat_deescalate.policies.sending import HttpTarget, Limits, Sender
from pipecat_deescalate.policies.settings import SettingError
from pipecat_deescalate.policies.targets import (
    DailySipTransfer,
    FunctionTransfer,
    PlivoTransfer,
    TelnyxTransfer,
    TwilioTransfer,
)
from pipecat_deescalate.policies.transfer import (
    OnceOnly,
    TransferOutcome,
    TransferRequest,
    Utterance,
    WithPacket,
    summarize,
    transfer_request,
)
from pipecat_deescalate.policies.webhook import WebhookTransfer

from ..fakes import HANG, FakeServer, Reply
from .readings import play, turn

SECRET = "s3cr3t-Token-4711"  # noqa: S105 - nobody's
KEY = b"k" * 32
WHSEC = "whsec_" + base64.b64encode(KEY).decode()
CALL = "CA0123456789abcdef0123456789abcdef"
REQUEST = TransferRequest(CALL, "asked for a human", Level.DISTRESSED, "line one\nline two")
YES = {
    "twilio": json.dumps({"sid": CALL, "status": "in-progress"}),
    "telnyx": '{"data": {"result": "ok"}}',
    "plivo": '{"message": "call transferred", "api_id": "08c94608"}',
    "daily": '{"ok": "true"}',
    "webhook": "",
}
VENDORS = tuple(YES)
REPEATABLE = tuple(name for name in VENDORS if name != "daily")


class Naps:
    """A sleep and a clock that cost no time: every wait is noted and passes at once."""

    def __init__(self) -> None:
        self.waits: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)

    def clock(self) -> float:
        return time.monotonic() + sum(self.waits)


@pytest.fixture
async def server() -> AsyncIterator[FakeServer]:
    async with FakeServer() as running:
        yield running


@pytest.fixture
def naps() -> Naps:
    return Naps()


def target(vendor: str, url: str, naps: Naps, **limits: float) -> HttpTarget:
    sender = Sender(Limits(**limits), sleep=naps.sleep, clock=naps.clock)
    build: dict[str, Callable[[], HttpTarget]] = {
        "twilio": lambda: TwilioTransfer(
            to="+15550100123", account_sid="AC1", auth_token=SECRET, base_url=url, sender=sender
        ),
        "telnyx": lambda: TelnyxTransfer(
            to="+15550100123", api_key=SECRET, base_url=url, sender=sender
        ),
        "plivo": lambda: PlivoTransfer(
            aleg_url="https://bot.example/dial?to=desk&key=dial-key",
            auth_id="MA1",
            auth_token=SECRET,
            base_url=url,
            sender=sender,
        ),
        "daily": lambda: DailySipTransfer(
            room="room-1", to="sip:desk@example.com", api_key=SECRET, base_url=url, sender=sender
        ),
        "webhook": lambda: WebhookTransfer(f"{url}/desk?key={SECRET}", secret=WHSEC, sender=sender),
    }
    return build[vendor]()


def basic(user: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{SECRET}".encode()).decode()


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


def records(last_words: str | None = None) -> list[TurnRecord]:
    _, decisions = play(load_policy("balanced"), -2.0, 2.6, turn(2.6, index=2, cues=(Cue.WAITING,)))
    return [TurnRecord(one, last_words if one is decisions[-1] else None) for one in decisions]


def test_a_request_holds_what_a_human_needs() -> None:
    """Reason, course and readings must come from the decisions, the words only if kept."""
    request = transfer_request(CALL, records())
    assert request.level is Level.DISTRESSED
    assert request.reason.startswith("voice 0.93")
    assert [one.p_negative for one in request.turns] == [
        pytest.approx(p, abs=0.01) for p in (0.12, 0.93, 0.93)
    ]
    assert request.asked is None
    assert request.transcript == ()
    first, second = request.summary.split("\n")
    assert first == "3 caller turns until 0:03; distressed since 0:02"
    assert second.startswith("Handed over because: voice 0.93")
    assert second.endswith("Signs in their words: has been waiting.")


def test_a_transcript_is_kept_out_of_reprs() -> None:
    """What a caller said must not get into a log by way of a repr."""
    said = (Utterance("bot", "How can I help?"), Utterance("caller", "My bill is wrong"))
    request = transfer_request(CALL, records("My bill is wrong"), transcript=said)
    assert request.transcript == said
    assert request.asked == "My bill is wrong"
    assert "bill" not in repr(request)


def test_a_call_without_turns_can_be_handed_over() -> None:
    """A bot may hand over before anything was heard; the packet must still be complete."""
    request = transfer_request(CALL, [])
    assert request.level is Level.CALM
    assert len(summarize([]).split("\n")) == 2


@pytest.mark.parametrize("vendor", VENDORS)
async def test_429_waits_as_long_as_it_is_asked_to(
    vendor: str, server: FakeServer, naps: Naps
) -> None:
    """Coming back earlier than Retry-After says would be refused again."""
    server.replies = [Reply(429, headers={"Retry-After": "2"}), Reply(200, YES[vendor])]
    outcome = await target(vendor, server.url, naps).transfer(REQUEST)
    assert outcome == TransferOutcome(True, "HTTP 200", 2)
    assert naps.waits == [2.0]


async def test_retry_after_may_be_a_date_or_too_far_away(server: FakeServer, naps: Naps) -> None:
    """A date must be understood, and a wait beyond the budget must end the attempts at once."""
    server.replies = [
        Reply(429, headers={"Retry-After": "soon"}),
        Reply(429, headers={"Retry-After": formatdate(time.time() + 3, usegmt=True)}),
        Reply(429, headers={"Retry-After": "60"}),
    ]
    outcome = await target("twilio", server.url, naps).transfer(REQUEST)
    assert outcome == TransferOutcome(False, "HTTP 429", 3)
    assert naps.waits[0] < 1
    assert 1.5 < naps.waits[1] <= 3
    assert len(naps.waits) == 2


@pytest.mark.parametrize("vendor", REPEATABLE)
async def test_500_is_tried_again_until_time_is_up(
    vendor: str, server: FakeServer, naps: Naps
) -> None:
    """The waits must grow, the attempts end, and the bot hear of it."""
    server.replies = [Reply(500, "oops")]
    outcome = await target(vendor, server.url, naps).transfer(REQUEST)
    assert outcome == TransferOutcome(False, "HTTP 500", 5)
    for number, wait in enumerate(naps.waits):
        assert 0.5 * 0.25 * 2**number <= wait <= 0.25 * 2**number
    assert sum(naps.waits) < 8


async def test_the_budget_bounds_the_attempts(server: FakeServer, naps: Naps) -> None:
    """Many quick failures must not go on beyond the budget, waits included."""
    server.replies = [Reply(500)]
    outcome = await target("twilio", server.url, naps, budget_s=2, attempts=100).transfer(REQUEST)
    assert not outcome.ok
    assert sum(naps.waits) < 2


@pytest.mark.parametrize("vendor", VENDORS)
@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 302, 308])
async def test_a_refusal_is_final(vendor: str, status: int, server: FakeServer, naps: Naps) -> None:
    """A wrong key, a call that ended or a redirect does not get better; none is followed."""
    server.replies = [Reply(status, headers={"Location": f"{server.url}/elsewhere"})]
    outcome = await target(vendor, server.url, naps).transfer(REQUEST)
    assert not outcome.ok
    assert outcome.detail.startswith(f"HTTP {status}")
    assert ("a redirect" in outcome.detail) == (status in {302, 308})
    assert outcome.attempts == len(server.seen) == 1
    assert naps.waits == []


@pytest.mark.parametrize(
    ("vendor", "body", "code"),
    [
        ("twilio", '{"code": 21220, "message": "not in-progress"}', "21220"),
        ("telnyx", '{"errors": [{"code": "90018", "title": "ended"}]}', "90018"),
        ("daily", '{"error": "invalid-request-error", "info": "x"}', "invalid-request-error"),
    ],
)
async def test_the_vendors_own_code_is_told(
    vendor: str, body: str, code: str, server: FakeServer, naps: Naps
) -> None:
    """An operator looks the code up; the message beside it may hold anything and is left out."""
    server.replies = [Reply(422, body)]
    outcome = await target(vendor, server.url, naps).transfer(REQUEST)
    assert outcome.detail == f"HTTP 422, code {code}"


@pytest.mark.parametrize("vendor", [name for name in VENDORS if name != "webhook"])
@pytest.mark.parametrize(
    "body",
    [
        "",
        "<html>Welcome to the hotel wifi</html>",
        "[1]",
        "null",
        '{"ok": []}',
        "[" * 60000,
        '{"errors": [], "data": 1, "sid": "CA9", "api_id": null}',
        b"\xff\x00" * 90000,
    ],
)
async def test_a_yes_that_is_not_the_vendors_is_a_no(
    vendor: str, body: str | bytes, server: FakeServer, naps: Naps
) -> None:
    """Whoever answers 200 in the vendor's place has not transferred the caller."""
    server.replies = [Reply(200, body)]
    outcome = await target(vendor, server.url, naps).transfer(REQUEST)
    assert not outcome.ok
    assert outcome.detail.endswith("'s answer")
    assert len(server.seen) == 1


async def test_any_2xx_is_a_webhooks_yes(server: FakeServer, naps: Naps) -> None:
    """The scheme asks nothing of the body, so not even a broken one may cause a retry."""
    server.replies = [Reply(201, "garbage", cut=True)]
    assert (await target("webhook", server.url, naps).transfer(REQUEST)).ok
    assert len(server.seen) == 1


AMBIGUOUS = {
    "hang": (HANG, "no answer in time"),
    "drop": (Reply(drop=True), "connection lost: "),
    "cut": (Reply(200, '{"sid": "' + "x" * 200, cut=True), "HTTP 200, cut short"),
}


@pytest.mark.parametrize("fault", AMBIGUOUS)
@pytest.mark.parametrize("vendor", ["twilio", "telnyx", "plivo"])
async def test_what_may_have_arrived_is_repeated_where_that_is_safe(
    vendor: str, fault: str, server: FakeServer, naps: Naps
) -> None:
    """A lost answer must not cost the caller the human."""
    server.replies = [AMBIGUOUS[fault][0], Reply(200, YES[vendor])]
    outcome = await target(vendor, server.url, naps, attempt_s=0.2).transfer(REQUEST)
    assert outcome == TransferOutcome(True, "HTTP 200", 2)
    assert await server.all_closed()


@pytest.mark.parametrize("fault", AMBIGUOUS)
async def test_what_may_have_arrived_is_not_repeated_where_it_is_not(
    fault: str, server: FakeServer, naps: Naps
) -> None:
    """Daily would dial the human twice: one lost answer must be the end of it."""
    reply, detail = AMBIGUOUS[fault]
    server.replies = [reply, Reply(200, YES["daily"])]
    outcome = await target("daily", server.url, naps, attempt_s=0.2).transfer(REQUEST)
    assert not outcome.ok
    assert outcome.detail.startswith(detail)
    assert len(server.seen) == 1


@pytest.mark.parametrize(("status", "attempts"), [(500, 1), (502, 1), (503, 2)])
async def test_daily_is_asked_again_only_if_nothing_was_done(
    status: int, attempts: int, server: FakeServer, naps: Naps
) -> None:
    """503 refuses before doing anything; another 5xx may come after the leg was dialled."""
    server.replies = [Reply(status), Reply(200, YES["daily"])]
    outcome = await target("daily", server.url, naps).transfer(REQUEST)
    assert outcome.attempts == attempts
    assert outcome.ok is (attempts == 2)


async def test_a_vendor_that_never_answers_costs_no_more_than_the_budget(
    server: FakeServer,
) -> None:
    """The caller must hear within the budget that nobody could be reached."""
    server.replies = [HANG]
    sender = Sender(Limits(budget_s=0.5, attempt_s=0.4, first_delay_s=0.02))
    telnyx = TelnyxTransfer(to="+15550100123", api_key="k", base_url=server.url, sender=sender)
    started = time.monotonic()
    outcome = await telnyx.transfer(REQUEST)
    assert time.monotonic() - started < 0.75
    assert outcome.detail == "no answer in time"
    assert outcome.attempts >= 2
    assert await server.all_closed()


@pytest.mark.parametrize("vendor", VENDORS)
async def test_a_refused_connection_is_tried_again(vendor: str, naps: Naps) -> None:
    """Nothing was sent, so even Daily can be asked again."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        outcome = await target(vendor, url, naps).transfer(REQUEST)
    assert outcome == TransferOutcome(False, "not connected: ConnectError", 5)


async def test_cancelling_leaves_nothing_behind(server: FakeServer, naps: Naps) -> None:
    """A caller who hangs up during the transfer must leave no task and no connection."""
    server.replies = [HANG]
    before = asyncio.all_tasks()
    sending = asyncio.create_task(target("twilio", server.url, naps).transfer(REQUEST))
    await server.arrived.wait()
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    assert await server.all_closed()
    assert {one for one in asyncio.all_tasks() - before if not is_server(one)} == set()


def is_server(task: asyncio.Task[object]) -> bool:
    return "aiohttp" in repr(task)


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


FAULTS = [Reply(401, SECRET), Reply(500, SECRET), Reply(302, headers={"Location": "/elsewhere"})]
FAULTS += [Reply(drop=True), Reply(200, SECRET), Reply(200, SECRET, cut=True)]


@pytest.mark.parametrize("vendor", VENDORS)
async def test_no_secret_is_ever_shown(
    vendor: str, server: FakeServer, naps: Naps, caplog: pytest.LogCaptureFixture
) -> None:
    """Logs and reprs travel: keys, signed addresses and callers' words must not go along."""
    caplog.set_level(logging.DEBUG)
    request = transfer_request(CALL, records("my pin is xyzzy"))
    shown = [repr(request)]
    for fault in FAULTS:
        server.replies = [fault]
        tested = target(vendor, server.url, naps, attempts=2)
        outcome = await tested.transfer(request)
        message = tested.message(request)
        shown += [repr(tested), str(tested), repr(vars(tested)), repr(message), repr(outcome)]
    logged = [str(vars(record)) for record in caplog.records]
    assert any("pipecat_deescalate.transfer" in line for line in logged)
    encoded = base64.b64encode(f":{SECRET}".encode()).decode()[4:-4]
    for text in [*shown, *logged]:
        for hidden in (SECRET, encoded, WHSEC, "key=dial-key", "xyzzy"):
            assert hidden not in text


async def test_log_messages_are_static(
    server: FakeServer, naps: Naps, caplog: pytest.LogCaptureFixture
) -> None:
    """An operator counts messages; what varies belongs in fields."""
    caplog.set_level(logging.INFO, logger="pipecat_deescalate")
    server.replies = [Reply(500), Reply(200, YES["telnyx"])]
    await target("telnyx", server.url, naps).transfer(REQUEST)
    ours = [one for one in caplog.records if one.name.startswith("pipecat_deescalate")]
    assert [one.getMessage() for one in ours] == ["transfer attempt failed", "transfer accepted"]
    assert (ours[0].target, ours[0].detail, ours[0].call_id) == ("Telnyx", "HTTP 500", CALL)


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


class Desk:
    """A target that answers when it is let."""

    def __init__(self, outcome: TransferOutcome | Exception) -> None:
        self.outcome = outcome
        self.calls = 0
        self.answers = asyncio.Event()

    async def transfer(self, request: TransferRequest) -> TransferOutcome:
        self.calls += 1
        await self.answers.wait()
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


async def test_two_turns_at_once_ask_for_one_transfer() -> None:
    """Both must learn how it ended, and the vendor must hear of it once."""
    desk = Desk(TransferOutcome(True, "HTTP 200"))
    once = OnceOnly(desk)
    both = asyncio.gather(once.transfer(REQUEST), once.transfer(REQUEST))
    await asyncio.sleep(0)
    desk.answers.set()
    first, second = await both
    third = await once.transfer(REQUEST)
    assert (first.repeated, second.repeated, third.repeated) == (False, True, True)
    assert first.ok
    assert second.ok
    assert desk.calls == 1
    await once.transfer(transfer_request("another call", []))
    assert desk.calls == 2


async def test_once_means_once_when_it_was_cancelled_or_broke() -> None:
    """A second request must neither hang on the first nor try behind its back."""
    desk = Desk(ValueError(SECRET))
    once = OnceOnly(desk, remembered=1)
    first = asyncio.create_task(once.transfer(REQUEST))
    await asyncio.sleep(0)
    second = asyncio.create_task(once.transfer(REQUEST))
    await asyncio.sleep(0)
    first.cancel()
    assert await second == TransferOutcome(False, "cancelled", 1, repeated=True)
    desk.answers.set()
    other = transfer_request("another call", [])
    with pytest.raises(ValueError, match=SECRET):
        await once.transfer(other)
    assert await once.transfer(other) == TransferOutcome(
        False, "raised ValueError", 1, repeated=True
    )
    assert len(once._outcomes) == 1


async def test_a_waiting_second_request_can_be_cancelled_alone() -> None:
    """Cancelling the one who waits must not take the transfer away from the first."""
    desk = Desk(TransferOutcome(True, "HTTP 200"))
    once = OnceOnly(desk)
    first = asyncio.create_task(once.transfer(REQUEST))
    await asyncio.sleep(0)
    second = asyncio.create_task(once.transfer(REQUEST))
    await asyncio.sleep(0)
    second.cancel()
    await asyncio.wait([second])
    desk.answers.set()
    assert (await first).ok


async def test_the_packet_goes_with_the_call(
    server: FakeServer, naps: Naps, caplog: pytest.LogCaptureFixture
) -> None:
    """A packet that does not arrive must not undo a call that does."""
    caplog.set_level(logging.WARNING)
    desk = Desk(TransferOutcome(True, "HTTP 200"))
    desk.answers.set()
    both = WithPacket(desk, packet_to=target("webhook", server.url, naps))
    assert (await both.transfer(REQUEST)).ok
    assert len(server.seen) == 1
    server.replies = [Reply(404)]
    assert (await both.transfer(REQUEST)).ok
    assert "transfer packet not delivered" in caplog.text


async def test_a_function_can_be_a_target() -> None:
    """A transport's own transfer answers None or an error, may raise, and may hang."""

    async def works(request: TransferRequest) -> None:
        assert request is REQUEST

    async def refuses(request: TransferRequest) -> str:
        return SECRET

    async def raises(request: TransferRequest) -> None:
        raise RuntimeError(SECRET)

    async def hangs(request: TransferRequest) -> None:
        await asyncio.sleep(3600)

    details = [
        (await FunctionTransfer(function, budget_s=0.05).transfer(REQUEST)).detail
        for function in (works, refuses, raises, hangs)
    ]
    assert details == ["accepted", "refused", "raised RuntimeError", "no answer in time"]
