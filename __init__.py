"""Hear a caller's frustration turn by turn, and do something about it.

Names are loaded when first used: reading a recording imports no Pipecat.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .agent.call import analyze_call
    from .models.classifier import EmotionClassifier, load_classifier
    from .models.errors import DeescalateError
    from .models.types import EmotionReading
    from .policies.config import MitigationPolicy, load_policy
    from .policies.record import CallRecord

_HOMES = {
    "CallRecord": ".policies.record",
    "DeescalateError": ".models.errors",
    "EmotionClassifier": ".models.classifier",
    "EmotionReading": ".models.types",
    "MitigationPolicy": ".policies.config",
    "analyze_call": ".agent.call",
    "load_classifier": ".models.classifier",
    "load_policy": ".policies.config",
}

__all__ = [
    "CallRecord",
    "DeescalateError",
    "EmotionClassifier",
    "EmotionReading",
    "MitigationPolicy",
    "analyze_call",
    "load_classifier",
    "load_policy",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name], __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
