"""What scripted bots say after a decision, and what LLMs get in a second run."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from pipecat.frames.frames import (
    BotBackchannelFrame,
    DataFrame,
    Frame,
    InterruptionFrame,
    LLMContextFrame,
    LLMTextFrame,
    SpeechOutputAudioRawFrame,
    TextFrame,
    TranscriptionFrame,
    TTSAudioRawFrame,
    TTSSpeakFrame,
    UserStoppedSpeakingFrame,
)
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor

from pipecat_deescalate.policies.empathy import Moment, PhraseBook, Rewritten
from pipecat_deescalate.policies.rewriter import LlmRewriter
from pipecat_deescalate.policies.types import Decision
from pipecat_deescalate.processors import (
    CallerEmotionFrame,
    GuardSpeakFrame,
    InferencePool,
    LiveCall,
    PromptProcessor,
    TransferCallFrame,
)

from ..fakes import HANG, FakeServer
from ..pipelines import running, speech
from .guarded import ANGRY, STEPS, Guarded, a_context, take_turn

PROMPT = "What is your account number?"


class Dialogue(FrameProcessor):
    """Asks the same thing at the end of every turn."""

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        await self.push_frame(frame, direction)
        if isinstance(frame, UserStoppedSpeakingFrame):
            await self.push_frame(TTSSpeakFrame(PROMPT))


class Slow:
    """A rewriter that takes its time, or fails."""

    def __init__(self, seconds: float, error: Exception | None = None) -> None:
        self.seconds = seconds
        self.error = error

    async def acknowledge(self, prompt: str, decision: Decision, **about: Any) -> Rewritten:
        await asyncio.sleep(self.seconds)
        if self.error is not None:
            raise self.error
        return Rewritten(f"Rewritten: {prompt}", None, about["used"])


def scripted(pool: InferencePool, *answers: object, **options: Any) -> tuple[Guarded, list[Any]]:
    rewriter, limit_s = options.pop("rewriter", None), options.pop("rewrite_limit_s", 0.1)
    guarded = Guarded(pool, *answers, scripted=None, **options)
    prompts = PromptProcessor(guarded.call, rewriter=rewriter, rewrite_limit_s=limit_s)
    return guarded, [guarded.emotion, guarded.mitigation, Dialogue(), prompts, guarded.transfer]


async def test_a_scripted_call_from_empathy_to_hand_over(pool: InferencePool) -> None:
    """Each step must be heard, in the bot's own prompt, and no phrase twice."""
    guarded, parts = scripted(pool, 0.1, ANGRY)
    async with running(*parts) as call:
        for count in range(1, 5):
            await call.send(*speech(1.0))
            await call.until(lambda n=count: len(guarded.actions) == n)
            await asyncio.sleep(0.05)
        await call.until(lambda: guarded.desk.requests)
        said = [frame.text for frame in call.after.of(TTSSpeakFrame)]
    assert guarded.actions == ["proceed", "empathize", "offer_human", "transfer"]
    assert said[0] == PROMPT
    assert said[1].endswith(PROMPT)
    assert said[2].endswith(PROMPT)
    assert len(said[2]) > len(said[1]) > len(said[0])
    assert len(said) == 4
    assert PROMPT not in said[3]
    down = call.after.down
    (sentence,) = call.after.of(GuardSpeakFrame)
    assert down.index(sentence) < down.index(call.after.of(TransferCallFrame)[0])


async def test_only_the_next_prompt_is_rewritten(pool: InferencePool) -> None:
    """An apology before every sentence of a turn is worse than none."""
    guarded, parts = scripted(pool, ANGRY)
    async with running(*parts) as call:
        backchannel = BotBackchannelFrame("Mm-hmm.")
        await call.send(*speech(1.0))
        await call.until(lambda: guarded.actions)
        await call.sees(TTSSpeakFrame)
        await call.send(backchannel, TTSSpeakFrame(PROMPT))
        await call.sees(TTSSpeakFrame, 3)
    first, second, third = call.after.of(TTSSpeakFrame)
    assert first.text != PROMPT
    assert second.text == "Mm-hmm."
    assert third.text == PROMPT


async def test_a_prompt_waits_for_a_decision_that_is_due(pool: InferencePool) -> None:
    """The prompt leaves the dialogue before the model is done; it must not be too early."""
    guarded, parts = scripted(pool, ANGRY)
    guarded.model.gate.clear()
    async with running(*parts) as call:
        await call.send(*speech(1.0))
        await asyncio.sleep(0.05)
        assert not call.after.of(TTSSpeakFrame)
        guarded.model.gate.set()
        frame = await call.sees(TTSSpeakFrame)
    assert frame.text != PROMPT


