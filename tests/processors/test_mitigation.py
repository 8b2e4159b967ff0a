"""Decisions in a running pipeline: what the LLM is told, when, and when it is not asked at all."""

from __future__ import annotations

import asyncio
import datetime
import time
from collections.abc import Callable
from typing import Any

import pytest
from pipecat.adapters.llm.schemas.function_schema import FunctionSchema
from pipecat.adapters.llm.schemas.tools_schema import ToolsSchema
from pipecat.frames.frames import (
    EagerEndOfTurnCancelFrame,
    Frame,
    InterruptionFrame,
    LLMContextFrame,
    TTSSpeakFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
)
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.processors.frameworks.rtvi import RTVIServerMessageFrame

from pipecat_deescalate.models.hearing import CallHearing
from pipecat_deescalate.models.types import Cue, TurnReading
from pipecat_deescalate.policies import OpeningHours, load_policy
from pipecat_deescalate.policies.types import Action, Decision
from pipecat_deescalate.processors import (
    CallerEmotionFrame,
    GuardSpeakFrame,
    InferencePool,
    TransferCallFrame,
    live,
)

from ..pipelines import running, speech
from .guarded import ANGRY, Guarded, a_context, follow, take_turn


async def test_the_llm_is_guided_by_a_copy_for_one_run(pool: InferencePool) -> None:
    """Guidance that stayed in the shared context would colour the whole rest of the call."""
    schema = FunctionSchema("pay", "Pays.", {}, [])
    context = LLMContext(
        [{"role": "user", "content": "My bill is wrong"}], ToolsSchema([schema]), "auto"
    )
    guarded = Guarded(pool, ANGRY)
    decisions: list[Decision] = []

    @guarded.mitigation.event_handler("on_decision")
    async def _(_processor: FrameProcessor, decision: Decision) -> None:
        decisions.append(decision)

    async with running(*guarded.parts) as call:
        (edited,) = await take_turn(call, context)
        (again,) = await follow(call, context)
    messages = edited.context.get_messages()
    assert messages[:-1] == context.get_messages()
    assert messages[-1]["role"] == "developer"
    assert messages[-1]["content"].startswith("[Guidance for the assistant")
    assert "bill" in messages[-1]["content"]
    assert edited.context.tools is context.tools
    assert edited.context.tool_choice == "auto"
    assert len(context.get_messages()) == 1
    assert again.context is context
    assert [decision.action for decision in decisions] == [Action.EMPATHIZE]
    (message,) = [
        frame.data
        for frame in call.after.of(RTVIServerMessageFrame)
        if frame.data["type"] == "caller-decision"
    ]
    assert message["action"] == "empathize"
    assert message["level"] == "strained"
    assert 0 < message["belief"] < 1
    assert message["reason"] == "voice 0.95"


async def test_a_calm_turn_changes_nothing(pool: InferencePool) -> None:
    """For nearly every caller the bot must be the bot that it was."""
    context = a_context("hello")
    guarded = Guarded(pool, 0.1)
    async with running(*guarded.parts) as call:
        frame = LLMContextFrame(context)
        await call.send(frame)
        await call.send(*speech(1.0))
        await call.sees(CallerEmotionFrame)
        await call.send(frame)
        await call.sees(LLMContextFrame, 2)
    assert call.after.of(LLMContextFrame) == [frame, frame]
    assert guarded.actions == ["proceed"]


async def test_several_contexts_in_a_turn_are_one_decision(pool: InferencePool) -> None:
    """Counting a turn twice would escalate a call on the evidence of one."""
    guarded = Guarded(pool, ANGRY)
    async with running(*guarded.parts) as call:
        await take_turn(call, a_context("no"))
        for _ in range(3):
            await follow(call, a_context("no"))
    assert guarded.actions == ["empathize"]


