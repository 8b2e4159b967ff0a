"""Stretches of a call in which the bot does not hear its caller, and turns that no VAD reports."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest
from pipecat.frames.frames import (
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    EagerTranscriptionFrame,
    FunctionCallResultFrame,
    FunctionCallsStartedFrame,
    ProposedUserStartedSpeakingFrame,
    ProposedUserStoppedSpeakingFrame,
)
from pipecat.turns.user_mute import (
    AlwaysUserMuteStrategy,
    FunctionCallUserMuteStrategy,
    MuteUntilFirstBotCompleteUserMuteStrategy,
)
from pipecat.turns.user_start import VADUserTurnStartStrategy
from pipecat.turns.user_stop import SpeechTimeoutUserTurnStopStrategy
from pipecat.turns.user_turn_strategies import (
    EagerUserTurnStrategies,
    ExternalUserTurnStrategies,
    FilterIncompleteUserTurnStrategies,
)

from pipecat_deescalate.processors import CallerEmotionFrame, InferencePool

from ..pipelines import Running, audio_frames, running, speech
from .bots import ASKS, Bot, hears, recognised, says
from .test_unanswered import Hears


async def bot_speaks(call: Running, seconds: float) -> None:
    await call.send(BotStartedSpeakingFrame())
    await asyncio.sleep(0.05)
    await hears(call, seconds)
    await call.send(BotStoppedSpeakingFrame())
    await asyncio.sleep(0.05)


async def a_function_runs(call: Running, seconds: float) -> None:
    made = SimpleNamespace(tool_call_id="t", function_name="x")
    await call.send(FunctionCallsStartedFrame(function_calls=[made]))  # type: ignore[list-item]  # all that is read
    await asyncio.sleep(0.05)
    await hears(call, seconds)
    await call.send(FunctionCallResultFrame("x", "t", {}, "ok", run_llm=False))
    await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    ("mutes", "goes_on"),
    [(AlwaysUserMuteStrategy, bot_speaks), (FunctionCallUserMuteStrategy, a_function_runs)],
)
async def test_time_goes_on_while_the_caller_is_muted(
    mutes: type, goes_on: type, pool: InferencePool
) -> None:
    """Times that stand still cut the wrong stretch out of the recording."""
    bot = Bot(pool, mutes=[mutes()])
    async with running(*bot.parts) as call:
        for count in (1, 2):
            await says(call, "my card is blocked")
            await bot.until_decided(call, count)
            await goes_on(call, 3.0)
    starts = [turn.reading.started_at_s for turn in bot.call.turns]
    assert starts == [pytest.approx(0.0, abs=0.1), pytest.approx(4.0, abs=0.1)]
    assert bot.guarded.emotion.capture.elapsed_s == pytest.approx(8.0)


async def test_time_begins_with_a_muted_greeting(pool: InferencePool) -> None:
    """A bot that hears nobody until it has greeted is in the call all the same."""
    bot = Bot(pool, mutes=[MuteUntilFirstBotCompleteUserMuteStrategy()])
    async with running(*bot.parts) as call:
        await hears(call, 5.0)
        await bot_speaks(call, 0.0)
        await says(call, "I want to pay my bill")
        await bot.until_decided(call, 1)
    assert bot.call.turns[0].reading.started_at_s == pytest.approx(5.0, abs=0.1)


async def test_speech_whose_stop_is_lost_in_a_mute_is_over(pool: InferencePool) -> None:
    """Else the next turn would begin before the mute, and hold all that came since."""
    bot = Bot(pool, mutes=[AlwaysUserMuteStrategy()])
    sound = speech(1.0, opens=False, closes=False)
    async with running(*bot.parts) as call:
        await call.send(*sound[:30], BotStartedSpeakingFrame())
        await asyncio.sleep(0.05)
        await call.send(*sound[30:])
        await call.send(BotStoppedSpeakingFrame())
        await asyncio.sleep(0.05)
        await hears(call, 10.0)
        await says(call, "no that is wrong")
        await bot.until_decided(call, 1)
    (turn,) = bot.call.turns
    assert turn.reading.started_at_s == pytest.approx(11.0, abs=0.1)
    assert turn.reading.voice.audio_s < 2.0


async def proposes(call: Running, text: str | None) -> None:
    """A turn as STT with turn detection reports it; no VAD frame comes."""
    sound = audio_frames(1.5)
    await call.send(*sound[:10], ProposedUserStartedSpeakingFrame(), *sound[10:])
    await call.send(*([recognised(text)] if text else []), ProposedUserStoppedSpeakingFrame())
    await asyncio.sleep(0.5)


async def test_turns_that_speech_recognition_decides_are_heard(pool: InferencePool) -> None:
    """Without a VAD the voice would never be read, and nobody told."""
    bot = Bot(pool, 0.97, strategies=ExternalUserTurnStrategies())
    async with running(*bot.parts) as call:
        for count in (1, 2):
            await proposes(call, "yes I told you that")
            await bot.until_decided(call, count)
    assert [turn.reading.voice.p_negative for turn in bot.call.turns] == [0.97, 0.97]
    assert bot.call.turns[0].reading.started_at_s == pytest.approx(0.2)
    assert bot.call.turns[0].reading.ended_at_s == pytest.approx(1.5)
    assert bot.guarded.model.heard[0] == (16_000 * 1.5, 16_000)


@pytest.mark.parametrize("text", ["yes I told you that", ASKS])
async def test_an_eager_run_is_decided_with_the_voice(text: str, pool: InferencePool) -> None:
    """The reply is made before the turn is over: what it should say is due then, once."""
    bot = Bot(pool, 0.97, strategies=EagerUserTurnStrategies())
    sound = audio_frames(1.5)
    async with running(*bot.parts) as call:
        await call.send(*sound[:10], ProposedUserStartedSpeakingFrame(), *sound[10:])
        await call.send(EagerTranscriptionFrame(text, "caller", ""))
        await asyncio.sleep(0.3)
        assert bot.call.turns == []
        await call.send(recognised(text), ProposedUserStoppedSpeakingFrame())
        await asyncio.sleep(2.0)
    (turn,) = bot.call.turns
    assert turn.text == text
    assert turn.reading.voice.p_negative == 0.97
    assert bot.call.words.waiting() is None
    assert bot.call.faults.counts == {}
    assert len(bot.guarded.desk.requests) == (text == ASKS)
    assert [bot.llm.guided(run) for run in range(len(bot.llm.runs))] == [True] * (text != ASKS)


async def test_speech_to_speech_is_heard_and_not_decided(pool: InferencePool) -> None:
    """A service that could not say an announcement must not hand over, and its owner must know."""
    bot = Bot(pool, 0.97, strategies=ExternalUserTurnStrategies(), scripted=None)
    bot.parts.insert(4, Hears())
    async with running(*bot.parts) as call:
        for count in (1, 2, 3):
            await proposes(call, ASKS)
            frame = await call.sees(CallerEmotionFrame, count)
        await asyncio.sleep(2.0)
    assert frame.reading.voice.p_negative == 0.97
    assert bot.call.turns == []
    assert bot.guarded.desk.requests == []
    assert bot.call.faults.counts == {"speech-to-speech": 1}


async def test_a_turn_is_closed_though_the_llm_does_not_run(pool: InferencePool) -> None:
    """Where the LLM says that a turn is complete, a hand-over in its place must say so too."""
    stop = SpeechTimeoutUserTurnStopStrategy(user_speech_timeout=0.1)
    strategies = FilterIncompleteUserTurnStrategies(start=[VADUserTurnStartStrategy()], stop=[stop])
    bot = Bot(pool, strategies=strategies)
    bot.guarded.desk.gate.clear()
    async with running(*bot.parts) as call:
        await says(call, ASKS)
        await call.until(lambda: bot.guarded.desk.requests)
        turn = bot.call.turn
        assert turn is not None
        await call.until(lambda: turn.is_over, 1.0)
        bot.guarded.desk.gate.set()
