"""What happens when a vendor does not answer as it should."""

from __future__ import annotations

import asyncio
import base64
import logging
import socket
import time
from email.utils import formatdate

import pytest

from pipecat_deescalate.policies.transfer.http_target import Limits, Sender
from pipecat_deescalate.policies.transfer.request import TransferOutcome, transfer_request
from pipecat_deescalate.policies.transfer.vendors import TelnyxTransfer

from ..fakes import HANG, FakeServer, Reply
from .fake_vendors import (
    CALL,
    REPEATABLE,
    REQUEST,
    SECRET,
    VENDORS,
    WHSEC,
    YES,
    Naps,
    records,
    target,
)


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


SEEN_BEFORE = {
    "webhook": Reply(409, "duplicate"),
    "telnyx": Reply(422, '{"errors": [{"code": "90018", "title": "Call has already ended"}]}'),
}


@pytest.mark.parametrize("fault", ["hang", "drop", 502, 504, 500])
@pytest.mark.parametrize("vendor", SEEN_BEFORE)
async def test_what_a_vendor_has_done_before_is_done(
    vendor: str, fault: str | int, server: FakeServer, naps: Naps
) -> None:
    """A caller must not hear that nobody could be reached while the desk has the call."""
    first = Reply(fault) if isinstance(fault, int) else AMBIGUOUS[fault][0]
    server.replies = [first, SEEN_BEFORE[vendor]]
    outcome = await target(vendor, server.url, naps, attempt_s=0.2).transfer(REQUEST)
    assert (outcome.status, outcome.attempts) == ("accepted", 2)
    assert f", then HTTP {SEEN_BEFORE[vendor].status}" in outcome.detail


@pytest.mark.parametrize("before", [[], [Reply(429)]])
@pytest.mark.parametrize("vendor", SEEN_BEFORE)
async def test_a_conflict_at_the_first_attempt_is_a_refusal(
    vendor: str, before: list[Reply], server: FakeServer, naps: Naps
) -> None:
    """Nothing of ours arrived before it: nobody has the call."""
    server.replies = [*before, SEEN_BEFORE[vendor]]
    outcome = await target(vendor, server.url, naps).transfer(REQUEST)
    assert outcome.status == "failed"


@pytest.mark.parametrize("last", [Reply(400, '{"code": 21220}'), Reply(404), Reply(500), HANG])
@pytest.mark.parametrize("vendor", REPEATABLE)
async def test_after_a_lost_answer_a_refusal_says_nothing(
    vendor: str,
    last: Reply,
    server: FakeServer,
    naps: Naps,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The call may be the human's, or over because it was: nobody knows, and nobody may say so."""
    server.replies = [Reply(drop=True), last]
    outcome = await target(vendor, server.url, naps, attempt_s=0.2, attempts=3).transfer(REQUEST)
    assert outcome.status == "unknown"
    assert not outcome.ok
    assert "transfer outcome unknown" in caplog.text
    assert "transfer failed" not in caplog.text


@pytest.mark.parametrize("fault", [*AMBIGUOUS, 502, 504])
async def test_a_lost_answer_that_is_not_asked_for_again_is_unknown(
    fault: str | int, server: FakeServer, naps: Naps
) -> None:
    """Daily may be ringing the human: the caller must not hear that it is not."""
    server.replies = [Reply(fault) if isinstance(fault, int) else AMBIGUOUS[fault][0]]
    outcome = await target("daily", server.url, naps, attempt_s=0.2).transfer(REQUEST)
    assert outcome.status == "unknown"


@pytest.mark.parametrize("status", [500, 503])
async def test_a_vendor_that_says_it_failed_has_failed(
    status: int, server: FakeServer, naps: Naps
) -> None:
    """Nothing was lost on the way: a caller must not wait in silence for an outage to end."""
    server.replies = [Reply(status)]
    outcome = await target("twilio", server.url, naps).transfer(REQUEST)
    assert (outcome.status, outcome.detail) == ("failed", f"HTTP {status}")


async def test_a_vendor_that_never_answers_costs_no_more_than_the_budget(
    server: FakeServer,
) -> None:
    """The caller must hear within the budget that nobody could be reached."""
    server.replies = [HANG]
    sender = Sender(Limits(budget_s=1.0, attempt_s=0.8, first_delay_s=0.02))
    telnyx = TelnyxTransfer(to="+15550100123", api_key="k", base_url=server.url, sender=sender)
    started = time.monotonic()
    outcome = await telnyx.transfer(REQUEST)
    assert time.monotonic() - started < 1.4
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
    sending = asyncio.create_task(target("twilio", server.url, naps).transfer(REQUEST))
    await server.arrived.wait()
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    assert await server.all_closed()


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