async def test_a_late_reading_holds_the_reply_no_longer_than_max_wait(pool: InferencePool) -> None:
    """A caller must not wait for us; what is not known in time is unknown."""
    context = a_context("no")
    guarded = Guarded(pool, ANGRY)
    guarded.model.gate.clear()
    async with running(*guarded.parts) as call:
        await call.send(*speech(1.0))
        started = time.perf_counter()
        await call.send(LLMContextFrame(context))
        frame = await call.sees(LLMContextFrame)
        waited = time.perf_counter() - started
        guarded.model.gate.set()
        await call.sees(CallerEmotionFrame)
    assert frame.context is context
    assert 0.14 < waited < 0.5
    assert guarded.call.turns[0].reading.log_likelihood_ratio is None
    assert guarded.call.faults.counts == {"late": 1}


async def test_a_reading_that_comes_while_the_reply_waits_counts(pool: InferencePool) -> None:
    """The wait is there for just this."""
    guarded = Guarded(pool, ANGRY, max_wait=2.0)
    guarded.model.gate.clear()
    async with running(*guarded.parts) as call:
        await call.send(*speech(1.0), LLMContextFrame(a_context("no")))
        await asyncio.sleep(0.1)
        assert not call.after.of(LLMContextFrame)
        guarded.model.gate.set()
        frame = await call.sees(LLMContextFrame)
    assert frame.context.get_messages()[-1]["role"] == "developer"


async def test_an_interruption_while_deciding_drops_the_run_and_nothing_else(
    pool: InferencePool,
) -> None:
    """A barge-in takes the LLM's run with it; the turn after it must be decided as ever."""
    guarded = Guarded(pool, ANGRY, max_wait=5.0)
    guarded.model.gate.clear()
    async with running(*guarded.parts) as call:
        await call.send(*speech(1.0), LLMContextFrame(a_context("no")))
        await asyncio.sleep(0.05)
        await call.send(InterruptionFrame())
        await call.sees(InterruptionFrame)
        guarded.model.gate.set()
        await call.sees(CallerEmotionFrame)
        assert guarded.actions == []
        (frame,) = await take_turn(call, a_context("no", "no!"))
    assert frame.context.get_messages()[-1]["role"] == "developer"
    assert guarded.actions == ["empathize"]
    assert guarded.call.turns[0].reading.index == 1


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
    assert [line.text for line in request.transcript] == ["I said no"]
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
        await asyncio.sleep(0.05)
        assert len(await take_turn(call, a_context("are you there?"))) == 1
    assert len(guarded.desk.requests) == 1
    assert guarded.actions == ["empathize", "offer_human", "transfer", "proceed"]


