"""Deciding to hand a call over: what the caller hears, and what the human gets."""

from __future__ import annotations

import asyncio
import datetime

import pytest
from pipecat.frames.frames import (
    EndFrame,
    Frame,
    LLMContextFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    LLMTextFrame,
    TranscriptionFrame,
    TTSSpeakFrame,
)
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor

from pipecat_deescalate.models.reader import CallReader
from pipecat_deescalate.policies import OpeningHours, load_policy
from pipecat_deescalate.policies.types import Action
from pipecat_deescalate.processors import (
    GuardSpeakFrame,
    InferencePool,
    PromptProcessor,
    TransferCallFrame,
)
from pipecat_deescalate.processors.session import hand_over_state

from ..pipelines import Desk, Tap, running, speech
from .guarded import ANGRY, STEPS, Guarded, a_context, follow, take_turn


async def test_persistent_distress_is_announced_then_handed_over(pool: InferencePool) -> None:
    """In place of a reply the caller hears where the call goes, and then it goes there, once."""
    guarded = Guarded(pool, ANGRY, keep_text=True)
    context = a_context("I said no")
    requests: list[object] = []

    @guarded.mitigation.event_handler("on_transfer")
    async def _(_processor: FrameProcessor, request: object) -> None:
        requests.append(request)

    async with running(*guarded.parts) as call:
        for _ in range(2):
            assert len(await take_turn(call, context)) == 1
        assert await take_turn(call, context) == []
        await call.sees(TransferCallFrame)
        await call.until(lambda: guarded.desk.requests)
    assert guarded.actions == ["empathize", "offer_human", "transfer"]
    down = call.after.down
    (sentence,) = call.after.of(GuardSpeakFrame)
    (transfer,) = call.after.of(TransferCallFrame)
    assert down.index(sentence) < down.index(transfer)
    assert not sentence.interruptible
    assert not transfer.interruptible
    (request,) = guarded.desk.requests
    assert requests == [request]
    assert request.call_id == "CA1"
    assert request.asked == "I said no"
    assert [line.text for line in request.transcript] == 3 * ["I said no"]
    assert [turn.action for turn in request.turns][-1] is Action.TRANSFER


async def test_words_are_not_kept_unless_the_operator_wants_them(pool: InferencePool) -> None:
    """What callers say is theirs; nothing of it may travel by default."""
    guarded = Guarded(pool, ANGRY)
    async with running(*guarded.parts) as call:
        for _ in range(3):
            await take_turn(call, a_context("my secret"))
        await call.until(lambda: guarded.desk.requests)
    assert "secret" not in repr(guarded.desk.requests[0].to_dict())
    assert all(turn.text is None for turn in guarded.call.turns)


async def test_the_human_is_told_how_the_caller_sounded(pool: InferencePool) -> None:
    """Measured beside the reading, if there is a human to tell; without one it is not worth it."""
    guarded = Guarded(pool, 0.02, 0.02, ANGRY, reader=CallReader())
    async with running(*guarded.parts) as call:
        while not guarded.desk.requests and len(guarded.call.turns) < 8:
            await take_turn(call, a_context("no"))
    manner = guarded.desk.requests[0].manner or ""
    assert manner.startswith("Compared with this caller's other turns, the pitch is ")
    alone = Guarded(pool, 0.02, reader=CallReader())
    async with running(*alone.parts[:2]) as call:
        await take_turn(call, a_context("no"))
    assert alone.call.turn is not None
    assert alone.call.turn.voice_turn.attributes is None


async def test_while_a_call_is_handed_over_the_llm_is_not_asked(pool: InferencePool) -> None:
    """A bot that talks on over the hand-over, or hands over twice, is worse than silence."""
    guarded = Guarded(pool, ANGRY)
    guarded.desk.gate.clear()
    async with running(*guarded.parts) as call:
        for _ in range(3):
            await take_turn(call, a_context("no"))
        await call.until(lambda: guarded.desk.requests)
        assert await take_turn(call, a_context("hello? hello?")) == []
        guarded.desk.gate.set()
        await call.until(lambda: guarded.call.hand_over.taken)
        await call.send(*speech(1.0))
        assert await follow(call, a_context("is that a human?")) == []
        await asyncio.sleep(10 * hand_over_state.LIMIT_S)
        assert await follow(call, a_context("is that a human?")) == []
    assert len(guarded.desk.requests) == 1
    assert guarded.actions == ["empathize", "offer_human", "transfer"]


async def test_two_humans_are_not_listened_to(pool: InferencePool) -> None:
    """What a caller says to the human is neither read nor kept; once resumed, it is the bot's."""
    guarded = Guarded(pool, ANGRY, reader=CallReader(), keep_text=True)
    context, secret = a_context("no"), "my secret"
    async with running(*guarded.parts) as call:
        for _ in range(3):
            await take_turn(call, context)
        await call.until(lambda: guarded.call.hand_over.taken)
        read = len(guarded.model.heard)
        context.add_message({"role": "user", "content": secret})
        await call.send(TranscriptionFrame(secret, "caller", ""), *speech(1.0))
        await follow(call, context)
        assert len(guarded.model.heard) == read
        assert not guarded.call.active
        guarded.transfer.resume()
        request = "let me talk to a real person please"
        context.add_message({"role": "user", "content": request})
        await call.send(TranscriptionFrame(request, "caller", ""))
        (frame,) = await take_turn(call, context)
    assert guarded.actions[3:] == ["offer_human"]
    assert guarded.call.turns[3].text == request
    assert "calls back" in frame.context.get_messages()[-1]["content"]
    assert len(guarded.desk.requests) == 1


