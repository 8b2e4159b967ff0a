"""A guarded phone bot, called over a telephone network on loopback.

Time is real here: Pipecat paces a line by the machine's clock, 20 ms a frame, and a caller waits
until the bot has spoken.
"""

from __future__ import annotations

import asyncio
import json
import runpy
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from fastapi import Response, WebSocket
from httpx import AsyncClient
from pipecat.audio.dtmf.types import KeypadEntry
from pipecat.frames.frames import InputDTMFFrame, UserAudioRawFrame
from pipecat.runner.types import RunnerArguments
from pipecat.runner.utils import parse_telephony_websocket

from pipecat_deescalate import load_policy
from pipecat_deescalate.agent.deescalator import Deescalator
from pipecat_deescalate.models.errors import PolicyError
from pipecat_deescalate.policies import MitigationPolicy
from pipecat_deescalate.policies.transfer.request import (
    TransferOutcome,
    TransferRequest,
    WithPacket,
)
from pipecat_deescalate.policies.transfer.vendors import FunctionTransfer, TwilioTransfer
from pipecat_deescalate.policies.types import Action

from ..hygiene import no_tasks_left, no_threads_left, pipecat_errors
from ..pipelines import Desk, Scripted, running
from ..processors.guarded import a_context, take_turn
from ..telephony import RATE, FakeTwilio, answering, serving
from .demo.phone_bot import HUM, HUM_S, FakeOpenAI, PhoneBot, a_transport, callers_speech

__all__ = ["no_tasks_left", "no_threads_left", "pipecat_errors"]

CHARGED_TWICE = callers_speech(4.4, 5.4)
NO = callers_speech(21.9, 22.9)


def at_once() -> MitigationPolicy:
    """A policy that hands over at the first negative turn."""
    return load_policy("eager").model_copy(
        update={"expected_negative_rate": 0.5, "least_turn_evidence": 0, "transfer_after": 1}
    )


async def until(condition: Callable[[], object], timeout_s: float = 8.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.01)


def transfer_to(twilio: FakeTwilio) -> TwilioTransfer:
    return TwilioTransfer(
        to="+15550100",
        account_sid="AC1",
        auth_token="x",  # noqa: S106 - nobody's
        base_url=twilio.base_url,
    )


async def test_what_the_llm_is_told_on_the_wire() -> None:
    """The guidance must reach the model for the turn that needs it, and be gone in the next."""
    llm = FakeOpenAI("I am sorry. Let me look.", "You are welcome.")
    async with FakeTwilio() as twilio, serving(llm.app) as address:
        bot = PhoneBot(
            lambda sid: Deescalator("balanced", Scripted(0.95, 0.05), call_id=sid),
            llm=address,
            texts=("I was charged twice, this is ridiculous", "thank you"),
        )
        async with answering(bot) as url, twilio.dial(url) as phone:
            await phone.say(CHARGED_TWICE)
            await until(lambda: bot.guards and bot.guards[0].record().turns)
            await until(lambda: bot.tts[0].said)
            await asyncio.sleep(0.8)
            await phone.say(NO)
            await until(lambda: len(llm.requests) == 2)
            await phone.hang_up()
            await bot.ended.wait()
    first, second = (request["messages"] for request in llm.requests)
    assert [message["role"] for message in first] == ["system", "user", "developer"]
    assert first[1]["content"] == "I was charged twice, this is ridiculous"
    assert "was misunderstood" in first[2]["content"]
    assert "developer" not in [message["role"] for message in second]
    assert [message["role"] for message in second][-1] == "user"
    assert all(message["role"] != "developer" for message in bot.context.get_messages())
    record = bot.guards[0].record()
    assert [turn.decision.action for turn in record.turns] == [Action.OFFER_HUMAN, Action.PROCEED]
    assert record.turns[0].text is None
    assert record.call_id == "CA1"
    assert record.sample_rate == 8_000
    assert json.loads(json.dumps(record.to_dict()))["source"] == "live"


