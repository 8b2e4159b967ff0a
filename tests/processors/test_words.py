"""Which words count in which turn: each of them in one, and in the turn in which it was said."""

from __future__ import annotations

import asyncio

import pytest
from pipecat.frames.frames import (
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    Frame,
    TranscriptionFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
)
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair
from pipecat.turns.user_stop import SpeechTimeoutUserTurnStopStrategy
from pipecat.turns.user_turn_processor import UserTurnProcessor
from pipecat.turns.user_turn_strategies import UserTurnStrategies

from pipecat_deescalate.models.reader import CallReader
from pipecat_deescalate.models.readings import Cue
from pipecat_deescalate.policies.config import load_policy
from pipecat_deescalate.processors import CallerEmotionFrame, InferencePool
from pipecat_deescalate.processors.session.caller_words import CallerWords

from ..pipelines import audio_frames, running, speech
from .guarded import Guarded, follow

REQUEST = "I want to speak to a human please"


def spoken() -> list[Frame]:
    """Speech as the VAD reports it; the turns are left to Pipecat."""
    turns = (UserStartedSpeakingFrame, UserStoppedSpeakingFrame)
    return [frame for frame in speech(1.0) if not isinstance(frame, turns)]


def recognised(text: str) -> TranscriptionFrame:
    return TranscriptionFrame(text, "caller", "", finalized=True)


def a_call(pool: InferencePool, *, scripted: bool) -> Guarded:
    """A calm caller's, with a policy that transfers at the second request for a human."""
    policy = load_policy("gentle")
    return Guarded(pool, 0.05, reader=CallReader(), policy=policy, scripted=scripted)


@pytest.mark.parametrize("then", ["hello?", None])
async def test_words_that_were_not_answered_count_once(
    pool: InferencePool, then: str | None
) -> None:
    """Who asks for a human and coughs before the bot replies has not asked a second time."""
    guarded = a_call(pool, scripted=False)
    async with running(LLMContextAggregatorPair(LLMContext()).user(), *guarded.parts) as call:
        for count, text in enumerate((REQUEST, then), 1):
            await call.send(*spoken(), *([recognised(text)] if text else []))
            await call.until(lambda n=count: len(guarded.actions) == n, 8.0)
    assert guarded.actions == ["offer_human", "proceed"]


async def test_words_that_end_their_turn_count_in_it(pool: InferencePool) -> None:
    """Where STT is slow its transcript ends the turn, whose end overtakes the transcript."""
    guarded = a_call(pool, scripted=True)
    strategies = UserTurnStrategies(stop=[SpeechTimeoutUserTurnStopStrategy()])
    turns = UserTurnProcessor(user_turn_strategies=strategies)
    async with running(turns, *guarded.parts) as call:
        await call.send(*spoken())
        await asyncio.sleep(1.5)
        assert not call.after.of(UserStoppedSpeakingFrame)
        await call.send(recognised(REQUEST))
        await call.until(lambda: guarded.actions)
    assert guarded.actions == ["offer_human"]


async def test_a_turn_of_words_alone_interrupts_nobody(pool: InferencePool) -> None:
    """What the VAD misses must not count as the barge-in that the turn before it was."""
    guarded = a_call(pool, scripted=False)
    context = LLMContext([{"role": "user", "content": "stop"}])
    async with running(*guarded.parts) as call:
        await call.send(BotStartedSpeakingFrame(), *audio_frames(1.0), *speech(1.0))
        await call.send(BotStoppedSpeakingFrame())
        await call.sees(CallerEmotionFrame)
        await follow(call, context)
        await call.send(UserStartedSpeakingFrame(), UserStoppedSpeakingFrame())
        await call.sees(CallerEmotionFrame, 2)
        context.add_message({"role": "user", "content": "my card"})
        await follow(call, context)
    turns = [turn.reading.conversation for turn in guarded.call.turns]
    assert [[cue for cue, _ in seen] for seen in turns] == [[Cue.BARGES_IN], []]


def test_words_count_once_and_late_ones_in_the_next_turn() -> None:
    """Counted twice, a single request would look like a second one; dropped, it is not heard."""
    words = CallerWords()
    assert words.waiting() is None
    words.add("I want")
    words.add("a human")
    assert words.waiting() == "I want a human"
    words.count()
    assert words.waiting() is None
    words.add("please")
    assert words.waiting() == "please"


def test_parts_and_the_whole_of_what_was_said_count_once() -> None:
    """Where transcriptions pass beside what the aggregator makes of them, all comes twice."""
    words = CallerWords()
    words.add("yes")
    words.add("my card")
    words.add_whole("my card is blocked")
    assert words.waiting() == "yes my card is blocked"


@pytest.mark.parametrize("late", [True, False])
def test_the_words_of_a_turn_that_was_guessed_count_once(*, late: bool) -> None:
    """An eager run is decided on its guess; the turn's words come before or after that."""
    words = CallerWords()
    words.turn_started()
    if not late:
        words.add("a human please")
    words.count_ahead()
    if late:
        words.add("a human please")
    assert words.waiting() is None
    words.turn_started()
    words.add("hello?")
    assert words.waiting() == "hello?"
