"""Guidance in bots that call a function before they speak, with Pipecat's own Flows."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import Any

import pytest
from pipecat.flows import FlowManager, FlowsFunctionSchema, NodeConfig
from pipecat.frames.frames import (
    BotStartedSpeakingFrame,
    Frame,
    FunctionCallsStartedFrame,
    LLMContextFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    LLMRunFrame,
    LLMTextFrame,
    TTSSpeakFrame,
)
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.frame_processor import FrameDirection
from pipecat.services.llm_service import FunctionCallFromLLM, LLMService
from pipecat.services.settings import LLMSettings

from pipecat_deescalate.processors import InferencePool

from ..pipelines import running
from .bots import Bot, says
from .guarded import ANGRY, STEPS


class Calls(LLMService):
    """An LLM that calls a function in its first run and speaks in the others."""

    def __init__(self) -> None:
        unset = {field.name: None for field in dataclasses.fields(LLMSettings) if field.init}
        super().__init__(settings=LLMSettings(**{**unset, "extra": {}}))
        self.runs: list[list[Any]] = []

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if not isinstance(frame, LLMContextFrame):
            await self.push_frame(frame, direction)
            return
        self.runs.append(list(frame.context.get_messages()))
        await self.push_frame(LLMFullResponseStartFrame())
        if len(self.runs) == 1:
            await self.push_frame(LLMTextFrame("\n"))
            await self.run_function_calls([_call(frame.context)])
        else:
            await self.push_frame(LLMTextFrame("Which pizza was it?"))
        await self.push_frame(LLMFullResponseEndFrame())


def _call(context: LLMContext) -> FunctionCallFromLLM:
    return FunctionCallFromLLM(
        function_name="choose", tool_call_id="t1", arguments={}, context=context
    )


def guided(run: list[Any]) -> bool:
    return any("[Guidance for the assistant" in str(one.get("content")) for one in run)


async def test_the_run_that_speaks_after_a_node_function_is_guided(pool: InferencePool) -> None:
    """An angry turn that a node function answers must not lose its acknowledgement."""
    bot, llm = Bot(pool, ANGRY, policy=STEPS, reader=None), Calls()
    bot.parts[3] = llm

    async def choose(_arguments: Any, _manager: FlowManager) -> tuple[Any, NodeConfig]:
        return {"status": "ok"}, {
            "name": "pizza",
            "task_messages": [{"role": "developer", "content": "Ask which pizza."}],
        }

    handled = FlowsFunctionSchema(
        name="choose", description="", properties={}, required=[], handler=choose
    )
    async with running(*bot.parts) as call:
        manager = FlowManager(llm=llm, context_aggregator=bot.pair, worker=call.worker)
        await manager.initialize(
            {
                "name": "start",
                "task_messages": [{"role": "developer", "content": "Ask what it is about."}],
                "functions": [handled],
                "respond_immediately": False,
            }
        )
        await says(call, "my pizza is cold")
        await call.until(lambda: len(llm.runs) == 2)
        await asyncio.sleep(0.1)
        await call.send(LLMRunFrame())
        await call.until(lambda: len(llm.runs) == 3)
    assert [guided(run) for run in llm.runs] == [True, True, False]


@pytest.mark.parametrize("filler", [True, False])
async def test_guidance_lasts_until_the_llm_has_said_something(
    *, filler: bool, pool: InferencePool
) -> None:
    """What a function says while it works is not the reply that the caller waits for."""
    bot = Bot(pool, ANGRY, 0.5, policy=STEPS, reader=None)
    bot.llm.says = None
    async with running(*bot.parts) as call:
        await says(call, "my pizza is cold")
        await call.until(lambda: bot.llm.runs)
        if filler:
            await call.send(FunctionCallsStartedFrame(function_calls=[]))
            await call.until(lambda: bot.call.turn and bot.call.turn.calls_function)
            await call.send(TTSSpeakFrame("One moment."), BotStartedSpeakingFrame())
            await asyncio.sleep(0.1)
        await call.send(LLMRunFrame())
        await call.until(lambda: len(bot.llm.runs) == 2)
        bot.llm.says = "I am sorry."
        await says(call, "hello?")
        await call.until(lambda: len(bot.llm.runs) == 3)
        await call.send(LLMRunFrame(), BotStartedSpeakingFrame())
        await call.until(lambda: len(bot.llm.runs) == 4)
    assert [bot.llm.guided(run) for run in range(4)] == [True, True, True, False]