async def test_a_prompt_does_not_wait_for_a_late_reading(pool: InferencePool) -> None:
    """A caller must hear the bot, whatever the model does."""
    guarded, parts = scripted(pool, ANGRY)
    guarded.model.gate.clear()
    async with running(*parts) as call:
        started = time.perf_counter()
        await call.send(*speech(1.0))
        frame = await call.sees(TTSSpeakFrame)
        waited = time.perf_counter() - started
        guarded.model.gate.set()
    assert frame.text == PROMPT
    assert waited < 0.6


async def test_a_rewriter_words_the_prompt(pool: InferencePool) -> None:
    """An operator who pays for an LLM's words wants to hear them."""
    _, parts = scripted(pool, ANGRY, rewriter=Slow(0.01))
    async with running(*parts) as call:
        await call.send(*speech(1.0))
        frame = await call.sees(TTSSpeakFrame)
    assert frame.text == f"Rewritten: {PROMPT}"


@pytest.mark.parametrize("rewriter", [Slow(5.0), Slow(0.0, ValueError())], ids=["hangs", "raises"])
async def test_the_phrase_bank_speaks_for_a_broken_rewriter(
    rewriter: Slow, pool: InferencePool
) -> None:
    """A rewriter of one's own may be as broken as any other service."""
    guarded, parts = scripted(pool, ANGRY, rewriter=rewriter)
    async with running(*parts) as call:
        await call.send(*speech(1.0))
        frame = await call.sees(TTSSpeakFrame)
    assert frame.text != PROMPT
    assert frame.text.endswith(PROMPT)
    assert guarded.call.faults.counts == {"rewriter": 1}


async def test_without_phrases_the_prompt_stays_as_it_was(pool: InferencePool) -> None:
    """A fault of ours must not cost the caller the bot's words."""
    guarded, parts = scripted(pool, ANGRY)
    guarded.call.book = None  # type: ignore[assignment]  # no phrase can be found in it
    async with running(*parts) as call:
        await call.send(*speech(1.0))
        frame = await call.sees(TTSSpeakFrame)
    assert frame.text == PROMPT
    assert guarded.call.faults.counts == {"prompt": 1}


async def test_a_barge_in_while_a_prompt_is_rewritten_takes_it_away(pool: InferencePool) -> None:
    """A prompt that comes after the caller has begun to speak would be spoken over them."""
    _, parts = scripted(pool, ANGRY, rewriter=Slow(0.08))
    async with running(*parts) as call:
        await call.send(*speech(1.0))
        await asyncio.sleep(0.05)
        await call.send(InterruptionFrame())
        await asyncio.sleep(0.15)
        assert not call.after.of(TTSSpeakFrame)


async def test_prompts_of_an_llm_bot_stay_as_they_are(pool: InferencePool) -> None:
    """The LLM was told already; a filler that apologises as well makes two apologies."""
    guarded = Guarded(pool, ANGRY)
    prompts = PromptProcessor(guarded.call)
    async with running(guarded.emotion, guarded.mitigation, prompts) as call:
        await take_turn(call, a_context("no"))
        await call.send(TTSSpeakFrame("One moment."))
        frame = await call.sees(TTSSpeakFrame)
    assert frame.text == "One moment."


async def test_a_run_with_a_tools_result_is_guided_too(pool: InferencePool) -> None:
    """An LLM that first calls a tool speaks only in its second run, which comes from behind."""
    guarded = Guarded(pool, ANGRY)
    prompts = PromptProcessor(guarded.call)
    async with running(guarded.emotion, guarded.mitigation, prompts) as call:
        await take_turn(call, a_context("no"))

        async def second_run() -> LLMContextFrame:
            seen = len([f for f in call.before.up if isinstance(f, LLMContextFrame)])
            await call.worker.queue_frame(LLMContextFrame(a_context("no")), FrameDirection.UPSTREAM)
            await call.until(
                lambda: len([f for f in call.before.up if isinstance(f, LLMContextFrame)]) > seen
            )
            return [f for f in call.before.up if isinstance(f, LLMContextFrame)][-1]

        with_result = await second_run()
        await call.send(LLMTextFrame("I am sorry. "))
        await call.sees(LLMTextFrame)
        later = await second_run()
        await call.send(*speech(1.0))
        await call.sees(CallerEmotionFrame, 2)
        next_turn = await second_run()
    assert with_result.context.get_messages()[-1]["role"] == "developer"
    assert later.context.get_messages()[-1]["role"] == "user"
    assert next_turn.context.get_messages()[-1]["role"] == "user"


