"""What to do about a turn: `decide` is pure, without clock or I/O; all else here carries it out.

Phrases and guidance (`empathy`, `rewriter`), the record of a call, and transfers to a human.
"""

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
