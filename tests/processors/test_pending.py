"""Decisions that the caller did not get to hear: said with the next reply, while they still fit."""

from __future__ import annotations

from typing import Any

from pipecat.frames.frames import BotStartedSpeakingFrame, LLMContextFrame, TTSSpeakFrame

from pipecat_deescalate.policies import load_policy
from pipecat_deescalate.processors import InferencePool, PromptProcessor

from ..pipelines import Running, running, speech
from .guarded import ANGRY, Guarded, a_context, take_turn

UNCLEAR = 0.4


def nobody_there(pool: InferencePool, *answers: object, **options: Any) -> Guarded:
    """Without a human the offer of a call back is the last thing a caller can be told."""
    return Guarded(pool, *answers, agents_available=lambda: False, **options)


async def shout(call: Running, guarded: Guarded) -> None:
    """A turn of which no words are recognised: it is decided, and the bot does not reply."""
    decided = len(guarded.actions)
    await call.send(*speech(1.0))
    await call.until(lambda: len(guarded.actions) > decided)


def told(frame: LLMContextFrame) -> str | None:
    """The guidance in a context, if there is any."""
    message = frame.context.get_messages()[-1]
    return message["content"] if message["role"] == "developer" else None


async def test_an_offer_that_had_no_reply_comes_with_the_next_one(pool: InferencePool) -> None:
    """A policy offers a human once; lost with a turn without words, it would never be heard."""
    guarded = nobody_there(pool, ANGRY, ANGRY, UNCLEAR)
    async with running(*guarded.parts) as call:
        await shout(call, guarded)
        await shout(call, guarded)
        (offers,) = await take_turn(call, a_context("hello?"))
        await call.send(BotStartedSpeakingFrame())
        (goes_on,) = await take_turn(call, a_context("my bill"))
    assert guarded.actions == ["empathize", "offer_human", "proceed", "proceed"]
    assert "calls back" in (told(offers) or "")
    assert told(goes_on) is None


async def test_a_reply_cut_off_before_it_is_heard_is_guided_again(pool: InferencePool) -> None:
    """A caller who talks on before the bot speaks has not been answered."""
    guarded = nobody_there(pool, ANGRY, ANGRY, UNCLEAR)
    async with running(*guarded.parts) as call:
        for words in ("no", "no!", "hello?", "hello?"):
            (frame,) = await take_turn(call, a_context(words))
    assert guarded.actions == ["empathize", "offer_human", "proceed", "proceed"]
    assert "calls back" in (told(frame) or "")


async def test_a_caller_who_has_calmed_down_is_told_nothing_more(pool: InferencePool) -> None:
    """An apology out of nowhere makes a call worse."""
    guarded = Guarded(pool, ANGRY, 0.01)
    async with running(*guarded.parts) as call:
        await shout(call, guarded)
        (frame,) = await take_turn(call, a_context("thanks"))
    assert guarded.actions == ["empathize", "proceed"]
    assert told(frame) is None


async def test_what_a_dialog_state_forbids_is_not_said_there(pool: InferencePool) -> None:
    """A rule of the operator's holds for what comes late, too."""
    states = {"payment": {"highest_action": "proceed"}}
    policy = load_policy("balanced").model_copy(update={"dialog_states": states})
    guarded = nobody_there(pool, ANGRY, ANGRY, UNCLEAR, policy=policy)
    async with running(*guarded.parts) as call:
        await shout(call, guarded)
        await shout(call, guarded)
        guarded.call.dialog_state = "payment"
        (frame,) = await take_turn(call, a_context("hello?"))
    assert told(frame) is None


async def test_a_prompt_says_what_the_last_one_was_too_early_for(pool: InferencePool) -> None:
    """A scripted bot that asked before it was decided how owes the caller that sentence."""
    guarded = Guarded(pool, ANGRY, UNCLEAR, scripted=True)
    prompts = PromptProcessor(guarded.call)
    async with running(guarded.emotion, guarded.mitigation, prompts) as call:
        await shout(call, guarded)
        await call.send(BotStartedSpeakingFrame())
        await shout(call, guarded)
        await call.send(TTSSpeakFrame("Which card?"))
        said = (await call.sees(TTSSpeakFrame)).text
    assert guarded.actions == ["empathize", "proceed"]
    assert said.endswith("Which card?")
    assert said != "Which card?"
