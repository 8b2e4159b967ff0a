"""Turns that no context comes for: no words were recognised, and the LLM is not asked."""

from __future__ import annotations

import asyncio
import dataclasses

from pipecat.frames.frames import (
    Frame,
    LLMContextFrame,
    LLMServiceMetadataFrame,
    TTSSpeakFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
)
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair
from pipecat.processors.frame_processor import FrameDirection
from pipecat.services.llm_service import LLMService
from pipecat.services.settings import LLMSettings

from pipecat_deescalate.processors import (
    CallerEmotionFrame,
    GuardSpeakFrame,
    InferencePool,
)
from pipecat_deescalate.processors.session import turn_decider
from pipecat_deescalate.processors.session.turn_state import TurnPhase

from ..pipelines import running, speech
from .guarded import ANGRY, Guarded, a_context, take_turn


async def test_an_angry_caller_whom_nobody_understands_is_put_through(pool: InferencePool) -> None:
    """Shouting is where speech recognition fails first; the voice must count all the same."""
    guarded = Guarded(pool, ANGRY)
    async with running(*guarded.parts) as call:
        for count in (1, 2, 3):
            await call.send(*speech(1.0))
            await call.until(lambda n=count: len(guarded.actions) == n)
        await call.until(lambda: guarded.desk.requests)
    assert guarded.actions == ["empathize", "offer_human", "transfer"]
    assert not call.after.of(LLMContextFrame)
    assert len(call.after.of(GuardSpeakFrame)) == 1


async def test_a_turn_with_words_waits_for_them(pool: InferencePool) -> None:
    """Decided too early, what the caller said would not count, and the LLM not be guided."""
    guarded = Guarded(pool, ANGRY)
    async with running(*guarded.parts) as call:
        await call.send(*speech(1.0))
        await call.sees(CallerEmotionFrame)
        assert guarded.actions == []
        await call.send(LLMContextFrame(a_context("no")))
        frame = await call.sees(LLMContextFrame)
        await asyncio.sleep(2 * turn_decider.CONTEXT_LIMIT_S)
    assert frame.context.get_messages()[-1]["role"] == "developer"
    assert guarded.actions == ["empathize"]


async def test_turns_are_decided_in_their_order(pool: InferencePool) -> None:
    """What a caller goes on to say must not be decided before what came first."""
    guarded = Guarded(pool, ANGRY, 0.05)
    async with running(*guarded.parts) as call:
        await call.send(*speech(1.0))
        await call.sees(CallerEmotionFrame)
        await call.send(UserStartedSpeakingFrame())
        await call.until(lambda: guarded.actions, 0.25)
        await call.send(UserStoppedSpeakingFrame())
        await take_turn(call, a_context("hello"))
    indices = [turn.reading.index for turn in guarded.call.turns]
    assert indices == sorted(indices)
    assert guarded.actions[0] == "empathize"


async def test_a_prompt_does_not_wait_for_words_that_will_not_come(pool: InferencePool) -> None:
    """The reply path must be as fast as it was: nothing is due before the limit is over."""
    guarded = Guarded(pool, ANGRY)
    async with running(*guarded.parts) as call:
        await call.send(*speech(1.0), TTSSpeakFrame("Are you still there?"))
        await call.sees(TTSSpeakFrame)
        assert guarded.call.turn is not None
        assert guarded.call.turn.phase is not TurnPhase.AWAITED


async def test_without_a_transcript_the_aggregator_sends_no_context(pool: InferencePool) -> None:
    """What all this stands on: Pipecat runs no LLM for a turn without words."""
    guarded = Guarded(pool, ANGRY, scripted=None)
    pair = LLMContextAggregatorPair(LLMContext())
    async with running(pair.user(), *guarded.parts) as call:
        await call.send(*speech(1.0))
        await call.until(lambda: guarded.actions)
    assert guarded.actions == ["empathize"]
    assert not call.after.of(LLMContextFrame)


class Hears(LLMService):
    """A speech-to-speech service that says nothing."""

    def __init__(self) -> None:
        unset = {field.name: None for field in dataclasses.fields(LLMSettings) if field.init}
        super().__init__(settings=LLMSettings(**{**unset, "extra": {}}))

    def service_metadata_frame(self) -> LLMServiceMetadataFrame:
        return LLMServiceMetadataFrame(service_name="hears", is_realtime_service=True)

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        await self.push_frame(frame, direction)


async def test_speech_to_speech_services_get_no_decisions(pool: InferencePool) -> None:
    """They send no context, and could not say an announcement: nothing may be decided for them."""
    guarded = Guarded(pool, ANGRY, scripted=None)
    async with running(guarded.emotion, guarded.mitigation, Hears()) as call:
        for count in (1, 2, 3):
            await call.send(*speech(1.0))
            await call.sees(CallerEmotionFrame, count)
        await asyncio.sleep(2 * turn_decider.CONTEXT_LIMIT_S)
    assert guarded.actions == []


class SaysNothing(Hears):
    """A service without metadata, as Pipecat's base class allows."""

    def service_metadata_frame(self) -> LLMServiceMetadataFrame:
        return None  # type: ignore[return-value]  # what AIService does


async def test_a_service_that_says_nothing_of_itself_is_an_llm(pool: InferencePool) -> None:
    """A call must start whatever stands behind us."""
    guarded = Guarded(pool, ANGRY, scripted=None)
    async with running(guarded.emotion, guarded.mitigation, SaysNothing()) as call:
        (frame,) = await take_turn(call, a_context("no"))
    assert frame.context.get_messages()[-1]["role"] == "developer"