@pytest.mark.parametrize("barge_in", [False, True])
async def test_the_hand_over_is_heard_in_full_and_then_happens(*, barge_in: bool) -> None:
    """A caller who is put through without a word, or cut off, calls again and angrier."""
    async with FakeTwilio() as twilio:
        bot = PhoneBot(
            lambda sid: Deescalator(at_once(), Scripted(0.95), transfer_to(twilio), call_id=sid)
        )
        async with answering(bot) as url, twilio.dial(url) as phone:
            await phone.say(CHARGED_TWICE)
            await until(lambda: bot.tts[0].said)
            if barge_in:
                await asyncio.sleep(0.2)
                await phone.say(NO)
            await until(lambda: twilio.requests)
            await bot.ended.wait()
            heard = phone.heard()
    (sentence,) = bot.tts[0].said
    whole = bot.tts[0].samples(sentence) / 8_000
    assert bot.tts[0].heard_s(sentence, phone.received()) == pytest.approx(whole, abs=0.005)
    assert bot.tts[0].heard_s(sentence, heard) == pytest.approx(whole, abs=0.005)
    ((sid, form),) = twilio.requests
    assert sid == "CA1"
    assert "<Dial" in form["Twiml"]
    assert "Status" not in form


async def test_a_caller_who_hangs_up_during_the_transfer() -> None:
    """Nobody must be rung for a caller who has gone, and nothing may run on."""
    async with FakeTwilio() as twilio:
        asked = asyncio.Event()

        async def never() -> Response:
            asked.set()
            await asyncio.sleep(2.5)
            return Response("{}", 500)

        twilio.answer = never
        bot = PhoneBot(
            lambda sid: Deescalator(at_once(), Scripted(0.95), transfer_to(twilio), call_id=sid)
        )
        async with answering(bot) as url, twilio.dial(url) as phone:
            await phone.say(CHARGED_TWICE)
            await asyncio.wait_for(asked.wait(), 8)
            await phone.hang_up()
            await asyncio.wait_for(bot.ended.wait(), 5)
    assert len(twilio.requests) == 1


async def test_the_packet_arrives_though_the_line_closes_first() -> None:
    """Twilio ends the stream as it takes the call; a human without a packet knows nothing."""
    received: list[str] = []

    async def desk(request: TransferRequest) -> None:
        await asyncio.sleep(0.5)
        received.append(request.call_id)

    async with FakeTwilio() as twilio:
        bot = PhoneBot(
            lambda sid: Deescalator(
                at_once(),
                Scripted(0.95),
                WithPacket(transfer_to(twilio), packet_to=FunctionTransfer(desk)),
                call_id=sid,
            )
        )
        async with answering(bot) as url, twilio.dial(url) as phone:
            await phone.say(CHARGED_TWICE)
            await until(lambda: twilio.requests)
            await bot.ended.wait()
    assert received == ["CA1"]


async def test_a_refused_transfer_is_heard_and_the_bot_goes_on() -> None:
    """Wrong credentials must not end in silence on the line."""
    llm = FakeOpenAI("Then let us go on.")
    outcomes: list[TransferOutcome] = []

    async with FakeTwilio() as twilio, serving(llm.app) as address:

        async def refused() -> Response:
            return Response('{"code": 20003}', 401, media_type="application/json")

        def guard(sid: str) -> Deescalator:
            one = Deescalator(at_once(), Scripted(0.95), transfer_to(twilio), call_id=sid)

            @one.event_handler("on_outcome")
            async def _(_processor: object, outcome: TransferOutcome) -> None:
                outcomes.append(outcome)

            return one

        twilio.answer = refused
        bot = PhoneBot(guard, llm=address, texts=("this is ridiculous", "thank you"))
        async with answering(bot) as url, twilio.dial(url) as phone:
            await phone.say(CHARGED_TWICE)
            await until(lambda: len(bot.tts[0].said) == 2)
            sorry = bot.tts[0].said[1]
            whole = bot.tts[0].samples(sorry) / 8_000
            await until(lambda: bot.tts[0].heard_s(sorry, phone.heard()) > whole - 0.005)
            assert llm.requests == []
            await phone.say(NO)
            await until(lambda: llm.requests)
            await until(lambda: len(bot.tts[0].said) == 3)
            await phone.hang_up()
            await bot.ended.wait()
    assert len(twilio.requests) == 1
    assert [outcome.ok for outcome in outcomes] == [False]
    roles = [message["role"] for message in llm.requests[0]["messages"]]
    assert roles.count("assistant") == 2