async def test_nobody_knows_whether_a_human_has_the_call(pool: InferencePool) -> None:
    """A bot must not speak for a vendor who lost the answer, nor leave the caller in silence."""
    guarded = Guarded(pool, ANGRY, desk=Desk(error=TimeoutError()))
    async with running(*guarded.parts) as call:
        for _ in range(3):
            await take_turn(call, a_context("no"))
        await call.until(lambda: guarded.call.hand_over.taken)
        await call.send(*speech(1.0))
        assert await follow(call, a_context("hello?")) == []
        await asyncio.sleep(hand_over_state.LIMIT_S)
        assert len(await take_turn(call, a_context("hello?"))) == 1
        assert len(call.after.of(GuardSpeakFrame)) == 1
    assert "transfer" not in guarded.actions[3:]
    assert guarded.call.faults.counts["transfer unknown"] == 1
    assert len(guarded.desk.requests) == 1


async def test_resuming_takes_back_no_hand_over_that_is_announced(pool: InferencePool) -> None:
    """A caller who hears of a human gets one, whatever the bot's code calls, and when."""
    guarded = Guarded(pool, ANGRY)
    guarded.desk.gate.clear()
    guarded.transfer.resume()
    async with running(*guarded.parts) as call:
        for _ in range(3):
            await take_turn(call, a_context("no"))
        guarded.transfer.resume()
        assert await take_turn(call, a_context("no")) == []
        guarded.desk.gate.set()
        await call.until(lambda: guarded.call.hand_over.taken)
    assert guarded.actions == ["empathize", "offer_human", "transfer"]


async def test_a_hand_over_that_got_lost_does_not_silence_the_bot(
    pool: InferencePool,
) -> None:
    """A speech service may swallow the frame; a bot that waits for ever is a dead line."""
    guarded = Guarded(pool, ANGRY)
    guarded.call.hand_over.ready = True
    async with running(*guarded.parts[:2]) as call:
        for _ in range(3):
            await take_turn(call, a_context("no"))
        assert await take_turn(call, a_context("hello?")) == []
        await asyncio.sleep(hand_over_state.LIMIT_S)
        assert len(await take_turn(call, a_context("hello?"))) == 1


async def test_two_distressed_turns_at_once_ask_for_one_transfer(pool: InferencePool) -> None:
    """The second turn may come before the first one's transfer left the pipeline."""
    policy = load_policy("eager").model_copy(update={"transfer_after": 1, "memory": 0.99})
    guarded = Guarded(pool, ANGRY, policy=policy)
    guarded.desk.gate.clear()
    async with running(*guarded.parts) as call:
        for _ in range(2):
            await take_turn(call, a_context("no"))
        await call.send(*speech(1.0), *speech(1.0))
        await asyncio.sleep(0.1)
        await call.send(LLMContextFrame(a_context("no")), LLMContextFrame(a_context("no")))
        await call.until(lambda: guarded.desk.requests)
        await asyncio.sleep(0.1)
        guarded.desk.gate.set()
    assert len(guarded.desk.requests) == 1
    assert len(call.after.of(TransferCallFrame)) == 1


@pytest.mark.parametrize("reason", ["no target", "nobody there", "callable raises", "closed"])
async def test_without_a_human_the_bot_offers_a_call_back(reason: str, pool: InferencePool) -> None:
    """A transfer to nobody is a dead line."""

    def agents() -> bool:
        if reason == "callable raises":
            raise RuntimeError("the staffing service is down")
        return reason in {"no target", "closed"}

    policy = STEPS
    if reason == "closed":
        past = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=2)
        hours = OpeningHours(opens=past.time(), closes=(past + datetime.timedelta(hours=1)).time())
        policy = policy.model_copy(update={"opening_hours": hours})
    guarded = Guarded(pool, ANGRY, policy=policy, agents_available=agents)
    parts = guarded.parts[:2] if reason == "no target" else guarded.parts
    async with running(*parts) as call:
        frames = [await take_turn(call, a_context("no")) for _ in range(4)]
    assert "calls back" in frames[1][0].context.get_messages()[-1]["content"]
    assert "transfer" not in guarded.actions
    assert guarded.call.turns[1].decision.callback
    assert guarded.call.faults.counts["agents"] == (4 if reason == "callable raises" else 0)


async def test_a_hand_over_without_a_sentence_is_called_off(pool: InferencePool) -> None:
    """A call must not stay silent for want of words."""
    guarded = Guarded(pool, ANGRY)
    async with running(*guarded.parts) as call:
        for _ in range(2):
            await take_turn(call, a_context("no"))
        guarded.call.book = None  # type: ignore[assignment]  # no phrase can be found in it
        await take_turn(call, a_context("no"))
        assert len(await take_turn(call, a_context("hello?"))) == 1
    assert guarded.desk.requests == []


