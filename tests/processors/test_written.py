"""What a caller types and keys: told from what the operator appends, and decided like speech."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from pipecat.audio.dtmf.types import KeypadEntry
from pipecat.frames.frames import (
    InputDTMFFrame,
    InterruptionFrame,
    LLMMessagesAppendFrame,
    TTSSpeakFrame,
    UserAudioRawFrame,
)
from pipecat.processors.aggregators.dtmf_aggregator import DTMFAggregator
from pipecat.processors.frameworks.rtvi import models as rtvi_models

from pipecat_deescalate.models.reader import CallReader
from pipecat_deescalate.models.readings import UnknownReason
from pipecat_deescalate.processors import InferencePool
from pipecat_deescalate.processors.session.keypad import asks_for_number, entries_in, human_key

from ..pipelines import Running, running
from .bots import ASKS, Bot, says
from .guarded import Guarded


def appended(text: str, role: str = "user") -> LLMMessagesAppendFrame:
    message: Any = {"role": role, "content": text}
    return LLMMessagesAppendFrame(messages=[message], run_llm=True)


def sent(text: str, *, run: bool = True) -> rtvi_models.Message:
    """What a client's `send-text` looks like on the wire."""
    data = {"content": text, "options": {"run_immediately": run}}
    return rtvi_models.Message(label=rtvi_models.MESSAGE_LABEL, type="send-text", id="1", data=data)


async def press(call: Running, keys: str) -> None:
    for key in keys:
        await call.send(InputDTMFFrame(KeypadEntry(key)))
        await asyncio.sleep(0.3)


@pytest.mark.parametrize("spoken_first", [True, False])
async def test_a_typed_request_is_one(*, spoken_first: bool, pool: InferencePool) -> None:
    """A caller who cannot or will not speak must reach a human as well as one who does."""
    bot = Bot(pool)
    async with running(*bot.parts) as call:
        if spoken_first:
            await says(call, "hello")
        await call.send(InterruptionFrame(), appended(ASKS))
        await call.until(lambda: bot.guarded.desk.requests)
    last = bot.call.turns[-1]
    assert last.text == ASKS
    assert last.reading.voice.p_negative is None
    assert last.reading.voice.reason is UnknownReason.NOT_SPOKEN
    assert len(bot.llm.runs) == spoken_first


@pytest.mark.parametrize("run", [True, False])
async def test_what_an_rtvi_client_types_is_known_by_name(
    *, run: bool, pool: InferencePool
) -> None:
    """Also where the client wants no reply, and no run of the LLM follows."""
    bot = Bot(pool)
    async with running(*bot.parts, rtvi=True) as call:
        await call.worker.rtvi.handle_message(sent(ASKS, run=run))
        await call.until(lambda: bot.guarded.desk.requests)
        await asyncio.sleep(2.0)
    assert bot.said == [ASKS]


async def test_what_somebody_else_types_is_not_the_callers(pool: InferencePool) -> None:
    """A supervisor in the room asks for no human."""
    bot = Bot(pool)
    async with running(*bot.parts, rtvi=True) as call:
        for user in "AB":
            await call.send(UserAudioRawFrame(bytes(640), 16_000, 1, user_id=user))
        await call.until(lambda: bot.call.others)
        await call.worker.rtvi.handle_message(sent(ASKS, run=False), "B")
        await asyncio.sleep(3.0)
    assert bot.call.turns == []


async def test_a_typed_turn_is_guided(pool: InferencePool) -> None:
    """Swearing that is typed is answered like swearing that is said."""
    bot = Bot(pool)
    async with running(*bot.parts, rtvi=True) as call:
        await call.worker.rtvi.handle_message(sent("this is fucking useless, you fucking idiots"))
        await bot.until_decided(call, 1)
        await call.until(lambda: bot.llm.runs)
    assert bot.call.turns[0].decision.action.value in {"empathize", "offer_human"}
    assert bot.llm.guided(0)


async def test_a_text_channel_of_the_bots_own_says_what_was_typed(pool: InferencePool) -> None:
    """A bot that runs its LLM without an interruption can still tell us."""
    bot = Bot(pool)
    async with running(*bot.parts) as call:
        bot.guarded.mitigation.typed(ASKS)
        await call.send(appended(ASKS))
        await call.until(lambda: bot.guarded.desk.requests)
    assert bot.said == [ASKS]
    assert bot.llm.runs == []


async def test_a_scripted_bot_answers_what_is_typed(pool: InferencePool) -> None:
    """Without an LLM no context comes that the turn would be decided with."""
    guarded = Guarded(pool, 0.05, reader=CallReader(), scripted=True)
    async with running(*guarded.parts) as call:
        guarded.mitigation.typed(ASKS)
        await call.until(lambda: guarded.actions)