async def test_a_hand_over_that_got_lost_does_not_silence_the_bot(
    pool: InferencePool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A speech service may swallow the frame; a bot that waits for ever is a dead line."""
    monkeypatch.setattr(live, "HAND_OVER_LIMIT_S", 0.3)
    guarded = Guarded(pool, ANGRY)
    guarded.call.transfer_ready = True
    async with running(*guarded.parts[:2]) as call:
        for _ in range(3):
            await take_turn(call, a_context("no"))
        assert await take_turn(call, a_context("hello?")) == []
        await asyncio.sleep(0.3)
        assert len(await take_turn(call, a_context("hello?"))) == 1


async def test_two_distressed_turns_at_once_ask_for_one_transfer(pool: InferencePool) -> None:
    """The second turn may come before the first one's transfer left the pipeline."""
    policy = load_policy("eager").model_copy(update={"transfer_after": 1, "memory": 0.99})
    guarded = Guarded(pool, ANGRY, policy=policy)
    async with running(*guarded.parts) as call:
        for _ in range(2):
            await take_turn(call, a_context("no"))
        await call.send(*speech(1.0), *speech(1.0))
        await asyncio.sleep(0.1)
        await call.send(LLMContextFrame(a_context("no")), LLMContextFrame(a_context("no")))
        await call.until(lambda: guarded.desk.requests)
        await asyncio.sleep(0.1)
    assert len(guarded.desk.requests) == 1
    assert len(call.after.of(TransferCallFrame)) == 1


@pytest.mark.parametrize("reason", ["no target", "nobody there", "callable raises", "closed"])
async def test_without_a_human_the_bot_offers_a_call_back(reason: str, pool: InferencePool) -> None:
    """A transfer to nobody is a dead line."""

    def agents() -> bool:
        if reason == "callable raises":
            raise RuntimeError("the staffing service is down")
        return reason in {"no target", "closed"}

    policy = load_policy("balanced")
    if reason == "closed":
        hours = OpeningHours(days=(), opens=datetime.time(0), closes=datetime.time(23, 59))
        policy = policy.model_copy(update={"opening_hours": hours})
    guarded = Guarded(pool, ANGRY, policy=policy, agents_available=agents)
    parts = guarded.parts[:2] if reason == "no target" else guarded.parts
    async with running(*parts) as call:
        frames = [await take_turn(call, a_context("no")) for _ in range(4)]
    assert "calls back" in frames[1][0].context.get_messages()[-1]["content"]
    assert "transfer" not in guarded.actions
    assert guarded.call.turns[1].decision.callback
    assert guarded.call.faults.counts["agents"] == (4 if reason == "callable raises" else 0)


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


async def test_a_turn_that_no_audio_came_with_is_decided_as_unknown(pool: InferencePool) -> None:
    """Words without audio are a turn; the last turn's anger must not be counted for it again."""
    guarded = Guarded(pool, ANGRY)
    async with running(*guarded.parts) as call:
        await take_turn(call, a_context("no"))
        await call.send(UserStartedSpeakingFrame(), UserStoppedSpeakingFrame())
        await call.sees(CallerEmotionFrame, 2)
        (frame,) = await follow(call, a_context("typed"))
    assert frame.context.get_messages()[-1]["content"] == "typed"
    assert guarded.actions == ["empathize", "proceed"]


async def test_a_calm_caller_who_asks_for_a_human_gets_one(pool: InferencePool) -> None:
    """Words count beside the voice: a request needs no anger."""
    guarded = Guarded(pool, 0.05, hearing=CallHearing())
    async with running(*guarded.parts) as call:
        assert await take_turn(call, a_context("could I talk to a real person please")) == []
        await call.until(lambda: guarded.desk.requests)
    assert guarded.call.turns[0].decision.reason == "asked for a human"
    assert guarded.desk.requests[0].asked is None


async def test_a_speculative_run_is_not_remembered_as_a_turn(pool: InferencePool) -> None:
    """Read twice, a caller's words would look like a request repeated."""
    guarded = Guarded(pool, 0.05, hearing=CallHearing())
    context = a_context("I want to change the address of my account")
    async with running(*guarded.parts) as call:
        await call.send(*speech(1.0, closes=False))
        await call.sees(CallerEmotionFrame)
        await call.send(LLMContextFrame(context, speculation=True))
        await call.sees(LLMContextFrame)
        await call.send(EagerEndOfTurnCancelFrame(), *speech(1.0, opens=False))
        await call.sees(CallerEmotionFrame, 2)
        await follow(call, context)
        await call.send(*speech(1.0, closes=False))
        await call.sees(CallerEmotionFrame, 3)
        await call.send(LLMContextFrame(context, speculation=True))
        await asyncio.sleep(0.1)
        await call.send(UserStoppedSpeakingFrame())
        await call.until(lambda: len(guarded.actions) == 2)
        await take_turn(call, context)
    said = [[cue for cue, _ in turn.reading.cues] for turn in guarded.call.turns]
    assert said == [[], [Cue.REPEATS_REQUEST], [Cue.REPEATS_REQUEST]]


async def test_words_that_cannot_be_read_leave_the_voice(pool: InferencePool) -> None:
    """A broken word model must not make us deaf."""

    class Broken(CallHearing):
        def hear(self, *_: object, **__: object) -> TurnReading:
            raise OSError("the weights are gone")

    guarded = Guarded(pool, ANGRY, hearing=Broken())
    async with running(*guarded.parts) as call:
        await take_turn(call, a_context("no"))
    assert guarded.actions == ["empathize"]
    assert guarded.call.faults.counts == {"words": 1}


async def test_a_turn_belongs_to_the_state_in_which_it_began(pool: InferencePool) -> None:
    """A dialogue moves on as soon as it has its answer, before the answer is decided about."""
    guarded = Guarded(pool, ANGRY)
    guarded.call.dialog_state = "asks_for_address"
    async with running(*guarded.parts) as call:
        await call.send(*speech(1.0))
        await call.sees(CallerEmotionFrame)
        guarded.call.dialog_state = "reads_back"
        await follow(call, a_context("no"))
    assert guarded.call.turns[0].decision.evidence.dialog_state == "asks_for_address"


async def test_a_policy_that_fails_leaves_the_bot_as_it_was(
    pool: InferencePool, caplog: pytest.LogCaptureFixture
) -> None:
    """A fault of ours must not cost the caller the reply."""
    guarded = Guarded(pool, ANGRY)
    guarded.call.policy = None  # type: ignore[assignment]  # nothing can be decided with it
    context = a_context("no")
    async with running(*guarded.parts) as call:
        for _ in range(2):
            (frame,) = await take_turn(call, context)
            assert frame.context is context
    assert guarded.call.faults.counts["decision"] == 2
    assert [record.msg for record in caplog.records] == [
        "nothing could be decided, the bot goes on"
    ]


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


@pytest.mark.parametrize(
    "at", [0, 30, 53, 54, 55], ids=["start", "speech", "silence", "end", "reply"]
)
@pytest.mark.parametrize("end", ["end", "cancel"])
@pytest.mark.parametrize("slow", [True, False])
async def test_a_pipeline_may_end_at_any_point(
    end: str, at: int, *, slow: bool, pool: InferencePool
) -> None:
    """A call that ends while it is decided must leave nothing behind."""
    guarded = Guarded(pool, ANGRY, policy=_transfers_at_once())
    if slow:
        guarded.model.gate.clear()
    frames: list[Frame] = [*speech(1.0), LLMContextFrame(a_context("no"))]
    async with running(*guarded.parts, end=end) as call:
        await call.send(*frames[:at])
    guarded.model.gate.set()
    assert len(guarded.desk.requests) <= 1


def _transfers_at_once() -> Any:
    return load_policy("eager").model_copy(
        update={"transfer_after": 1, "expected_negative_rate": 0.5, "max_turn_evidence": 10.0}
    )


async def test_a_scripted_bot_is_decided_at_the_end_of_the_turn(pool: InferencePool) -> None:
    """Without an LLM no context ever comes; the pipeline shows that there is none."""
    guarded = Guarded(pool, ANGRY, scripted=None)
    async with running(*guarded.parts) as call:
        for count in (1, 2, 3):
            await call.send(*speech(1.0))
            await call.until(lambda n=count: len(guarded.actions) == n)
        await call.until(lambda: guarded.desk.requests)
    assert guarded.actions == ["empathize", "offer_human", "transfer"]
    assert len(call.after.of(TTSSpeakFrame)) == 1


async def test_a_scripted_bot_does_not_wait_for_the_model(pool: InferencePool) -> None:
    """Audio and VAD frames behind the end of a turn must not stand still while we decide."""
    guarded = Guarded(pool, ANGRY, scripted=True, max_wait=1.0)
    guarded.model.gate.clear()
    async with running(*guarded.parts) as call:
        await call.send(*speech(1.0))
        stopped: Callable[[], object] = lambda: call.after.of(UserStoppedSpeakingFrame)  # noqa: E731 - reads best
        await call.until(stopped, 0.5)
        assert guarded.actions == []
        guarded.model.gate.set()
        await call.until(lambda: guarded.actions)
    assert guarded.actions == ["empathize"]