async def test_a_scripted_bot_with_the_bundled_model_and_two_callers() -> None:
    """Calls share the model and its threads, and nothing else."""
    bot = PhoneBot(lambda sid: Deescalator(call_id=sid))
    async with (
        FakeTwilio() as twilio,
        answering(bot) as url,
        twilio.dial(url, "CA1") as one,
        twilio.dial(url, "CA2") as other,
    ):
        await asyncio.gather(one.say(CHARGED_TWICE), other.say(NO))
        await until(lambda: len(bot.guards) == 2 and all(g.record().turns for g in bot.guards))
        await until(lambda: all(tts.said for tts in bot.tts))
        await one.hang_up()
        await other.hang_up()
        await bot.ended.wait()
    for guard in bot.guards:
        record = guard.record()
        assert record.model == guard.record().turns[0].reading.voice.model
        assert record.turns[0].reading.voice.p_negative is not None
        assert guard.faults == {}
    assert {guard.record().call_id for guard in bot.guards} == {"CA1", "CA2"}


async def test_a_hung_model_costs_the_caller_no_reply() -> None:
    """Whatever our model does, the bot must answer in full, and the turn stay unknown."""
    model = Scripted(0.5)
    model.gate.clear()
    bot = PhoneBot(lambda sid: Deescalator("balanced", model, call_id=sid))
    async with FakeTwilio() as twilio, answering(bot) as url, twilio.dial(url) as phone:
        await phone.say(CHARGED_TWICE)
        await until(lambda: bot.tts[0].said)
        (reply,) = bot.tts[0].said
        whole = bot.tts[0].samples(reply) / 8_000
        await until(lambda: bot.tts[0].heard_s(reply, phone.heard()) > whole - 0.005)
        await phone.hang_up()
        await bot.ended.wait()
    model.gate.set()
    assert bot.guards[0].record().turns[0].reading.log_likelihood_ratio is None
    assert bot.guards[0].faults == {"late": 1}


