"""A guard that cannot do its work says so when its pipeline starts, with the line to write."""

from __future__ import annotations

import pytest
from pipecat.audio.vad.silero import SileroVADAnalyzer
from pipecat.pipeline.parallel_pipeline import ParallelPipeline
from pipecat.pipeline.pipeline import Pipeline
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
from pipecat.transports.base_input import BaseInputTransport
from pipecat.transports.base_output import BaseOutputTransport
from pipecat.transports.base_transport import TransportParams
from pipecat.turns.user_turn_processor import UserTurnProcessor
from pipecat.turns.user_turn_strategies import ExternalUserTurnStrategies

from pipecat_deescalate import Deescalator

from ..pipelines import Desk, Scripted, running


class Bot:
    """The parts of a bot as others build them, in the documented order."""

    def __init__(self, *, transfer: bool = True, **params: object) -> None:
        params = {"vad_analyzer": SileroVADAnalyzer(), **params}
        self.guard = Deescalator(
            classifier=Scripted(0.1), transfer=Desk() if transfer else None, call_id="call-1"
        )
        user, assistant = LLMContextAggregatorPair(
            LLMContext(),
            user_params=LLMUserAggregatorParams(**params),  # type: ignore[arg-type]  # as given
        )
        line = TransportParams(audio_in_enabled=True, audio_out_enabled=True)
        self.parts: dict[str, FrameProcessor] = {
            "input": BaseInputTransport(line),
            "stt": OpenAISTTService(api_key="none"),
            "user": user,
            "listen": self.guard.listen(),
            "llm": OpenAILLMService(api_key="none"),
            "speak": self.guard.speak(),
            "tts": OpenAITTSService(api_key="none"),
            "output": BaseOutputTransport(line),
            "hand_over": self.guard.hand_over(),
            "assistant": assistant,
        }

    def complaints(self, order: str) -> list[str]:
        return self.guard.check(Pipeline([self.parts[name] for name in order.split()]))


AS_DOCUMENTED = "input stt user listen llm speak tts output hand_over assistant"


async def test_the_documented_order_is_accepted() -> None:
    """A complaint about a bot that is right would teach its owner to ignore them."""
    assert Bot().complaints(AS_DOCUMENTED) == []


@pytest.mark.parametrize(
    ("order", "complaint"),
    [
        (
            "input stt listen user llm speak tts output hand_over assistant",
            "guard.listen() stands before the user aggregator: no turn is heard",
        ),
        (
            "input stt user llm listen speak tts output hand_over assistant",
            "the LLM stands before guard.listen(): the reply is made before the decision",
        ),
        (
            "input user stt listen llm speak tts output hand_over assistant",
            "the user aggregator stands before the STT service: no turn has words",
        ),
        (
            "input user listen stt llm speak tts output hand_over assistant",
            "guard.listen() stands before the STT service",
        ),
        (
            "input stt user listen llm tts speak output hand_over assistant",
            "the TTS service stands before guard.speak()",
        ),
        (
            "input stt user listen speak llm tts output hand_over assistant",
            "guard.speak() stands before the LLM",
        ),
        (
            "input stt user listen llm speak tts hand_over output assistant",
            "guard.hand_over() stands before transport.output(): the call is handed over before",
        ),
        (
            "input stt user llm speak tts output hand_over assistant",
            "guard.listen() is not in the pipeline: the caller is not heard",
        ),
        (
            "input stt user listen llm speak tts output assistant",
            "guard.hand_over() is not in the pipeline: no call is handed over",
        ),
        (
            "input stt user listen llm tts output hand_over assistant",
            "guard.speak() is not in the pipeline",
        ),
        (
            "input user listen llm speak tts output hand_over assistant",
            "there is no STT service: the caller's words are not known",
        ),
        (
            "input stt listen llm speak tts output hand_over assistant",
            "no part of the pipeline finds the caller's turns",
        ),
    ],
)
async def test_a_part_in_the_wrong_place_is_named(order: str, complaint: str) -> None:
    """A guard that hears nothing would look like a line on which nobody is ever angry."""
    complaints = Bot().complaints(order)
    assert any(one.startswith(complaint) for one in complaints), complaints
    assert all("Write" in one for one in complaints)


async def test_without_a_target_hand_over_may_be_left_out() -> None:
    """A bot that hands nobody over is complete without the part that does."""
    bot = Bot(transfer=False)
    assert bot.complaints("input stt user listen llm speak tts output assistant") == []


async def test_a_scripted_bot_is_accepted() -> None:
    """A bot without STT and LLM has VADProcessor and UserTurnProcessor in their place."""
    bot = Bot()
    turns = [VADProcessor(vad_analyzer=SileroVADAnalyzer()), UserTurnProcessor()]
    parts = [bot.parts[name] for name in ("listen", "speak", "tts", "output", "hand_over")]
    assert bot.guard.check(Pipeline([bot.parts["input"], *turns, *parts])) == []
    (complaint,) = bot.guard.check(Pipeline([bot.parts["input"], parts[0], *turns, *parts[1:]]))[:1]
    assert complaint.startswith("guard.listen() stands before VADProcessor")


async def test_branches_have_no_order() -> None:
    """Two LLMs side by side, one of which classifies, are no mistake."""
    bot = Bot()
    p = bot.parts
    beside = ParallelPipeline(
        [p["listen"], p["llm"]], [OpenAILLMService(api_key="none", name="classifier")]
    )
    front = [p["input"], p["stt"], p["user"], beside]
    tail = [p[name] for name in ("speak", "tts", "output", "hand_over", "assistant")]
    assert bot.guard.check(Pipeline([*front, *tail])) == []


@pytest.mark.parametrize(
    ("params", "complaint"),
    [
        ({"vad_analyzer": None}, "the user aggregator has no VAD"),
        ({"vad_analyzer": None, "user_turn_strategies": ExternalUserTurnStrategies()}, None),
    ],
)
async def test_turns_need_a_vad_or_somebody_else_who_finds_them(
    params: dict[str, object], complaint: str | None
) -> None:
    """With a turn that begins at its transcript, the voice of the turn is over already."""
    complaints = Bot(**params).complaints(AS_DOCUMENTED)
    assert [one[: len(complaint or "")] for one in complaints] == [complaint] * bool(complaint)


async def test_an_stt_that_keeps_the_audio_is_named() -> None:
    """Without the caller's audio there are words and no voice."""
    bot = Bot()
    bot.parts["stt"] = OpenAISTTService(api_key="none", audio_passthrough=False)
    (complaint,) = bot.complaints(AS_DOCUMENTED)
    assert "OpenAISTTService(audio_passthrough=True, ...)" in complaint


async def test_complaints_are_made_when_the_pipeline_starts() -> None:
    """Whoever never calls check() still finds them in the log and in the record."""
    guard = Deescalator(classifier=Scripted(0.1), transfer=Desk(), call_id="call-1")
    async with running(guard.hand_over(), guard.listen()):
        pass
    assert any(one.startswith("guard.speak() is not in") for one in guard.record().warnings)


async def test_a_guard_serves_one_call() -> None:
    """A second call would begin with the first one's anger, and with its hand-over spent."""
    guard = Deescalator(classifier=Scripted(0.1), call_id="call-1")
    for _ in range(2):
        async with running(guard.listen(), guard.speak()):
            pass
    (warning,) = guard.record().warnings
    assert warning.startswith("this guard was at work in another call")
