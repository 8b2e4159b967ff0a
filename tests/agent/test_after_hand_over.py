"""What becomes of the line once a call was handed over, with a serializer that hangs up.

Time is real here: Pipecat paces a line by the machine's clock.
"""

from __future__ import annotations

import asyncio

import pytest

from pipecat_deescalate.agent.deescalator import Deescalator
from pipecat_deescalate.policies.transfer.request import TransferOutcome, TransferRequest
from pipecat_deescalate.policies.transfer.vendors import FunctionTransfer
from pipecat_deescalate.processors import TransferProcessor

from ..hygiene import no_tasks_left, no_threads_left, pipecat_errors
from ..pipelines import Scripted
from ..telephony import FakeTwilio, answering
from .demo.phone_bot import PhoneBot
from .test_deescalator import CHARGED_TWICE, NO, at_once, until

__all__ = ["no_tasks_left", "no_threads_left", "pipecat_errors"]

LOST = TransferOutcome(False, "lost", unknown=True)


@pytest.mark.parametrize(
    ("answer", "resumes", "hangs_up"),
    [(None, False, False), (LOST, False, False), ("no", False, True), (None, True, True)],
)
async def test_a_bot_that_ends_hangs_up_no_call_that_a_human_has(
    answer: object, *, resumes: bool, hangs_up: bool
) -> None:
    """`auto_hang_up`, Pipecat's default, would take the caller away from the human."""

    async def take(_request: TransferRequest) -> object:
        return answer

    def guard(sid: str) -> Deescalator:
        one = Deescalator(at_once(), Scripted(0.95), FunctionTransfer(take), call_id=sid)

        @one.event_handler("on_outcome")
        async def _(processor: TransferProcessor, _outcome: TransferOutcome) -> None:
            if resumes:
                one.resume()
            await processor.pipeline_worker.stop_when_done()

        return one

    async with FakeTwilio() as twilio:
        bot = PhoneBot(guard, hang_up_at=twilio.base_url)
        async with answering(bot) as url, twilio.dial(url) as phone:
            await phone.say(CHARGED_TWICE)
            await asyncio.wait_for(bot.ended.wait(), 8)
    assert twilio.requests == ([("CA1", {"Status": "completed"})] if hangs_up else [])


async def test_the_bot_does_not_talk_over_the_human() -> None:
    """Where the line stays open, as on WebRTC, a bot that answers is heard by both."""

    async def take(_request: TransferRequest) -> None:
        return None

    bot = PhoneBot(
        lambda sid: Deescalator(at_once(), Scripted(0.95), FunctionTransfer(take), call_id=sid)
    )
    async with FakeTwilio() as twilio, answering(bot) as url, twilio.dial(url) as phone:
        await phone.say(CHARGED_TWICE)
        await until(lambda: bot.guards and not bot.guards[0].active)
        await phone.say(NO)
        await asyncio.sleep(1.0)
        (announcement,) = bot.tts[0].said
        bot.guards[0].resume()
        await phone.say(NO)
        await until(lambda: len(bot.tts[0].said) == 2)
        await phone.hang_up()
        await bot.ended.wait()
    assert len(bot.guards[0].record().turns) == 2
    assert announcement != bot.tts[0].said[1]
