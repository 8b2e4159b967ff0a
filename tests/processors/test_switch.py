"""Switching a guard off and on, and the words of callers whose bot has no LLM."""

from __future__ import annotations

from pipecat.frames.frames import (
    Frame,
    LLMContextFrame,
    TranscriptionFrame,
    TTSSpeakFrame,
    UserStoppedSpeakingFrame,
)
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor

from pipecat_deescalate.models.reader import CallReader
from pipecat_deescalate.processors import CallerEmotionFrame, InferencePool, PromptProcessor

from ..pipelines import Running, running, speech
from .guarded import ANGRY, Guarded, a_context, take_turn

PROMPT = "What is your account number?"


class Asks(FrameProcessor):
    """A scripted dialogue of one question."""

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        await self.push_frame(frame, direction)
        if isinstance(frame, UserStoppedSpeakingFrame):
            await self.push_frame(TTSSpeakFrame(PROMPT))


async def say(call: Running, *words: str, prompts: int) -> str:
    """A turn of the caller with its transcriptions, and what the bot says then."""
    *sound, stopped = speech(1.0)
    await call.send(*sound, *(TranscriptionFrame(text, "caller", "") for text in words))
    await call.until(lambda: len(call.after.of(TranscriptionFrame)) >= len(words))
    await call.send(stopped)
    return (await call.sees(TTSSpeakFrame, prompts)).text


async def test_a_scripted_bot_is_decided_on_its_callers_words(pool: InferencePool) -> None:
    """A scripted bot with speech recognition must not be deaf to "a real person, please"."""
    guarded = Guarded(pool, 0.5, scripted=True, reader=CallReader(), keep_text=True)
    prompts = PromptProcessor(guarded.call)
    parts = (guarded.emotion, guarded.mitigation, Asks(), prompts, guarded.transfer)
    async with running(*parts) as call:
        assert await say(call, "my card", prompts=1) == PROMPT
        await say(call, "let me talk", "to a real person", prompts=2)
        await call.until(lambda: guarded.desk.requests)
    assert guarded.actions == ["proceed", "transfer"]
    assert [turn.text for turn in guarded.call.turns] == ["my card", "let me talk to a real person"]


async def test_words_of_one_turn_are_not_those_of_the_next(pool: InferencePool) -> None:
    """A caller who complained once must not count as complaining ever after."""
    guarded = Guarded(pool, 0.5, scripted=True, reader=CallReader(), keep_text=True)
    async with running(guarded.emotion, guarded.mitigation, Asks()) as call:
        await say(call, "this is ridiculous", prompts=1)
        await call.until(lambda: len(guarded.actions) == 1)
        await say(call, prompts=2)
        await call.until(lambda: len(guarded.actions) == 2)
    assert [turn.text for turn in guarded.call.turns] == ["this is ridiculous", None]


async def test_words_that_come_late_count_in_the_next_turn(pool: InferencePool) -> None:
    """With slow speech recognition no caller of a scripted bot could ever ask for a human."""
    guarded = Guarded(pool, 0.5, scripted=True, reader=CallReader(), keep_text=True)
    async with running(*guarded.parts) as call:
        await call.send(*speech(1.0))
        await call.until(lambda: guarded.actions)
        await call.send(TranscriptionFrame("let me talk to a real person", "caller", ""))
        await call.sees(TranscriptionFrame)
        await call.send(*speech(1.0))
        await call.until(lambda: guarded.desk.requests)
    assert guarded.actions == ["proceed", "transfer"]


async def test_switched_off_nothing_is_read_or_changed(pool: InferencePool) -> None:
    """Whoever switches us off must have the bot as it would be without us."""
    guarded = Guarded(pool, ANGRY, scripted=True)
    guarded.call.active = False
    prompts = PromptProcessor(guarded.call)
    async with running(guarded.emotion, guarded.mitigation, Asks(), prompts) as call:
        assert await say(call, prompts=1) == PROMPT
        assert call.after.of(CallerEmotionFrame) == []
        guarded.call.active = True
        assert await say(call, prompts=2) != PROMPT
    assert [turn.reading.index for turn in guarded.call.turns] == [1]
    assert len(guarded.model.heard) == 1


async def test_words_from_before_we_are_switched_off_are_forgotten(pool: InferencePool) -> None:
    """A bot that put the caller through itself must not be told of that wish minutes later."""
    guarded = Guarded(pool, 0.5, scripted=True, reader=CallReader())
    async with running(*guarded.parts) as call:
        await call.send(*speech(1.0, closes=False))
        await call.send(TranscriptionFrame("let me talk to a real person", "caller", ""))
        await call.sees(TranscriptionFrame)
        guarded.call.active = False
        await call.send(UserStoppedSpeakingFrame())
        await call.sees(UserStoppedSpeakingFrame)
        guarded.call.active = True
        await call.send(*speech(1.0))
        await call.until(lambda: guarded.actions)
    assert guarded.actions == ["proceed"]


async def test_switched_off_between_reading_and_reply_the_llm_gets_no_guidance(
    pool: InferencePool,
) -> None:
    """The turn under way when we are switched off is forgotten, and so is its decision."""
    guarded = Guarded(pool, ANGRY)
    async with running(*guarded.parts) as call:
        await call.send(*speech(1.0))
        await call.sees(CallerEmotionFrame)
        guarded.call.active = False
        await call.send(LLMContextFrame(a_context("no")))
        frame = await call.sees(LLMContextFrame)
        assert len(frame.context.get_messages()) == 2
        guarded.call.active = True
        (frame,) = await take_turn(call, a_context("no"))
        assert len(frame.context.get_messages()) == 3
    assert guarded.actions == ["empathize"]


async def test_a_turn_that_is_under_way_when_we_are_switched_on_is_read_whole(
    pool: InferencePool,
) -> None:
    """Switched on in the middle of a complaint, we must hear it from its beginning."""
    guarded = Guarded(pool, ANGRY, scripted=True)
    guarded.call.active = False
    async with running(guarded.emotion, guarded.mitigation) as call:
        await call.send(*speech(1.0, closes=False))
        guarded.call.active = True
        await call.send(*speech(1.0, opens=False))
        await call.until(lambda: guarded.actions)
    (turn,) = guarded.call.turns
    assert turn.reading.index == 0
    assert turn.reading.ended_at_s - turn.reading.started_at_s > 1.5


async def test_who_watches_is_told_what_was_said_instead(pool: InferencePool) -> None:
    """A page that shows our change must get both sentences."""
    guarded = Guarded(pool, ANGRY, scripted=True)
    prompts = PromptProcessor(guarded.call)
    told: list[tuple[str, str]] = []

    @prompts.event_handler("on_rewritten")
    async def _(_processor: object, prompt: str, said: str) -> None:
        told.append((prompt, said))

    async with running(guarded.emotion, guarded.mitigation, Asks(), prompts) as call:
        said = await say(call, prompts=1)
        await call.until(lambda: told)
    assert told == [(PROMPT, said)]
    assert said.endswith(PROMPT)
    assert said != PROMPT
