"""Thin Pipecat adapters: they hear the caller's turns, edit what the bot says next, hand over."""

from .emotion import EmotionProcessor
from .frames import CallerEmotionFrame, CallerEmotionMetricsData, GuardSpeakFrame, TransferCallFrame
from .live import LiveCall
from .mitigation import MitigationProcessor
from .pool import InferencePool, shared_pool
from .prompts import PromptProcessor
from .transfer import TransferProcessor

__all__ = [
    "CallerEmotionFrame",
    "CallerEmotionMetricsData",
    "EmotionProcessor",
    "GuardSpeakFrame",
    "InferencePool",
    "LiveCall",
    "MitigationProcessor",
    "PromptProcessor",
    "TransferCallFrame",
    "TransferProcessor",
    "shared_pool",
]
