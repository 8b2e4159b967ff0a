"""What the caller was to hear and did not: no reply came, or it was cut off, or too early."""

from __future__ import annotations

from ...policies.types import Action, Decision, Level
from .turn_state import SPOKEN, LiveTurn


class Owed:
    """The decision that the caller is still to hear, if there is one; needs no Pipecat."""

    def __init__(self) -> None:
        self._turn: LiveTurn | None = None

    def decided(self, turn: LiveTurn) -> None:
        """This turn has something to say from now on, or nothing."""
        self._turn = turn if turn.to_say is not None and turn.to_say.action in SPOKEN else None

    def bot_started(self) -> None:
        """The bot speaks: what it was told to say, if it was, is heard."""
        if self._turn is not None and self._turn.told:
            self._turn = None

    def over(self, decision: Decision, highest: Action) -> Decision:
        """What to say: the decision, or the one still owed to an uneasy caller if that is more.

        Nothing above `highest`, which the dialog state allows, is said late.
        """
        owed = None if self._turn is None else self._turn.to_say
        if owed is None or decision.level is Level.CALM or owed.action.rank > highest.rank:
            return decision
        return max(decision, owed, key=lambda one: one.action.rank)
