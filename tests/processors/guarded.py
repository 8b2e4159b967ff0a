"""A guarded call for the tests: its parts, its turns, and what its callers say."""

from __future__ import annotations

import asyncio
from typing import Any

from pipecat.frames.frames import Frame, LLMContextFrame, LLMContextUserTurnFrame
from pipecat.processors.aggregators.llm_context import LLMContext

from pipecat_deescalate.policies import MitigationPolicy
from pipecat_deescalate.processors import (
    CallerEmotionFrame,
    EmotionProcessor,
    InferencePool,
    LiveCall,
    MitigationProcessor,
    TransferProcessor,
)

from ..pipelines import Desk, Running, Scripted, speech

STEPS = MitigationPolicy.model_validate(
    {
        "memory": 0.95,
        "least_turn_evidence": 0.5,
        "max_turn_evidence": 0.5,
        "strained": {"enter": 0.0156, "leave": 0.0102},
        "distressed": {"enter": 0.0231, "leave": 0.0102},
    }
)
"""One step a turn, whatever the words: empathy, then the offer of a human, then transfer."""
ANGRY = 0.95
"""A voice on which `STEPS` acts."""


class Guarded:
    """The parts of a guarded call, without speech synthesis in between."""

    def __init__(self, pool: InferencePool, *answers: object, **options: Any) -> None:
        self.model = Scripted(*answers)
        self.desk = options.pop("desk", None) or Desk()
        scripted = options.pop("scripted", False)
        max_wait = options.pop("max_wait", 0.15)
        policy = options.pop("policy", STEPS)
        participant = options.pop("participant", None)
        self.call = LiveCall(policy, call_id="CA1", **options)
        self.emotion = EmotionProcessor(
            self.model, call=self.call, pool=pool, participant=participant
        )
        self.mitigation = MitigationProcessor(self.call, max_wait=max_wait, scripted=scripted)
        self.transfer = TransferProcessor(self.desk, call=self.call, settle_s=0.0)
        self.parts = (self.emotion, self.mitigation, self.transfer)

    @property
    def actions(self) -> list[str]:
        return [turn.decision.action.value for turn in self.call.turns]


def a_context(*said: str) -> LLMContext:
    return LLMContext([{"role": "system", "content": "You help."}, *_user(said)])


def _user(said: tuple[str, ...]) -> list[Any]:
    return [{"role": "user", "content": words} for words in said]


async def take_turn(
    call: Running, context: LLMContext, *, speculation: bool = False
) -> list[LLMContextFrame]:
    """One caller turn, and its context once the reading is there, as a user aggregator sends it."""
    readings = len(call.after.of(CallerEmotionFrame))
    await call.send(*speech(1.5))
    await call.sees(CallerEmotionFrame, readings + 1)
    before = len(call.after.of(LLMContextFrame))
    await call.send(*([] if speculation else said_in(context)))
    await call.send(LLMContextFrame(context, speculation=speculation))
    await asyncio.sleep(0.1)
    return call.after.of(LLMContextFrame)[before:]


def said_in(context: LLMContext) -> list[Frame]:
    """The caller's words at the end of a context."""
    return [LLMContextUserTurnFrame(context.get_messages()[-1]["content"], "")]


async def follow(call: Running, context: LLMContext) -> list[LLMContextFrame]:
    """Another context in the same turn."""
    before = len(call.after.of(LLMContextFrame))
    await call.send(LLMContextFrame(context))
    await asyncio.sleep(0.1)
    return call.after.of(LLMContextFrame)[before:]
