"""From one turn's evidence to a belief about the call, and from the belief to a level.

A call is watched as in Page's cumulative sum test (Biometrika, 1954), with forgetting: the
log-likelihood ratios of the turns add up, never below zero, so that long calm does not make the
policy deaf; and each turn a share of the sum fades.
"""

from __future__ import annotations

import math

from .config import Band, MitigationPolicy, Rules
from .types import Level


def add_evidence(support: float, llr: float | None, policy: MitigationPolicy) -> float:
    """The leaky sum after one more turn, in nats; an unknown turn (None) only lets it fade."""
    faded = policy.memory * support
    if llr is None or math.isnan(llr) or 0 < llr < policy.least_turn_evidence:
        return faded
    limit = policy.max_turn_evidence
    return max(0.0, faded + min(limit, max(-limit, llr)))


def sounds_angry(llr: float | None, policy: MitigationPolicy) -> bool:
    """Whether a turn speaks for distress clearly enough to be answered."""
    return llr is not None and llr > 0 and llr >= policy.least_turn_evidence


def belief_of(support: float, policy: MitigationPolicy) -> float:
    """P(caller is distressed): the base rate's odds times the evidence, as a probability."""
    prior = policy.expected_negative_rate
    return 1.0 / (1.0 + (1.0 - prior) / prior * math.exp(-support))


def level_of(belief: float, previous: Level, rules: Rules) -> Level:
    """The level with hysteresis: a level once entered is held until the belief leaves its band."""
    if _holds(belief, rules.distressed, previous is Level.DISTRESSED):
        return Level.DISTRESSED
    if _holds(belief, rules.strained, previous is not Level.CALM):
        return Level.STRAINED
    return Level.CALM


def _holds(belief: float, band: Band, entered: bool) -> bool:
    return belief >= (band.leave if entered else band.enter)
