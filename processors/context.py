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

from ..policies.transfer.request import Utterance


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


class CallerWords:
    """The caller's words in the contexts of one call; each message counts for one turn only.

    A bot that is interrupted before it speaks leaves an unanswered message behind, although its
    turn was decided.
    """

    def __init__(self) -> None:
        self._counted: LLMContextMessage | None = None

    def new_in(self, context: LLMContext) -> str | None:
        """What the caller said since the bot last spoke and was not counted; None if nothing."""
        said: list[str] = []
        for message in reversed(context.get_messages()):
            role = _role(message)
            if role in {"assistant", "tool"} or message is self._counted:
                break
            if role == "user":
                said.append(standard_message_text(message).strip())
        return " ".join(part for part in reversed(said) if part) or None

    def count(self, context: LLMContext) -> None:
        """Count everything up to here: its turn is decided."""
        users = (one for one in reversed(context.get_messages()) if _role(one) == "user")
        self._counted = next(users, None)


def transcript(context: LLMContext) -> tuple[Utterance, ...]:
    """The dialogue so far, without tool calls and instructions."""
    lines = []
    for message in context.get_messages():
        text = standard_message_text(message).strip()
        role = _role(message)
        if text and role == "user":
            lines.append(Utterance("caller", text))
        elif text and role == "assistant":
            lines.append(Utterance("bot", text))
    return tuple(lines)


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
        if any(_is_realtime(service) for service in services):
            return cls.SPEECH_TO_SPEECH
        if services or any(isinstance(part, LLMUserAggregator) for part in parts):
            return cls.LLM
        return cls.SCRIPTED


def _is_realtime(service: LLMService) -> bool:
    about: LLMServiceMetadataFrame | None = service.service_metadata_frame()
    return about is not None and about.is_realtime_service  # a service may have no metadata


def parts_of(processor: FrameProcessor) -> Iterator[FrameProcessor]:
    """A processor and all within it, in the order of a pipeline."""
    yield processor
    for inner in processor.processors:
        yield from parts_of(inner)


def _role(message: LLMContextMessage) -> str | None:
    if isinstance(message, LLMSpecificMessage):
        return None
    return str(message.get("role"))