@pytest.mark.parametrize("end", ["end", "cancel"])
async def test_a_pipeline_may_end_while_a_prompt_waits(end: str, pool: InferencePool) -> None:
    """A call that ends before its prompt must leave nothing behind."""
    guarded, parts = scripted(pool, ANGRY, rewriter=Slow(0.05))
    guarded.model.gate.clear()
    async with running(*parts, end=end) as call:
        await call.send(*speech(1.0))
    guarded.model.gate.set()


@pytest.mark.parametrize(("end", "limit_s"), [("end", 1.0), ("cancel", 60.0)])
async def test_a_pipeline_may_end_while_a_prompt_is_rewritten(
    end: str, limit_s: float, pool: InferencePool
) -> None:
    """A model that thinks must not keep a call from its end, nor the last prompt from a caller."""
    async with FakeServer([HANG]) as server:
        rewriter = LlmRewriter(
            PhraseBook.load("en"), model="slow", base_url=server.url, api_key="none", budget_s=60.0
        )
        _, parts = scripted(pool, ANGRY, rewriter=rewriter, rewrite_limit_s=limit_s)
        async with running(*parts, end=end) as call:
            await call.send(*speech(1.0))
            await call.until(server.arrived.is_set)
        assert await server.all_closed()
        await rewriter.aclose()
    assert len(call.after.of(TTSSpeakFrame)) == (end == "end")


async def test_an_interruption_stops_the_bot_but_no_hand_over(pool: InferencePool) -> None:
    """On an interruption the line drops what it has not played: the end of the announcement."""
    guarded, parts = scripted(pool, ANGRY)
    guarded.desk.gate.clear()
    async with running(*parts) as call:
        for count in (1, 2):
            await call.send(*speech(1.0))
            await call.until(lambda n=count: len(guarded.actions) == n)
        await call.send(InterruptionFrame())
        await call.sees(InterruptionFrame)
        await call.send(*speech(1.0))
        await call.until(lambda: guarded.actions[2:] == ["transfer"])
        await call.send(InterruptionFrame(), UserStoppedSpeakingFrame())
        await call.sees(UserStoppedSpeakingFrame, 4)
        assert len(call.after.of(InterruptionFrame)) == 1
        await call.until(lambda: guarded.desk.requests)
        guarded.desk.gate.set()
        await call.until(lambda: guarded.call.hand_over.taken)
        await call.send(InterruptionFrame())
        await call.sees(InterruptionFrame, 2)


@pytest.mark.parametrize(
    "speech_frame",
    [
        LLMTextFrame("Is there anything else?"),
        TextFrame("Is there anything else?"),
        TTSSpeakFrame("Are you still there?"),
        BotBackchannelFrame("Mm-hmm."),
        TTSAudioRawFrame(bytes(320), 16_000, 1),
        SpeechOutputAudioRawFrame(bytes(320), 16_000, 1),
    ],
    ids=lambda frame: type(frame).__name__,
)
async def test_a_bot_that_handed_over_says_nothing(speech_frame: DataFrame) -> None:
    """Whatever speaks, an LLM's late reply, an idle nudge or a speech service, a human is heard."""
    state = LiveCall(STEPS, call_id="CA1")
    words = TranscriptionFrame("hello", "caller", "")
    async with running(PromptProcessor(state)) as call:
        state.hand_over.begin()
        state.hand_over.end(ok=True)
        await call.send(speech_frame, words)
        await call.sees(TranscriptionFrame)
        assert speech_frame not in call.after.down
        state.hand_over.resume()
        await call.send(speech_frame)
        await call.until(lambda: speech_frame in call.after.down)


async def test_a_prompt_waits_as_long_as_the_operator_lets_it(pool: InferencePool) -> None:
    """A `max_wait` that holds for LLMs only would leave slow machines without any empathy."""
    guarded, parts = scripted(pool, ANGRY, max_wait=2.0)
    guarded.model.gate.clear()
    async with running(*parts) as call:
        await call.send(*speech(1.0))
        await asyncio.sleep(0.5)
        assert not call.after.of(TTSSpeakFrame)
        guarded.model.gate.set()
        assert (await call.sees(TTSSpeakFrame)).text != PROMPT


async def test_what_is_said_while_a_rewriter_works_is_remembered(pool: InferencePool) -> None:
    """Else the same sentence comes again in the call, which never repeats one."""
    guarded, parts = scripted(pool, ANGRY, rewriter=Slow(0.05))
    async with running(*parts) as call:
        await call.send(*speech(1.0))
        await call.until(lambda: guarded.actions)
        await asyncio.sleep(0.02)
        said = guarded.call.sentence(Moment.TRANSFER_FAILED)
        await call.sees(TTSSpeakFrame)
    assert said in guarded.call.used_phrases
