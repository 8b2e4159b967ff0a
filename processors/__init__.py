"""Thin Pipecat adapters over `session`: they classify turns, edit the next reply, hand over."""

from .emotion import EmotionProcessor
from .frames import CallerEmotionFrame, CallerEmotionMetricsData, GuardSpeakFrame, TransferCallFrame
from .mitigation import MitigationProcessor
from .prompts import PromptProcessor
from .session.inference import InferencePool, shared_pool
from .session.live_call import LiveCall
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
