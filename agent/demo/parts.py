"""The STT, dialogue and TTS of a call: without keys, or with services that need them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from pipecat.audio.vad.silero import SileroVADAnalyzer
from pipecat.audio.vad.vad_analyzer import VADParams
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import (
    LLMContextAggregatorPair,
    LLMUserAggregatorParams,
)
from pipecat.processors.audio.vad_processor import VADProcessor
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.services.openai.llm import OpenAILLMService
from pipecat.services.openai.stt import OpenAISTTService
from pipecat.services.openai.tts import OpenAITTSService
from pipecat.turns.user_start import VADUserTurnStartStrategy
from pipecat.turns.user_stop import SpeechTimeoutUserTurnStopStrategy
from pipecat.turns.user_turn_processor import UserTurnProcessor
from pipecat.turns.user_turn_strategies import UserTurnStrategies

from ..deescalator import Deescalator
from .dialogue import Script
from .keyword_stt import Spotter, SpottingSTTService
from .replies import ScriptedReplies
from .reporter import CallReporter
from .speech import EspeakTTSService, espeak

STOP_S = 0.1
"""A pause of this length ends a stretch of speech; 0.2 s would delay readings by 3 windows."""
INSTRUCTIONS = (
    "You are the telephone assistant of a bank's card service. Answer in one or two short "
    "sentences, without formatting. You can block a card, order a new one and explain charges."
)


@dataclass(frozen=True)
class Parts:
    """The processors of one call, by their places in the pipeline, and the bot's first words."""

    hearing: list[FrameProcessor]
    thinking: FrameProcessor
    speaking: FrameProcessor
    greeting: str
    remembering: list[FrameProcessor] = field(default_factory=list)


class Kit(Protocol):
    """Makes the parts of each call."""

    name: str

    def parts(self, guard: Deescalator, reporter: CallReporter) -> Parts:
        """The parts of one call."""
        ...


class KeylessKit:
    """Keyword spotting, a script and espeak-ng, which it loads up front."""

    name = "scripted bot, no keys needed"

    def __init__(self, script: Script, spotter: Spotter) -> None:
        self._script = script
        self._spotter = spotter
        espeak().say("ready")

    def parts(self, guard: Deescalator, reporter: CallReporter) -> Parts:
        """The parts of one call."""

        def at_state(state: str) -> None:
            guard.dialog_state = state

        replies = ScriptedReplies(self._script, on_state=at_state, on_turn=reporter.turn_over)
        strategies = UserTurnStrategies(
            start=[VADUserTurnStartStrategy()],
            stop=[SpeechTimeoutUserTurnStopStrategy(wait_for_transcript=False)],
        )
        hearing = [
            VADProcessor(vad_analyzer=_vad()),
            SpottingSTTService(self._spotter, lambda: replies.expects),
            UserTurnProcessor(user_turn_strategies=strategies),
        ]
        return Parts(hearing, replies, EspeakTTSService(), replies.greeting)


class KeyedKit:
    """OpenAI's services, or a server with the same API (docs/demo.md)."""

    def __init__(self, greeting: str, environment: Mapping[str, str] = os.environ) -> None:
        self._greeting = greeting
        self._environment = environment
        self._server: dict[str, Any] = {
            "api_key": environment["OPENAI_API_KEY"],
            "base_url": environment.get("OPENAI_BASE_URL"),
        }
        self.name = f"language model {environment.get('LLM_MODEL', 'of the default kind')}"

    def parts(self, guard: Deescalator, reporter: CallReporter) -> Parts:
        """The parts of one call."""
        user, assistant = LLMContextAggregatorPair(
            LLMContext(), user_params=LLMUserAggregatorParams(vad_analyzer=_vad())
        )

        @user.event_handler("on_user_turn_stopped")
        async def on_user_turn_stopped(_user: object, _strategy: object, message: Any) -> None:
            await reporter.turn_over(message.content or None)

        stt = OpenAISTTService(
            **self._server, settings=OpenAISTTService.Settings(**self._named(model="STT_MODEL"))
        )
        llm = OpenAILLMService(
            **self._server,
            settings=OpenAILLMService.Settings(
                system_instruction=INSTRUCTIONS, **self._named(model="LLM_MODEL")
            ),
        )
        tts = OpenAITTSService(
            **self._server,
            settings=OpenAITTSService.Settings(**self._named(model="TTS_MODEL", voice="TTS_VOICE")),
        )
        return Parts([stt, user], llm, tts, self._greeting, [assistant])

    def _named(self, **variables: str) -> dict[str, Any]:
        """The settings whose environment variables are set."""
        found = {key: self._environment.get(name) for key, name in variables.items()}
        return {key: value for key, value in found.items() if value}


def _vad() -> SileroVADAnalyzer:
    """Silero without its volume gate; a reading begins `STOP_S` after the words."""
    return SileroVADAnalyzer(params=VADParams(min_volume=0.0, stop_secs=STOP_S))
