"""Detect a caller's frustration turn by turn, and act on it.

Names are loaded when first used: analysing a recording imports no Pipecat.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .agent.deescalator import Deescalator
    from .agent.replay.call import analyze_call
    from .models.errors import DeescalateError
    from .models.readings import EmotionReading, WordReading
    from .models.text.sentiment import load_word_classifier
    from .models.voice import EmotionClassifier, load_classifier
    from .policies.config import MitigationPolicy, load_policy
    from .policies.record import CallRecord

    __version__: str

_HOMES = {
    "CallRecord": ".policies.record",
    "DeescalateError": ".models.errors",
    "Deescalator": ".agent.deescalator",
    "EmotionClassifier": ".models.voice",
    "EmotionReading": ".models.readings",
    "MitigationPolicy": ".policies.config",
    "WordReading": ".models.readings",
    "analyze_call": ".agent.replay.call",
    "load_classifier": ".models.voice",
    "load_policy": ".policies.config",
    "load_word_classifier": ".models.text.sentiment",
}

__all__ = [
    "CallRecord",
    "DeescalateError",
    "Deescalator",
    "EmotionClassifier",
    "EmotionReading",
    "MitigationPolicy",
    "WordReading",
    "analyze_call",
    "load_classifier",
    "load_policy",
    "load_word_classifier",
]


def __getattr__(name: str) -> object:
    if name == "__version__":
        value: object = _version()
    elif name in _HOMES:
        value = getattr(import_module(_HOMES[name], __name__), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415 - rarely needed

    try:
        return version("pipecat-deescalate")
    except PackageNotFoundError:  # a source tree on the path
        return "0+unknown"


def __dir__() -> list[str]:
    return sorted(__all__)
