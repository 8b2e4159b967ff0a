"""Only the caller moves a call: what the operator puts into the context says nothing."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from pipecat.frames.frames import (
    InterimTranscriptionFrame,
    LLMContextFrame,
    LLMMessagesAppendFrame,
    LLMMessagesUpdateFrame,
    LLMRunFrame,
    TTSSpeakFrame,
    UserAudioRawFrame,
    UserBackchannelFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.turns.user_stop import SpeechTimeoutUserTurnStopStrategy
from pipecat.turns.user_turn_strategies import UserTurnStrategies

from pipecat_deescalate.models.reader import CallReader
from pipecat_deescalate.models.readings import Cue, TurnReading
from pipecat_deescalate.processors import CallerEmotionFrame, InferencePool

from ..pipelines import Running, audio_frames, running, speech
from .bots import ASKS, Bot, Prepare, hears, recognised, says
from .guarded import Guarded, a_context, said_in, take_turn

OPERATORS = "The caller was fucking angry and wants to speak to a human agent."


async def kick_off(bot: Bot, call: Running) -> None:
    bot.llm.says = None
    bot.context.add_message({"role": "user", "content": OPERATORS})
    await call.send(LLMRunFrame())


async def memory(bot: Bot, _call: Running) -> None:
    bot.context.add_message({"role": "user", "content": OPERATORS})


async def after_an_answer(bot: Bot, _call: Running) -> None:
    bot.context.add_message({"role": "assistant", "content": "How can I help?"})
    bot.context.add_message({"role": "user", "content": OPERATORS})


async def flow_task(_bot: Bot, call: Running) -> None:
    message: Any = {"role": "user", "content": OPERATORS}
    await call.send(LLMMessagesUpdateFrame(messages=[message], run_llm=False))


async def nudge(bot: Bot, call: Running) -> None:
    await says(call, "my card is blocked")
    bot.llm.says = None
    message: Any = {"role": "user", "content": OPERATORS}
    await call.send(LLMMessagesAppendFrame(messages=[message], run_llm=True))


@pytest.mark.parametrize("adds", [kick_off, memory, after_an_answer, flow_task, nudge])
async def test_the_operators_text_is_not_the_callers(adds: Prepare, pool: InferencePool) -> None:
    """A kick-off, a memory or a nudge that speaks of humans and anger must transfer nobody."""
    bot = Bot(pool)
    async with running(*bot.parts) as call:
        await adds(bot, call)
        await asyncio.sleep(0.1)
        await says(call, "Hello?")
        await says(call, ASKS)
        await call.until(lambda: bot.guarded.desk.requests)
    assert bot.said[-2:] == ["Hello?", ASKS]
    assert [turn.decision.action.value for turn in bot.call.turns[:-1]] == ["proceed"] * (
        len(bot.call.turns) - 1
    )
    (request,) = bot.guarded.desk.requests
    assert request.asked == ASKS
    assert OPERATORS not in [line.text for line in request.transcript]
    assert request.transcript[-1].text == ASKS


class Asked(CallReader):
    """Notes what the bot had said before each turn."""

    def __init__(self) -> None:
        super().__init__()
        self.prompts: list[str | None] = []

    def fork(self) -> Asked:
        return self

    def read(self, *turn: Any, prompt: str | None = None, **about: Any) -> TurnReading:
        self.prompts.append(prompt)
        return super().read(*turn, **about)


async def test_words_are_read_in_view_of_what_the_bot_asked(pool: InferencePool) -> None:
    """Whether an answer of one word asks for anybody depends on the question."""
    bot = Bot(pool, reader=(reader := Asked()))
    bot.context.add_message({"role": "assistant", "content": "Which card is it?"})
    async with running(*bot.parts) as call:
        await says(call, "The blue one")
        await call.send(TTSSpeakFrame("And your"), TTSSpeakFrame("PIN?"))
        await call.sees(TTSSpeakFrame, 2)
        await says(call, "one two three")
        await says(call, "four")
    assert reader.prompts == ["Which card is it?", "All right. And your PIN?", "All right."]


async def test_where_nobody_hears_the_bot_its_context_says_what_it_asked(
    pool: InferencePool,
) -> None:
    """A bot without `speak()` asks questions, too, and the last one counts."""
    guarded = Guarded(pool, 0.05, reader=(reader := Asked()))
    async with running(*guarded.parts) as call:
        for asked in ("Which card?", "Which month?"):
            context = a_context("The blue one")
            context.set_messages([{"role": "assistant", "content": asked}, *context.messages])
            await take_turn(call, context)
    assert reader.prompts == ["Which card?", "Which month?"]


async def test_words_count_where_nobody_reports_turns(pool: InferencePool) -> None:
    """A bot of one's own may know contexts alone; who asks it for a human must be heard."""
    guarded = Guarded(pool, 0.05, reader=CallReader())
    async with running(*guarded.parts) as call:
        for count, text in enumerate(("my card is blocked", ASKS), 1):
            context = a_context(text)
            await call.send(*said_in(context), LLMContextFrame(context))
            await call.until(lambda n=count: len(guarded.actions) == n)
        await call.send(LLMContextFrame(context))
    assert guarded.actions == ["proceed", "transfer"]


async def test_a_late_transcription_counts_in_the_next_turn(pool: InferencePool) -> None:
    """What was said is not lost because speech recognition was slow."""
    bot = Bot(
        pool,
        strategies=UserTurnStrategies(
            stop=[
                SpeechTimeoutUserTurnStopStrategy(
                    user_speech_timeout=0.1, wait_for_transcript=False
                )
            ]
        ),
    )
    async with running(*bot.parts) as call:
        await says(call, None)
        await bot.until_decided(call, 1)
        await call.send(recognised(ASKS))
        await bot.until_decided(call, 2)
    assert bot.said == [None, ASKS]


