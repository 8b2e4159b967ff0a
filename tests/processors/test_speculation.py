"""Runs of the LLM before the end of the turn: guided, but decided only when confirmed."""

from __future__ import annotations

import asyncio

import pytest
from pipecat.frames.frames import (
    EagerEndOfTurnCancelFrame,
    Frame,
    InterruptionFrame,
    LLMContextFrame,
    UserStoppedSpeakingFrame,
)

from pipecat_deescalate.models.reader import CallReader
from pipecat_deescalate.models.readings import Cue
from pipecat_deescalate.processors import (
    CallerEmotionFrame,
    InferencePool,
    TransferCallFrame,
)

from ..pipelines import running, speech
from .guarded import ANGRY, Guarded, a_context, follow, said_in, take_turn


async def test_a_speculative_run_is_guided_but_decided_only_when_confirmed(
    pool: InferencePool,
) -> None:
    """An eager guess that the turn is over must not count as one."""
    guarded = Guarded(pool, ANGRY)
    context = a_context("no")
    async with running(*guarded.parts) as call:
        await call.send(*speech(1.0, closes=False))
        await call.sees(CallerEmotionFrame)
        await call.send(LLMContextFrame(context, speculation=True))
        frame = await call.sees(LLMContextFrame)
        assert frame.speculation
        assert frame.context.get_messages()[-1]["role"] == "developer"
        assert guarded.actions == []
        await call.send(EagerEndOfTurnCancelFrame())
        await call.send(*speech(1.0, opens=False, closes=False))
        await call.sees(CallerEmotionFrame, 2)
        await call.send(LLMContextFrame(context, speculation=True))
        await call.sees(LLMContextFrame, 2)
        await call.send(UserStoppedSpeakingFrame())
        await call.until(lambda: guarded.actions)
    assert guarded.actions == ["empathize"]


@pytest.mark.parametrize("withdrawal", [EagerEndOfTurnCancelFrame, InterruptionFrame])
async def test_a_withdrawn_run_decides_nothing(
    withdrawal: type[Frame], pool: InferencePool
) -> None:
    """What the caller never heard must not count as said."""
    guarded = Guarded(pool, ANGRY)
    async with running(*guarded.parts) as call:
        await call.send(*speech(1.0, closes=False))
        await call.sees(CallerEmotionFrame)
        await call.send(LLMContextFrame(a_context("no"), speculation=True))
        await call.sees(LLMContextFrame)
        await call.send(withdrawal(), UserStoppedSpeakingFrame())
        await call.sees(UserStoppedSpeakingFrame)
    assert guarded.actions == []


async def test_a_run_for_good_takes_the_place_of_a_speculative_one(pool: InferencePool) -> None:
    """A bot may run its LLM before the turn is over; the turn must not count twice then."""
    guarded = Guarded(pool, ANGRY)
    async with running(*guarded.parts) as call:
        await call.send(*speech(1.0, closes=False))
        await call.sees(CallerEmotionFrame)
        await call.send(LLMContextFrame(a_context("no"), speculation=True))
        await call.sees(LLMContextFrame)
        await follow(call, a_context("no"))
        await call.send(UserStoppedSpeakingFrame())
        await call.sees(UserStoppedSpeakingFrame)
    assert guarded.actions == ["empathize"]


async def test_a_speculative_transfer_waits_for_the_end_of_the_turn(pool: InferencePool) -> None:
    """A caller who goes on talking has not been answered, and is not put through either."""
    guarded = Guarded(pool, ANGRY)
    async with running(*guarded.parts) as call:
        for _ in range(2):
            await take_turn(call, a_context("no"))
        await call.send(*speech(1.0, closes=False))
        await call.sees(CallerEmotionFrame, 3)
        await call.send(LLMContextFrame(a_context("no"), speculation=True))
        await asyncio.sleep(0.1)
        assert len(call.after.of(LLMContextFrame)) == 2
        assert not call.after.of(TransferCallFrame)
        await call.send(UserStoppedSpeakingFrame())
        await call.sees(TransferCallFrame)


async def test_a_speculative_run_of_a_turn_already_over_is_decided(pool: InferencePool) -> None:
    """The end of the turn overtakes contexts that wait in a queue; nothing follows to confirm."""
    guarded = Guarded(pool, ANGRY)
    async with running(*guarded.parts) as call:
        (frame,) = await take_turn(call, a_context("no"), speculation=True)
    assert frame.speculation
    assert guarded.actions == ["empathize"]


async def test_a_speculative_run_is_not_remembered_as_a_turn(pool: InferencePool) -> None:
    """Read twice, a caller's words would look like a request repeated."""
    guarded = Guarded(pool, 0.05, reader=CallReader())
    context = a_context("I want to change the address of my account")
    async with running(*guarded.parts) as call:
        await call.send(*speech(1.0, closes=False))
        await call.sees(CallerEmotionFrame)
        await call.send(LLMContextFrame(context, speculation=True))
        await call.sees(LLMContextFrame)
        await call.send(EagerEndOfTurnCancelFrame(), *speech(1.0, opens=False))
        await call.sees(CallerEmotionFrame, 2)
        await call.send(*said_in(context))
        await follow(call, context)
        context.add_message({**context.get_messages()[-1]})
        await call.send(*speech(1.0, closes=False))
        await call.sees(CallerEmotionFrame, 3)
        await call.send(LLMContextFrame(context, speculation=True))
        await asyncio.sleep(0.1)
        await call.send(UserStoppedSpeakingFrame(), *said_in(context))
        await call.until(lambda: len(guarded.actions) == 2)
        context.add_message({**context.get_messages()[-1]})
        await take_turn(call, context)
    said = [[cue for cue, _ in turn.reading.cues] for turn in guarded.call.turns]
    assert said == [[], [Cue.REPEATS_REQUEST], [Cue.REPEATS_REQUEST]]


async def test_an_eager_run_is_not_answered_from_the_turn_before(pool: InferencePool) -> None:
    """A turn that a failed hand-over left undecided is over: it has no part in the next one."""
    guarded = Guarded(pool, ANGRY)
    guarded.call.hand_over.ready = True
    context = a_context("no")
    async with running(*guarded.parts[:2]) as call:
        for _ in range(3):
            await take_turn(call, context)
        await take_turn(call, a_context("hello?"))
        guarded.call.hand_over.end(ok=False)
        *before, _stop = speech(1.0, closes=False)
        await call.send(*before, LLMContextFrame(context, speculation=True))
        frame = await call.sees(LLMContextFrame, 3)
    assert frame.context is context
    assert guarded.actions == ["empathize", "offer_human", "transfer"]
