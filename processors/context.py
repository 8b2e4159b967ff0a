"""Reading an LLM context, adding guidance to a copy of it, and what kind of bot uses it."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum, auto
from typing import Self, cast

from pipecat.frames.frames import LLMContextFrame, LLMServiceMetadataFrame
from pipecat.processors.aggregators.llm_context import (
    LLMContext,
    LLMContextMessage,
    LLMSpecificMessage,
    standard_message_text,
)
from pipecat.processors.aggregators.llm_response_universal import LLMUserAggregator
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.services.llm_service import LLMService


def with_guidance(frame: LLMContextFrame, guidance: str) -> LLMContextFrame:
    """The same run with one more developer message; the shared context is not changed."""
    context = frame.context
    message = cast("LLMContextMessage", {"role": "developer", "content": guidance})
    edited = LLMContext(
        messages=[*context.get_messages(), message],
        tools=context.tools,
        tool_choice=context.tool_choice,
    )
    return LLMContextFrame(context=edited, speculation=frame.speculation)


def last_user_text(context: LLMContext) -> str | None:
    """The last message, if it has the role `user`.

    In a speculative run that is what the caller said, as the user aggregator guesses it. In any
    other it may be the operator's: no words of a caller.
    """
    messages = context.get_messages()
    if not messages or _role(messages[-1]) != "user":
        return None
    return standard_message_text(messages[-1]).strip() or None


def last_assistant_text(context: LLMContext) -> str | None:
    """What the bot said last, as far as the context shows."""
    said = (one for one in reversed(context.get_messages()) if _role(one) == "assistant")
    texts = (standard_message_text(message).strip() for message in said)
    return next(filter(None, texts), None)


class BotKind(Enum):
    """What answers the caller; it determines when a turn is decided."""

    SCRIPTED = auto()
    LLM = auto()
    SPEECH_TO_SPEECH = auto()

    @classmethod
    def of(cls, pipeline: FrameProcessor) -> Self:
        """The kind that the pipeline shows: an LLM service, a user aggregator, or neither."""
        parts = list(parts_of(pipeline))
        services = [part for part in parts if isinstance(part, LLMService)]
        if any(is_realtime(service) for service in services):
            return cls.SPEECH_TO_SPEECH
        if services or any(isinstance(part, LLMUserAggregator) for part in parts):
            return cls.LLM
        return cls.SCRIPTED


def parts_of(processor: FrameProcessor) -> Iterator[FrameProcessor]:
    """A processor and all within it, in the order of a pipeline."""
    yield processor
    for inner in processor.processors:
        yield from parts_of(inner)


def is_realtime(service: LLMService) -> bool:
    """Whether an LLM service takes and gives speech."""
    about: LLMServiceMetadataFrame | None = service.service_metadata_frame()
    return about is not None and about.is_realtime_service  # a service may have no metadata


def _role(message: LLMContextMessage) -> str | None:
    if isinstance(message, LLMSpecificMessage):
        return None
    return str(message.get("role"))
