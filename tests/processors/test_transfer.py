"""The hand-over at the end of the pipeline: once, without hanging up, and what if it fails."""

from __future__ import annotations

import asyncio
import logging

import pytest
from pipecat.frames.frames import InputAudioRawFrame
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.processors.frameworks.rtvi import RTVIServerMessageFrame

from pipecat_deescalate.policies import load_policy
from pipecat_deescalate.policies.transfer.request import TransferOutcome, TransferRequest
from pipecat_deescalate.policies.transfer.vendors import FunctionTransfer
from pipecat_deescalate.policies.types import Level
from pipecat_deescalate.processors import (
    GuardSpeakFrame,
    LiveCall,
    TransferCallFrame,
    TransferProcessor,
    transfer,
)

from ..pipelines import Desk, audio_frames, running


class Say:
    """A function that answers with an outcome of its own."""

    def __init__(self, outcome: TransferOutcome) -> None:
        self._outcome = outcome

    async def __call__(self, request: TransferRequest) -> TransferOutcome:
        return self._outcome


REQUEST = TransferRequest("CA1", "asked for a human", Level.DISTRESSED, "Two lines.")


def a_call() -> LiveCall:
    return LiveCall(load_policy("balanced"), call_id="CA1")


async def test_frames_flow_while_the_call_is_handed_over() -> None:
    """A slow vendor must not stop the audio of the call that it is asked to take."""
    desk = Desk()
    desk.gate.clear()
    outcomes: list[TransferOutcome] = []
    processor = TransferProcessor(desk, settle_s=0.0)

    @processor.event_handler("on_outcome")
    async def _(_processor: FrameProcessor, outcome: TransferOutcome) -> None:
        outcomes.append(outcome)

    async with running(processor) as call:
        await call.send(TransferCallFrame(REQUEST))
        await call.until(lambda: desk.requests)
        await call.send(*audio_frames(1.0))
        await call.until(lambda: len(call.after.of(InputAudioRawFrame)) == 50)
        assert outcomes == []
        desk.gate.set()
        await call.until(lambda: outcomes)
    assert desk.requests == [REQUEST]
    assert outcomes == [TransferOutcome(True, "accepted")]
    (message,) = call.after.of(RTVIServerMessageFrame)
    assert message.data == {
        "type": "caller-transfer",
        "ok": True,
        "status": "accepted",
        "detail": "accepted",
    }
    assert not call.after.of(GuardSpeakFrame)


async def test_the_line_gets_time_to_play_what_was_written() -> None:
    """The last words are still in a buffer of the line when their frame has been written."""
    desk = Desk()
    async with running(TransferProcessor(desk, settle_s=0.2)) as call:
        await call.send(TransferCallFrame(REQUEST))
        await call.sees(TransferCallFrame)
        await asyncio.sleep(0.1)
        assert desk.requests == []
        await call.until(lambda: desk.requests)


async def test_a_second_request_is_ignored(caplog: pytest.LogCaptureFixture) -> None:
    """Two transfers of one call ring two humans."""
    desk = Desk()
    call_state = a_call()
    async with running(TransferProcessor(desk, call=call_state, settle_s=0.0)) as call:
        await call.send(TransferCallFrame(REQUEST), TransferCallFrame(REQUEST))
        await call.sees(TransferCallFrame, 2)
        await call.until(lambda: desk.requests)
        await call.send(TransferCallFrame(REQUEST))
        await call.sees(TransferCallFrame, 3)
    assert len(desk.requests) == 1
    assert call_state.faults.counts == {"transfer again": 2}
    assert len(caplog.records) == 1


