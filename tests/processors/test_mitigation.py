"""Decisions in a running pipeline: when they are made, and what the LLM gets."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest
from pipecat.adapters.llm.schemas.function_schema import FunctionSchema
from pipecat.adapters.llm.schemas.tools_schema import ToolsSchema
from pipecat.frames.frames import (
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    Frame,
    InterruptionFrame,
    LLMContextFrame,
    LLMTextFrame,
    TTSSpeakFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
)
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.processors.frameworks.rtvi import RTVIServerMessageFrame

from pipecat_deescalate.models.reader import CallReader
from pipecat_deescalate.models.readings import TurnReading
from pipecat_deescalate.policies import load_policy
from pipecat_deescalate.policies.types import Action, Decision
from pipecat_deescalate.processors import (
    CallerEmotionFrame,
    InferencePool,
    PromptProcessor,
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

    async with running(*guarded.parts, PromptProcessor(guarded.call)) as call:
        (edited,) = await take_turn(call, context)
        await call.send(LLMTextFrame("I am sorry."))
        await call.sees(LLMTextFrame)
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
    """A barge-in takes the LLM's run with it; both turns must be decided, each once."""
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
    assert guarded.actions == ["empathize", "offer_human"]
    assert [turn.reading.index for turn in guarded.call.turns] == [0, 1]


async def test_a_turn_that_no_audio_came_with_is_decided_as_unknown(pool: InferencePool) -> None:
    """Words without audio are a turn; the last turn's anger must not be counted for it again."""
    guarded = Guarded(pool, ANGRY)
    async with running(*guarded.parts) as call:
        await take_turn(call, a_context("no"))
        await call.send(BotStartedSpeakingFrame(), BotStoppedSpeakingFrame())
        await call.send(UserStartedSpeakingFrame(), UserStoppedSpeakingFrame())
        await call.sees(CallerEmotionFrame, 2)
        (frame,) = await follow(call, a_context("typed"))
    assert frame.context.get_messages()[-1]["content"] == "typed"
    assert guarded.actions == ["empathize", "proceed"]


async def test_a_calm_caller_who_asks_for_a_human_gets_one(pool: InferencePool) -> None:
    """Words count beside the voice: a request needs no anger."""
    guarded = Guarded(pool, 0.05, reader=CallReader())
    async with running(*guarded.parts) as call:
        assert await take_turn(call, a_context("could I talk to a real person please")) == []
        await call.until(lambda: guarded.desk.requests)
    assert guarded.call.turns[0].decision.reason == "asked for a human"
    assert guarded.desk.requests[0].asked is None


async def test_words_that_cannot_be_read_leave_the_voice(pool: InferencePool) -> None:
    """A broken word model must not make us deaf."""

    class Broken(CallReader):
        def read(self, *_: object, **__: object) -> TurnReading:
            raise OSError("the weights are gone")

    guarded = Guarded(pool, ANGRY, reader=Broken())
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
    assert guarded.call.faults.counts["decision"] >= 2
    assert [record.msg for record in caplog.records] == ["no decision; the bot goes on"]


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