async def test_what_is_typed_while_speaking_belongs_to_the_turn(pool: InferencePool) -> None:
    """One turn, decided once, with both."""
    bot = Bot(pool)
    async with running(*bot.parts) as call:
        spoken = asyncio.create_task(says(call, "my card"))
        await asyncio.sleep(0)
        await call.until(lambda: bot.call.turn is not None)
        bot.guarded.mitigation.typed("4 5 6")
        await spoken
        await bot.until_decided(call, 1)
    assert len(bot.said) == 1
    assert sorted((bot.said[0] or "").split()) == ["4", "5", "6", "card", "my"]


@pytest.mark.parametrize("role", ["user", "developer"])
async def test_what_the_operator_appends_is_nobodys_turn(role: str, pool: InferencePool) -> None:
    """A nudge after a key, or out of the blue, has the same role as a caller's message."""
    bot = Bot(pool)
    async with running(*bot.parts) as call:
        await call.send(appended(ASKS, role))
        await call.until(lambda: len(bot.llm.runs) == 1)
        await call.send(InputDTMFFrame(KeypadEntry.FIVE), InterruptionFrame(), appended(ASKS, role))
        await call.until(lambda: len(bot.llm.runs) == 2)
        await asyncio.sleep(3.0)
    assert bot.call.turns == []
    assert list(bot.call.dialogue) == [] or {one.speaker for one in bot.call.dialogue} == {"bot"}


@pytest.mark.parametrize(
    ("keys", "asks"),
    [("0", True), ("#0", True), ("0#", True), ("1000#", False), ("000#", False), ("1", False)],
)
async def test_a_key_asks_for_a_human(keys: str, *, asks: bool, pool: InferencePool) -> None:
    """Zero is how callers have left a machine for fifty years; an account number is none."""
    bot = Bot(pool)
    async with running(*bot.parts) as call:
        await press(call, keys)
        await asyncio.sleep(3.0)
    assert len(bot.guarded.desk.requests) == asks
    assert bot.said == ([f"DTMF: {keys.rstrip('#')}"] if asks else [])


async def test_no_key_asks_where_none_is_configured(pool: InferencePool) -> None:
    """An operator's menu may use 0 for something else."""
    bot = Bot(pool, human_keys=())
    async with running(*bot.parts) as call:
        await press(call, "0")
        await asyncio.sleep(3.0)
    assert bot.call.turns == []


async def test_a_key_answers_a_bot_that_asks_for_a_number(pool: InferencePool) -> None:
    """A zero may be all that a caller has to enter."""
    bot = Bot(pool)
    async with running(*bot.parts) as call:
        await call.send(TTSSpeakFrame("How many children do you have? Enter the number."))
        await call.sees(TTSSpeakFrame)
        await press(call, "0")
        await asyncio.sleep(3.0)
    assert bot.call.turns == []


async def test_keys_that_come_as_words_count_once(pool: InferencePool) -> None:
    """Pipecat's aggregator passes the keys and then says what they were."""
    bot = Bot(pool)
    async with running(DTMFAggregator(timeout=0.3), *bot.parts) as call:
        await press(call, "0")
        await call.until(lambda: bot.guarded.desk.requests)
        await asyncio.sleep(3.0)
    assert bot.said == ["DTMF: 0"]
    assert bot.llm.runs == []


@pytest.mark.parametrize(
    ("text", "entries", "spoken"),
    [
        ("DTMF: 0", ["0"], None),
        ("DTMF: 0#", ["0"], None),
        ("DTMF: #", ["#"], None),
        ("my code is DTMF: 1000# yes", ["1000"], "my code is   yes"),
        ("zero", [], "zero"),
    ],
)
def test_entries_are_told_from_speech(text: str, entries: list[str], spoken: str | None) -> None:
    """Digits that were keyed are no words of a caller's mood."""
    assert entries_in(text) == (entries, spoken)


@pytest.mark.parametrize(
    ("prompt", "state", "asks"),
    [
        (None, None, False),
        ("How can I help you today?", None, False),
        ("Please enter your PIN.", None, True),
        ("¿Cuál es su número de cuenta?", None, True),
        ("Saisissez votre code.", None, True),
        ("Wie lautet Ihre Kundennummer?", None, True),
        (None, "ask_account_number", True),
        ("Press 1 for billing, 2 for sales.", None, False),
        ("Press 1 for billing, or 0 to speak to an agent.", None, False),
        ("Press 0 to hear this again.", None, True),
    ],
)
def test_a_bot_that_asks_for_digits_gets_them(
    prompt: str | None, state: str | None, *, asks: bool
) -> None:
    """Where digits were asked for, a zero is one of them."""
    assert asks_for_number(prompt, state) is asks
    assert human_key(["0"], ("0",), prompt, state) == (None if asks else "0")
