"""One caller turn of a live call: what is known of it so far, and what was decided."""

from __future__ import annotations

import asyncio

from ..models.types import EmotionReading, TurnAudio, TurnReading, Unknown
from ..policies.empathy import guidance
from ..policies.types import Action, Decision

SPOKEN = frozenset({Action.EMPATHIZE, Action.OFFER_HUMAN})
"""What the bot's next reply is to say; a transfer is said in its place."""


class LiveTurn:
    """A caller turn: what is known of it so far, and what was decided about it.

    `request` numbers the readings that were asked for; only the newest one is taken. `due` is set
    while a decision is on its way, `guided` once the LLM was told how to reply, `answered` once
    it replied, `expressed` once the caller was told something because of the decision.
    """

    def __init__(self, index: int) -> None:
        self.reading = _unknown(index, 0.0, 0.0)
        self.request = 0
        self.decision: Decision | None = None
        self.text: str | None = None
        self.due = self.guided = self.answered = self.expressed = False
        self.heard = asyncio.Event()
        self.decided = asyncio.Event()

    def expect(self, audio: TurnAudio) -> int:
        """A reading of this audio was asked for; until it is there the turn is unknown."""
        self.reading = _unknown(self.reading.index, audio.started_at_s, audio.ended_at_s)
        self.request += 1
        self.heard.clear()
        return self.request

    def deliver(self, request: int, voice: EmotionReading | None = None) -> TurnReading | None:
        """Take a reading (None: there is none to be had); None when a newer one was asked for."""
        if request != self.request:
            return None
        if voice is not None:
            at = self.reading
            llr = voice.log_likelihood_ratio
            self.reading = TurnReading(at.index, at.started_at_s, at.ended_at_s, voice, None, llr)
        self.heard.set()
        return self.reading

    def guidance(self, decision: Decision) -> str | None:
        """What the LLM is to be told before it replies to this turn, if it was not told yet."""
        if self.guided or decision.action not in SPOKEN:
            return None
        return guidance(decision, self.text)


def _unknown(index: int, started_at_s: float, ended_at_s: float) -> TurnReading:
    voice = EmotionReading(None, "none", ended_at_s - started_at_s, 0.0, Unknown.MODEL_FAILED)
    return TurnReading(index, started_at_s, ended_at_s, voice, None, None)
