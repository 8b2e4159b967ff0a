"""Pure decisions about a call, and their effects: no Pipecat, no clock, no waiting."""

from .config import PRESETS, MitigationPolicy, OpeningHours, load_policy
from .decide import decide
from .types import Action, CallState, Decision, Evidence, Level

__all__ = [
    "PRESETS",
    "Action",
    "CallState",
    "Decision",
    "Evidence",
    "Level",
    "MitigationPolicy",
    "OpeningHours",
    "decide",
    "load_policy",
]
