"""Whether one call's parts stand where they can work; complained of before the first turn."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec

from pipecat.pipeline.parallel_pipeline import ParallelPipeline
from pipecat.pipeline.pipeline import PipelineSink, PipelineSource
from pipecat.processors.aggregators.llm_response_universal import (
    LLMAssistantAggregator,
    LLMUserAggregator,
)
from pipecat.processors.audio.vad_processor import VADProcessor
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.services.llm_service import LLMService
from pipecat.services.stt_service import STTService
from pipecat.services.tts_service import TTSService
from pipecat.transports.base_input import BaseInputTransport
from pipecat.transports.base_output import BaseOutputTransport
from pipecat.turns.user_turn_processor import UserTurnProcessor
from pipecat.turns.user_turn_strategies import ExternalUserTurnStrategies

from .context import is_realtime
from .session.live_call import LiveCall

LLM_BOT = "Pipeline([transport.input(), stt, user_aggregator, guard.listen(), llm, guard.speak(), tts, transport.output(), guard.hand_over(), assistant_aggregator])"  # noqa: E501 - a line to copy
_USER_AGGREGATOR = "LLMUserAggregatorParams(vad_analyzer=SileroVADAnalyzer())"


@dataclass(frozen=True, slots=True)
class GuardParts:
    """The parts of one guard that a pipeline should hold; `transfers` if it has a target."""

    listen: FrameProcessor
    speak: FrameProcessor
    hand_over: FrameProcessor
    transfers: bool


@dataclass(frozen=True, slots=True)
class _Placed:
    """A processor and the way to it: at each level its index, and whether branches run there."""

    processor: FrameProcessor
    way: tuple[tuple[int, bool], ...]

    def before(self, other: _Placed) -> bool:
        """Whether frames come here first; not so in another branch of a parallel pipeline."""
        for mine, its in zip(self.way, other.way, strict=False):
            if mine != its:
                return not mine[1] and mine < its
        return False


_Of = Callable[[_Placed], bool]


def _is_a(*kinds: type[FrameProcessor]) -> _Of:
    return lambda placed: isinstance(placed.processor, kinds)


def wiring_complaints(pipeline: FrameProcessor, guard: GuardParts) -> list[str]:
    """What keeps a guard from its work in this pipeline: each a sentence, and the line to write.

    Empty if all is well, as far as the parts show it.
    """
    placed = list(_placed(pipeline))
    here = {
        name: [one for one in placed if one.processor is part]
        for name, part in (
            ("guard.listen()", guard.listen),
            ("guard.speak()", guard.speak),
            ("guard.hand_over()", guard.hand_over),
        )
    }
    return [
        *_missing(placed, here, guard),
        *_misplaced(placed, here),
        *_unheard(placed),
        *_installed(),
    ]


def _missing(
    placed: list[_Placed], here: dict[str, list[_Placed]], guard: GuardParts
) -> Iterator[str]:
    lost = {
        "guard.listen()": "the caller is not heard and nothing is decided",
        "guard.speak()": "prompts are not rewritten, and guidance ends at a tool call",
    }
    if guard.transfers:
        lost["guard.hand_over()"] = "no call is handed over, callers are offered a call back"
    for part, places in here.items():
        if not places and part in lost:
            yield f"{part} is not in the pipeline: {lost[part]}. Write: {LLM_BOT}"
        elif len(places) > 1:
            yield f"{part} is in the pipeline {len(places)} times. Write: {LLM_BOT}"


def _misplaced(placed: list[_Placed], here: dict[str, list[_Placed]]) -> Iterator[str]:
    """Pairs that stand in the wrong order, whichever of several processors of a kind one takes."""
    found = {
        "the STT service": _is_a(STTService),
        "the user aggregator": _is_a(LLMUserAggregator),
        "VADProcessor": _is_a(VADProcessor),
        "UserTurnProcessor": _is_a(UserTurnProcessor),
        "the LLM": _is_a(LLMService),
        "the TTS service": _is_a(TTSService),
        "transport.output()": _is_a(BaseOutputTransport),
        "the assistant aggregator": _is_a(LLMAssistantAggregator),
    }
    places = {**{name: [p for p in placed if of(p)] for name, of in found.items()}, **here}
    for first, second, why in (
        ("the STT service", "the user aggregator", "no turn has words"),
        ("the STT service", "guard.listen()", "the caller's words are not known"),
        ("the user aggregator", "guard.listen()", "no turn is heard and nothing is decided"),
        ("VADProcessor", "guard.listen()", "no turn is heard"),
        ("UserTurnProcessor", "guard.listen()", "no turn is decided"),
        ("guard.listen()", "the LLM", "the reply is made before the decision"),
        ("the LLM", "guard.speak()", "the reply does not pass it"),
        ("guard.speak()", "the TTS service", "prompts are spoken before they are rewritten"),
        (
            "transport.output()",
            "guard.hand_over()",
            "the call is handed over before the announcement is heard",
        ),
    ):
        pairs = [(a, b) for a in places[first] for b in places[second]]
        if pairs and all(b.before(a) for a, b in pairs):
            yield f"{second} stands before {first}: {why}. Write: {LLM_BOT}"


def _unheard(placed: list[_Placed]) -> Iterator[str]:
    """What a bot with a real transport lacks, so that turns, audio or words never come."""
    processors = [one.processor for one in placed]
    for stt in processors:
        if isinstance(stt, STTService) and getattr(stt, "_audio_passthrough", True) is False:
            yield (
                "the STT service keeps the caller's audio: no voice is heard. "
                f"Write: {type(stt).__name__}(audio_passthrough=True, ...)"
            )
    if not any(isinstance(one, BaseInputTransport) for one in processors):
        return
    aggregators = [one for one in processors if isinstance(one, LLMUserAggregator)]
    vad = any(isinstance(one, VADProcessor) for one in processors)
    if not aggregators and not any(isinstance(one, UserTurnProcessor) for one in processors):
        yield (
            "no part of the pipeline finds the caller's turns: nothing is heard. Write before "
            "guard.listen(): VADProcessor(vad_analyzer=SileroVADAnalyzer()), UserTurnProcessor()"
        )
    elif aggregators and not vad and not any(map(_finds_speech, aggregators)):
        yield (
            "the user aggregator has no VAD: a turn begins with its transcript, and most of its "
            f"audio is not heard. Write: user_params={_USER_AGGREGATOR}"
        )
    services = [one for one in processors if isinstance(one, LLMService)]
    if (
        aggregators
        and not any(map(is_realtime, services))
        and not any(isinstance(one, STTService) for one in processors)
    ):
        yield (
            "there is no STT service: the caller's words are not known, and a request for a human "
            f"is not heard. Write: {LLM_BOT}"
        )


def _finds_speech(aggregator: LLMUserAggregator) -> bool:
    """Whether an aggregator has a VAD, or turns that somebody else finds; True if it hides it."""
    params = getattr(aggregator, "_params", None)
    if params is None:
        return True
    return params.vad_analyzer is not None or isinstance(
        params.user_turn_strategies, ExternalUserTurnStrategies
    )


def _installed() -> Iterator[str]:
    if find_spec("pipecat_flows") is not None:
        yield (
            "pipecat-ai-flows is installed beside Pipecat's own flows, which replace it. "
            "Write: pip uninstall pipecat-ai-flows, and import from pipecat.flows"
        )


def _placed(processor: FrameProcessor, way: tuple[tuple[int, bool], ...] = ()) -> Iterator[_Placed]:
    """Every processor of a pipeline with the way to it."""
    yield _Placed(processor, way)
    branches = isinstance(processor, ParallelPipeline)
    for index, inner in enumerate(processor.processors):
        if not isinstance(inner, (PipelineSource, PipelineSink)):
            yield from _placed(inner, (*way, (index, branches)))


class Wiring:
    """Checks one guard's pipeline when it starts; complains once of each thing."""

    def __init__(self, guard: GuardParts, call: LiveCall) -> None:
        self._guard = guard
        self._call = call
        self._pipeline: FrameProcessor | None = None

    def check(self, pipeline: FrameProcessor) -> None:
        """Complain of this pipeline, unless it was checked before; never raises."""
        if pipeline is self._pipeline:
            return
        if self._pipeline is not None:
            self._call.warn(
                "this guard was at work in another call, which still counts. "
                "Write for each call: guard = Deescalator(...)"
            )
        self._pipeline = pipeline
        try:
            for complaint in wiring_complaints(pipeline, self._guard):
                self._call.warn(complaint)
        except Exception as error:  # noqa: BLE001 - the call goes on
            self._call.faults.report("wiring", "the pipeline could not be checked", error)
