"""A guarded bot of Pipecat's own aggregators, with a made-up LLM."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from pipecat.frames.frames import (
    Frame,
    LLMContextFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    LLMTextFrame,
    TranscriptionFrame,
    UserTurnInferenceCompletedFrame,
)
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import (
    LLMContextAggregatorPair,
    LLMUserAggregatorParams,
)
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.turns.user_mute import BaseUserMuteStrategy
from pipecat.turns.user_start import TranscriptionUserTurnStartStrategy, VADUserTurnStartStrategy
from pipecat.turns.user_stop import SpeechTimeoutUserTurnStopStrategy
from pipecat.turns.user_turn_strategies import UserTurnStrategies

from pipecat_deescalate.models.reader import CallReader
from pipecat_deescalate.policies import load_policy
from pipecat_deescalate.processors import InferencePool, PromptProcessor

from ..pipelines import Running, audio_frames, speech
from .guarded import Guarded

ASKS = "I want to speak to a human please"


class Replies(FrameProcessor):
    """An LLM that says the same to everything, or does what it is told."""

    def __init__(self, says: str | None = "All right.") -> None:
        super().__init__()
        self.says = says
        self.runs: list[list[Any]] = []

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if not isinstance(frame, LLMContextFrame):
            await self.push_frame(frame, direction)
            return
        self.runs.append(list(frame.context.get_messages()))
        await self.broadcast_frame(UserTurnInferenceCompletedFrame)
        await self.push_frame(LLMFullResponseStartFrame())
        if self.says is not None:
            await self.push_frame(LLMTextFrame(self.says))
        await self.push_frame(LLMFullResponseEndFrame())

    def guided(self, run: int) -> bool:
        return bool(self.runs[run][-1]["role"] == "developer")


class Bot:
    """A calm caller's by default; `balanced`, and words are read."""

    def __init__(
        self,
        pool: InferencePool,
        *answers: object,
        strategies: UserTurnStrategies | None = None,
        mutes: list[BaseUserMuteStrategy] | None = None,
        participant: str | None = None,
        **options: Any,
    ) -> None:
        options = {"policy": load_policy("balanced"), "reader": CallReader(), **options}
        self.context = LLMContext([{"role": "system", "content": "You help."}])
        self.llm = Replies()
        self.guarded = Guarded(
            pool, *(answers or (0.05,)), keep_text=True, participant=participant, **options
        )
        self.call = self.guarded.call
        self.prompts = PromptProcessor(self.call)
        stop = SpeechTimeoutUserTurnStopStrategy(user_speech_timeout=0.1)
        params = LLMUserAggregatorParams(
            user_turn_strategies=strategies
            or UserTurnStrategies(
                start=[VADUserTurnStartStrategy(), TranscriptionUserTurnStartStrategy()],
                stop=[stop],
            ),
            user_mute_strategies=mutes or [],
        )
        self.pair = pair = LLMContextAggregatorPair(self.context, user_params=params)
        emotion, mitigation, transfer = self.guarded.parts
        self.parts = [
            pair.user(),
            emotion,
            mitigation,
            self.llm,
            self.prompts,
            transfer,
            pair.assistant(),
        ]

    @property
    def said(self) -> list[str | None]:
        """The words of each decided turn."""
        return [turn.text for turn in self.call.turns]

    async def until_decided(self, call: Running, count: int, timeout_s: float = 8.0) -> None:
        await call.until(lambda: len(self.call.turns) >= count, timeout_s)


def recognised(text: str, user: str = "caller") -> TranscriptionFrame:
    return TranscriptionFrame(text, user, "", finalized=True)


async def says(call: Running, text: str | None, seconds: float = 1.0) -> None:
    """The caller says something; the turns are left to Pipecat."""
    *sound, stop = speech(seconds, opens=False, closes=False)
    await call.send(*sound, *([recognised(text)] if text else []), stop)
    await asyncio.sleep(0.6)


async def hears(call: Running, seconds: float) -> None:
    """Time goes by on the line."""
    await call.send(*audio_frames(seconds))
    await asyncio.sleep(0.05)


Prepare = Callable[[Bot, Running], Any]
