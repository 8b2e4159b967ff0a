"""What goes into a policy and what comes out."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ..models.readings import TurnReading


class Level(StrEnum):
    """How the caller is doing, as far as the evidence goes."""

    CALM = "calm"
    STRAINED = "strained"
    DISTRESSED = "distressed"

    @property
    def rank(self) -> int:
        """0 for calm, 1 for strained, 2 for distressed."""
        return _LEVELS.index(self)


_LEVELS = tuple(Level)


class Action(StrEnum):
    """What the bot should do next, from the least to the most."""

    PROCEED = "proceed"
    EMPATHIZE = "empathize"
    OFFER_HUMAN = "offer_human"
    TRANSFER = "transfer"

    @property
    def rank(self) -> int:
        """0 for proceed up to 3 for transfer."""
        return _ACTIONS.index(self)


_ACTIONS = tuple(Action)


@dataclass(frozen=True, slots=True)
class Evidence:
    """One caller turn as a policy sees it.

    `dialog_state` is the bot's own name for where the dialogue stands; `agents_available`
    says whether a human could take the call now; `transfer_failed` that a transfer failed.
    """

    reading: TurnReading
    dialog_state: str | None = None
    agents_available: bool = True
    transfer_failed: bool = False


@dataclass(frozen=True, slots=True)
class CallState:
    """What a policy remembers of a call; the defaults are a call before its first turn.

    `support` is the leaky sum of log-likelihood ratios in nats, never below 0; `negative_turns`
    counts turns in a row that spoke for distress, `distressed_turns` those since the level is
    distressed; `empathy_streak` and `turns_since_empathy` keep empathy from becoming a habit.
    `human_offered` is reset when the level falls: a caller who gets angry again gets a new offer.
    """

    support: float = 0.0
    level: Level = Level.CALM
    negative_turns: int = 0
    distressed_turns: int = 0
    empathy_streak: int = 0
    turns_since_empathy: int = 0
    human_offered: bool = False
    requests_for_human: int = 0
    transferred: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer to one turn.

    `belief` is the probability that the caller is distressed, given the whole call so far and the
    policy's base rate. `callback` is set when a human is needed but none is available: promise a
    call back instead.
    """

    action: Action
    level: Level
    reason: str
    evidence: Evidence
    belief: float
    callback: bool = False