async def test_the_example_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bot that users copy must work as it stands."""
    path = Path(__file__).parents[2] / "examples" / "02_add_to_pipeline.py"
    openai = FakeOpenAI("Hello.", "Let me see.", hears="it is about the second charge")
    async with FakeTwilio() as twilio, serving(openai.app) as address:
        monkeypatch.setenv("OPENAI_BASE_URL", f"http://{address}/v1")
        monkeypatch.setenv("OPENAI_API_KEY", "none")
        example = runpy.run_path(str(path))
        arguments = RunnerArguments()

        async def bot(websocket: WebSocket) -> None:
            _, data = await parse_telephony_websocket(websocket)
            await example["run_bot"](a_transport(websocket, data), arguments)

        async with answering(bot) as url, twilio.dial(url) as phone:
            await until(lambda: openai.said)
            await asyncio.sleep(0.6)
            await phone.say(NO)
            await until(lambda: len(openai.said) == 2)
            await phone.hang_up()
    assert openai.said == ["Hello.", "Let me see."]
    roles = [message["role"] for message in openai.requests[1]["messages"]]
    assert roles[-1] in {"user", "developer"}


async def test_the_phone_example_hands_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """A caller who asks for a human on the example's line must be put through, as announced."""
    path = Path(__file__).parents[2] / "examples" / "03_full_bot.py"
    openai = FakeOpenAI("Never asked.", hears="let me talk to a real person please")
    async with FakeTwilio() as twilio, serving(openai.app) as address:
        for name, value in {
            "OPENAI_BASE_URL": f"http://{address}/v1",
            "OPENAI_API_KEY": "none",
            "TWILIO_ACCOUNT_SID": "AC1",
            "TWILIO_AUTH_TOKEN": "x",
            "TRANSFER_TO": "+15550100",
            "PUBLIC_HOST": "bot.example",
            "TTS_VOICE": "alloy",
        }.items():
            monkeypatch.setenv(name, value)
        example = runpy.run_path(str(path))
        here = partial(TwilioTransfer, base_url=twilio.base_url)
        monkeypatch.setitem(example["run_bot"].__globals__, "TwilioTransfer", here)
        async with serving(example["app"]) as bot:
            async with AsyncClient() as web:
                twiml = (await web.post(f"http://{bot}/")).text
            assert '<Stream url="wss://bot.example/ws"/>' in twiml
            async with twilio.dial(f"ws://{bot}/ws") as phone:
                await until(lambda: openai.said)
                await asyncio.sleep(0.8)
                await phone.say(NO)
                await until(lambda: twilio.requests)
    assert "<Dial" in twilio.requests[0][1]["Twiml"]
    assert len(openai.said) == 2
    hummed_s = np.count_nonzero(phone.received() > HUM // 2) / RATE
    assert hummed_s == pytest.approx(2 * HUM_S, abs=0.05)
    assert openai.requests == []


async def test_settings_are_checked_when_the_guard_is_built() -> None:
    """A wrong name must fail where it is written, not in the first call."""
    with pytest.raises(PolicyError):
        Deescalator("baalnced", Scripted(0.5))
    guard = Deescalator("balanced", Scripted(0.5))
    with pytest.raises(ValueError, match="on_emotoin"):
        guard.event_handler("on_emotoin")
    assert len(guard.record().call_id) == 32


async def test_the_dialog_state_reaches_the_policy() -> None:
    """Where the bot says that it is, the policy may have other rules."""
    policy = load_policy("balanced").model_copy(
        update={"dialog_states": {"payment": {"highest_action": "proceed"}}}
    )
    guard = Deescalator(policy, Scripted(0.95), keep_text=True, scripted=False)
    assert guard.dialog_state is None
    guard.dialog_state = "payment"
    async with running(guard.listen(), guard.speak(), guard.hand_over()) as call:
        for _ in range(2):
            await take_turn(call, a_context("no"))
    record = guard.record()
    assert [turn.decision.action for turn in record.turns] == [Action.PROCEED] * 2
    assert {turn.decision.evidence.dialog_state for turn in record.turns} == {"payment"}
    assert [turn.text for turn in record.turns] == ["no", "no"]


async def test_what_is_typed_or_keyed_reaches_the_guard() -> None:
    """An operator sets and calls this on the guard, not on its parts."""
    guard = Deescalator(
        "balanced",
        Scripted(0.05),
        transfer=(desk := Desk()),
        scripted=False,
        keep_text=True,
        participant="B",
        human_keys=("9",),
    )
    async with running(guard.listen(), guard.speak(), guard.hand_over()) as call:
        await call.send(UserAudioRawFrame(bytes(640), 16_000, 1, user_id="A"))
        guard.caller_typed("my card is blocked")
        await call.until(lambda: guard.record().turns)
        await call.send(*(InputDTMFFrame(KeypadEntry(key)) for key in "0#9#"))
        await call.until(lambda: desk.requests)
    record = guard.record()
    assert [turn.text for turn in record.turns] == ["my card is blocked", "DTMF: 9"]
    assert record.duration_s == 0.0
    assert record.warnings == ("participants: 1 times",)