async def test_one_participant_is_read_and_the_other_named_once(pool: InferencePool) -> None:
    """Two people's audio, frame by frame, would be read as one voice of double length."""
    bot = Bot(pool)
    async with running(*bot.parts) as call:
        for at, frame in enumerate(audio_frames(2.0)):
            both = [(user, frame.audio if user == "A" else bytes(640)) for user in "AB"]
            await call.send(
                *(UserAudioRawFrame(audio, 16_000, 1, user_id=user) for user, audio in both)
            )
            if at == 10:
                await call.send(VADUserStartedSpeakingFrame(start_secs=0.2))
        await call.send(recognised("hello there", "A"), recognised(ASKS, "B"))
        await call.send(VADUserStoppedSpeakingFrame(stop_secs=0.2))
        await bot.until_decided(call, 1)
    assert bot.said == ["hello there"]
    assert bot.guarded.emotion.capture.elapsed_s == pytest.approx(2.0)
    assert bot.call.faults.counts == {"participants": 1}


async def test_the_participant_may_be_named(pool: InferencePool) -> None:
    """A supervisor may come into the room before the caller."""
    bot = Bot(pool, participant="B")
    async with running(*bot.parts) as call:
        await call.send(UserAudioRawFrame(bytes(640), 16_000, 1, user_id="A"))
        await call.send(UserAudioRawFrame(bytes(1280), 16_000, 1, user_id="B"))
    assert bot.guarded.emotion.capture.elapsed_s == pytest.approx(0.04)


async def test_a_scripted_bot_hears_the_caller_alone(pool: InferencePool) -> None:
    """Without an aggregator others' transcriptions pass us, and guesses at the caller's own."""
    guarded = Guarded(pool, 0.05, reader=CallReader(), scripted=True)
    async with running(*guarded.parts) as call:
        for user in "AB":
            await call.send(UserAudioRawFrame(bytes(640), 16_000, 1, user_id=user))
        await call.until(lambda: guarded.call.faults.counts)
        await call.send(recognised(ASKS, "B"), InterimTranscriptionFrame(ASKS, "A", ""))
        await call.send(*speech(1.0))
        await call.until(lambda: guarded.actions)
    assert guarded.actions == ["proceed"]


@pytest.mark.parametrize("late", [True, False])
async def test_a_backchannel_is_no_turn(*, late: bool, pool: InferencePool) -> None:
    """Who says "mm-hmm" while the bot speaks has neither answered nor interrupted it."""
    bot = Bot(pool, 0.97)
    sound = speech(0.4, opens=False, closes=False)
    acknowledges = UserBackchannelFrame("mm-hmm", "caller", "")
    async with running(*bot.parts) as call:
        await call.send(*(sound if late else sound[:-1]))
        await (call.sees(CallerEmotionFrame) if late else asyncio.sleep(0.05))
        await call.send(acknowledges, *sound[-1:])
        await asyncio.sleep(2.0)
        assert bot.call.turns == []
        assert bot.call.turn is None
        await says(call, "my card is blocked")
        await bot.until_decided(call, 1)
    (turn,) = bot.call.turns
    assert turn.text == "my card is blocked"
    assert Cue.BARGES_IN not in {cue for cue, _ in turn.reading.cues}


async def test_a_backchannel_after_its_turn_ended_undoes_it(pool: InferencePool) -> None:
    """Speech recognition is slower than the end of a turn that has no words."""
    guarded = Guarded(pool, 0.97)
    async with running(*guarded.parts) as call:
        await call.send(*speech(0.4))
        await call.sees(CallerEmotionFrame)
        await call.send(UserBackchannelFrame("mm-hmm", "caller", ""))
        await asyncio.sleep(3.0)
        assert guarded.actions == []
        await take_turn(call, a_context("no"))
        await call.send(UserBackchannelFrame("mm-hmm", "caller", ""))
        await asyncio.sleep(3.0)
    assert guarded.actions == ["empathize"]


async def test_the_turn_after_a_cough_answers_the_prompt(pool: InferencePool) -> None:
    """A cough between prompt and answer must not make the answer one to nothing."""
    bot = Bot(pool, reader=(reader := Asked()))
    seen: list[Any] = []
    read = reader.read
    reader.read = lambda *turn, **about: seen.append(about) or read(*turn, **about)  # type: ignore[method-assign, func-returns-value]  # a spy
    bot.call.dialog_state = "asks_for_pin"
    async with running(*bot.guarded.parts) as call:
        bot.call.bot_started(0.0)
        await hears(call, 1.0)
        await call.send(*speech(0.4, opens=False, closes=False))
        await hears(call, 5.0)
        await call.send(*speech(1.0))
        await bot.until_decided(call, 1)
    assert [about["dialog_state"] for about in seen] == ["asks_for_pin"]


async def test_a_cough_is_not_decided_later(pool: InferencePool) -> None:
    """A nudge runs the LLM; the cough before it is no turn that this would answer."""
    bot = Bot(pool, 0.97)
    async with running(*bot.guarded.parts) as call:
        await call.send(*speech(0.4, opens=False, closes=False))
        await hears(call, 5.0)
        await call.send(LLMContextFrame(bot.context))
        await call.sees(LLMContextFrame)
    assert bot.call.turns == []