async def test_a_hand_over_that_got_lost_has_failed(pool: InferencePool) -> None:
    """A caller who asks again for the human who never came must at least be called back."""
    guarded = Guarded(pool, 0.5, reader=CallReader())
    guarded.call.hand_over.ready = True
    request = "let me talk to a real person please"
    async with running(*guarded.parts[:2]) as call:
        await take_turn(call, a_context(request))
        await asyncio.sleep(hand_over_state.LIMIT_S)
        assert not guarded.call.hand_over.available(guarded.call.policy)
        (frame,) = await take_turn(call, a_context(request))
    assert guarded.actions == ["transfer", "offer_human"]
    assert "calls back" in frame.context.get_messages()[-1]["content"]


@pytest.mark.parametrize("end", ["outcome", "limit"])
async def test_the_end_of_the_call_waits_for_the_hand_over(
    end: str, pool: InferencePool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A transport that gets the end closes the line, and nobody is left to be put through."""
    if end == "limit":
        monkeypatch.setattr(hand_over_state, "LIMIT_S", 0.5)  # before the target's own limit
    guarded = Guarded(pool, ANGRY)
    guarded.desk.gate.clear()
    async with running(*guarded.parts, end="none") as call:
        for _ in range(3):
            await take_turn(call, a_context("no"))
        await call.until(lambda: guarded.desk.requests)
        await call.worker.stop_when_done()
        await asyncio.sleep(0.1)
        assert not call.after.of(EndFrame)
        if end == "limit":
            await call.until(lambda: not guarded.call.hand_over.under_way)
        guarded.desk.gate.set()
    assert not guarded.desk.cancelled


class Announces(FrameProcessor):
    """The speech synthesis and the line: what follows an announcement waits until it is `said`."""

    def __init__(self) -> None:
        super().__init__()
        self.speaks, self.said = asyncio.Event(), asyncio.Event()

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        await self.push_frame(frame, direction)
        if isinstance(frame, GuardSpeakFrame):
            self.speaks.set()
            await self.said.wait()


@pytest.mark.parametrize("end", ["end", "cancel"])
async def test_a_call_may_end_between_the_announcement_and_the_transfer(
    end: str, pool: InferencePool
) -> None:
    """A bot that ends must keep its promise first; nobody is rung for a caller who hung up."""
    guarded, wire, line = Guarded(pool, ANGRY), Tap(), Announces()
    parts = guarded.emotion, guarded.mitigation, wire, line, guarded.transfer
    async with running(*parts, end="none") as call:
        for _ in range(3):
            await take_turn(call, a_context("no"))
        await call.until(line.speaks.is_set)
        assert guarded.desk.requests == []
        await (call.worker.stop_when_done() if end == "end" else call.worker.cancel())
        await asyncio.sleep(0.1)
        early = wire.of(EndFrame)
        line.said.set()
    assert not early
    assert len(guarded.desk.requests) == (end == "end")
    assert not guarded.desk.cancelled


async def test_the_human_reads_the_dialogue_before_a_turn_without_words(
    pool: InferencePool,
) -> None:
    """What the bot said to a caller who then only shouts must not be missing."""
    guarded = Guarded(pool, ANGRY, keep_text=True)
    context = a_context("my bill is wrong")
    parts = (guarded.emotion, guarded.mitigation, PromptProcessor(guarded.call), guarded.transfer)
    reply = [LLMTextFrame("Which"), LLMTextFrame(" bill?")]
    async with running(*parts) as call:
        await take_turn(call, context)
        await call.send(LLMFullResponseStartFrame(), *reply, LLMFullResponseEndFrame())
        await call.sees(LLMFullResponseEndFrame)
        await take_turn(call, context)
        await call.send(TTSSpeakFrame("One moment."))
        await call.sees(TTSSpeakFrame)
        await call.send(*speech(1.0))
        await call.until(lambda: guarded.desk.requests)
    said = [(line.speaker, line.text) for line in guarded.desk.requests[0].transcript]
    assert said == [
        ("caller", "my bill is wrong"),
        ("bot", "Which bill?"),
        ("caller", "my bill is wrong"),
        ("bot", "One moment."),
    ]


async def test_a_hand_over_that_breaks_is_called_off(pool: InferencePool) -> None:
    """A bot that waits a minute for a hand-over that never began is a dead line."""
    guarded = Guarded(pool, ANGRY)
    push = guarded.mitigation.push_frame

    async def breaks(frame: Frame, direction: FrameDirection = FrameDirection.DOWNSTREAM) -> None:
        if isinstance(frame, TransferCallFrame):
            raise OSError("no more")
        await push(frame, direction)

    guarded.mitigation.push_frame = breaks  # type: ignore[method-assign]  # the break
    async with running(*guarded.parts) as call:
        for _ in range(3):
            await take_turn(call, a_context("no"))
        assert len(await take_turn(call, a_context("hello?"))) == 1
    assert guarded.call.hand_over.failed
    assert guarded.desk.requests == []