@pytest.mark.parametrize("failure", ["refused", "raises", "cancels"])
async def test_a_failed_transfer_is_said_and_the_bot_goes_on(
    failure: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A caller who was promised a human and hears nothing more will hang up angry."""
    caplog.set_level(logging.DEBUG, "pipecat_deescalate")
    errors = {"raises": OSError("secret token 123"), "cancels": asyncio.CancelledError()}
    desk = Desk(ok=False, error=errors.get(failure))
    state = a_call()
    processor = TransferProcessor(desk, call=state, settle_s=0.0)
    async with running(processor) as call:
        assert state.hand_over.ready
        await call.send(TransferCallFrame(REQUEST))
        sentence = await call.sees(GuardSpeakFrame)
        await call.send(*audio_frames(0.2))
        await call.until(lambda: len(call.after.of(InputAudioRawFrame)) == 10)
    assert sentence.text
    assert sentence.interruptible
    assert not state.hand_over.ready
    assert "123" not in caplog.text
    assert "123" not in str(call.after.of(RTVIServerMessageFrame)[0].data)


@pytest.mark.parametrize("loss", ["hangs", "loses", "says so"])
async def test_what_nobody_knows_is_neither_success_nor_failure(loss: str) -> None:
    """A caller must not be told that nobody came while a human may be about to speak."""
    lost = TransferOutcome(False, "no answer in time", unknown=True)
    desk = Desk(error=ConnectionResetError() if loss == "loses" else None)
    if loss == "hangs":
        desk.gate.clear()
    target = FunctionTransfer(Say(lost)) if loss == "says so" else desk
    state = a_call()
    processor = TransferProcessor(target, call=state, settle_s=0.0, limit_s=0.1)
    async with running(processor) as call:
        await call.send(TransferCallFrame(REQUEST))
        message = await call.sees(RTVIServerMessageFrame)
        assert state.hand_over.taken
        await call.send(TransferCallFrame(REQUEST))
        await call.sees(TransferCallFrame, 2)
    assert (message.data["ok"], message.data["status"]) == (False, "unknown")
    assert not call.after.of(GuardSpeakFrame)
    assert state.faults.counts["transfer unknown"] == 1
    assert len(desk.requests) <= 1


async def test_without_a_target_nobody_counts_as_available() -> None:
    """A policy must not decide on a transfer that nobody carries out."""
    state = a_call()
    async with running(TransferProcessor(None, call=state)) as call:
        assert not state.hand_over.ready
        await call.send(TransferCallFrame(REQUEST))
        await call.sees(TransferCallFrame)
    assert state.faults.counts == {"transfer again": 1}


async def test_a_graceful_end_waits_for_the_transfer() -> None:
    """A bot that says goodbye and ends must not take back the hand-over that it announced."""
    desk = Desk()
    desk.gate.clear()
    async with running(TransferProcessor(desk, settle_s=0.0), end="none") as call:
        await call.send(TransferCallFrame(REQUEST))
        await call.until(lambda: desk.requests)
        await call.worker.stop_when_done()
        await asyncio.sleep(0.1)
        assert not desk.cancelled
        desk.gate.set()
    assert not desk.cancelled
    assert len(call.after.of(RTVIServerMessageFrame)) == 1


@pytest.mark.parametrize("settle_s", [0.0, 5.0])
async def test_a_caller_who_hangs_up_cancels_the_transfer(
    settle_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A human must not be rung for a caller who has gone."""
    monkeypatch.setattr(transfer, "GRACE_S", 0.1)
    desk = Desk()
    desk.gate.clear()
    state = a_call()
    processor = TransferProcessor(desk, call=state, settle_s=settle_s)
    async with running(processor, end="cancel") as call:
        await call.send(TransferCallFrame(REQUEST))
        await call.sees(TransferCallFrame)
        if not settle_s:
            await call.until(lambda: desk.requests)
    assert desk.cancelled == len(desk.requests)
    assert state.faults.counts["transfer unknown"] == len(desk.requests)


@pytest.mark.parametrize("ok", [True, False])
async def test_a_line_that_closes_does_not_take_back_a_transfer(*, ok: bool) -> None:
    """A vendor ends the bot's line as it takes the call; the human must get the packet still."""
    desk = Desk(ok=ok)
    desk.gate.clear()
    outcomes: list[bool] = []
    processor = TransferProcessor(desk, settle_s=0.0)

    @processor.event_handler("on_outcome")
    async def _(_processor: FrameProcessor, outcome: TransferOutcome) -> None:
        outcomes.append(outcome.ok)

    async with running(processor, end="cancel") as call:
        await call.send(TransferCallFrame(REQUEST))
        await call.until(lambda: desk.requests)
        asyncio.get_running_loop().call_later(0.3, desk.gate.set)
    assert not desk.cancelled
    assert outcomes == [ok]
    assert not call.after.of(GuardSpeakFrame)
