"""Turns as the tests of the policies need them."""

from __future__ import annotations

import math

from pipecat_deescalate.models.readings import (
    Cue,
    EmotionReading,
    TurnReading,
    UnknownReason,
    WordReading,
)
from pipecat_deescalate.policies import (
    Action,
    CallState,
    Decision,
    Evidence,
    Level,
    MitigationPolicy,
    decide,
)


def turn(llr: float | None, *, index: int = 0, cues: tuple[Cue, ...] = ()) -> TurnReading:
    """A turn whose voice alone gives this log-likelihood ratio (None: nothing was heard)."""
    p = None if llr is None else 1 / (1 + math.exp(-max(-700.0, min(700.0, llr))))
    voice = EmotionReading(p, "test", 1.0, 0.0, UnknownReason.TOO_SHORT if p is None else None)
    words = WordReading(None, tuple((cue, cue.value) for cue in cues)) if cues else None
    return TurnReading(index, float(index), index + 1.0, voice, words, llr)


def decision(
    action: Action = Action.EMPATHIZE,
    level: Level = Level.STRAINED,
    *,
    cues: tuple[Cue, ...] = (),
    state: str | None = None,
    callback: bool = False,
) -> Decision:
    """A decision as a policy would hand it on."""
    evidence = Evidence(turn(2.0, cues=cues), dialog_state=state)
    return Decision(action, level, "voice 0.88", evidence, 0.4, callback)


def play(
    policy: MitigationPolicy,
    *evidence: Evidence | TurnReading | float | None,
    state: CallState | None = None,
) -> tuple[CallState, list[Decision]]:
    """Run a call's turns through `decide`; a bare number is a turn with that ratio."""
    state = state or CallState()
    decisions = []
    for item in evidence:
        state, decision = decide(state, _as_evidence(item), policy)
        decisions.append(decision)
    return state, decisions


def _as_evidence(item: Evidence | TurnReading | float | None) -> Evidence:
    if isinstance(item, Evidence):
        return item
    return Evidence(item if isinstance(item, TurnReading) else turn(item))
