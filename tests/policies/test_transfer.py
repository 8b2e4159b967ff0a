"""What a human is told, and at most once."""

from __future__ import annotations

import asyncio
import logging

import httpx
import pytest

from pipecat_deescalate.policies import Level
from pipecat_deescalate.policies.transfer.request import (
    OnceOnly,
    TransferOutcome,
    TransferRequest,
    Utterance,
    WithPacket,
    summarize,
    transfer_request,
)
from pipecat_deescalate.policies.transfer.vendors import FunctionTransfer

from ..fakes import FakeServer, Reply
from .fake_vendors import (
    CALL,
    REQUEST,
    SECRET,
    Naps,
    records,
    target,
)


def test_a_request_holds_what_a_human_needs() -> None:
    """Reason, course and readings must come from the decisions, the words only if kept."""
    request = transfer_request(CALL, records())
    assert request.level is Level.DISTRESSED
    assert request.reason.startswith("voice 0.75")
    assert [one.p_negative for one in request.turns] == [
        pytest.approx(p, abs=0.01) for p in (0.12, 0.75, 0.75)
    ]
    assert request.asked is None
    assert request.transcript == ()
    first, second = request.summary.split("\n")
    assert first == "3 caller turns until 0:03; distressed since 0:02"
    assert second.startswith("Handed over because: voice 0.75")
    assert second.endswith("Signs: has been waiting.")


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
    assert await second == TransferOutcome(False, "cancelled", repeated=True, unknown=True)
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
    both = WithPacket(desk, packet_to=target("webhook", server.url, naps, attempts=1))
    assert (await both.transfer(REQUEST)).ok
    assert len(server.seen) == 1
    for reply, event in (
        (Reply(404), "transfer packet not delivered"),
        (Reply(drop=True), "transfer packet perhaps not delivered"),
    ):
        server.replies = [reply]
        assert (await both.transfer(REQUEST)).ok
        assert event in [one.getMessage() for one in caplog.records]


async def test_a_packet_that_raises_does_not_stop_the_call() -> None:
    """A target of one's own may be broken; the caller must be put through all the same."""

    class Broken:
        async def transfer(self, request: TransferRequest) -> TransferOutcome:
            raise RuntimeError(SECRET)

    desk = Desk(TransferOutcome(True, "HTTP 200"))
    both = asyncio.create_task(WithPacket(desk, packet_to=Broken()).transfer(REQUEST))
    await asyncio.sleep(0.01)  # the packet fails first
    desk.answers.set()
    assert (await both).ok


async def test_a_function_can_be_a_target() -> None:
    """A transport's own transfer answers None or an error, may raise, and may hang."""

    async def works(request: TransferRequest) -> None:
        assert request is REQUEST

    async def refuses(request: TransferRequest) -> str:
        return SECRET

    async def declines(request: TransferRequest) -> bool:
        return False

    async def raises(request: TransferRequest) -> None:
        raise RuntimeError(SECRET)

    async def hangs(request: TransferRequest) -> None:
        await asyncio.sleep(3600)

    async def knows(request: TransferRequest) -> TransferOutcome:
        return TransferOutcome(False, "the desk is silent", unknown=True)

    outcomes = [
        await FunctionTransfer(function, budget_s=0.05).transfer(REQUEST)
        for function in (works, refuses, declines, raises, hangs, knows)
    ]
    details = [outcome.detail for outcome in outcomes]
    assert details[:3] == ["accepted", "refused", "refused"]
    assert details[3:] == ["raised RuntimeError", "no answer in time", "the desk is silent"]
    assert [one.status for one in outcomes] == ["accepted", *["failed"] * 3, *["unknown"] * 2]


@pytest.mark.parametrize(("lost", "status"), [(True, "unknown"), (False, "failed")])
async def test_a_function_that_loses_an_answer_does_not_know(
    *, lost: bool, status: str, server: FakeServer
) -> None:
    """A function's own request may have arrived; one that was never connected did not."""
    server.replies = [Reply(drop=True)]
    url = server.url if lost else "http://127.0.0.1:9"

    async def asks(_request: TransferRequest) -> None:
        async with httpx.AsyncClient() as client:
            await client.post(url)

    assert (await FunctionTransfer(asks).transfer(REQUEST)).status == status
