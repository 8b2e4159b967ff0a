"""One caller turn of a live call: what is known of it so far, and what was decided."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from ...models.reader import CallReader, VoiceTurn
from ...models.readings import EmotionReading, TurnAudio, TurnReading, UnknownReason
from ...policies.empathy import guidance
from ...policies.types import Action, CallState, Decision

SPOKEN = frozenset({Action.EMPATHIZE, Action.OFFER_HUMAN})
"""What the bot's next reply is to say; a transfer is said in its place."""


class LiveTurn:
    """A caller turn: what was heard in it, and what became of it.

    `request` numbers the readings that were asked for; only the newest one is taken. `to_say` is
    what the bot's reply is to follow: the turn's own decision, or an earlier one that the caller
    did not get to hear. `due` is set while a decision is on its way, `guided` once the LLM was
    told how to reply, `answered` once it replied, `expressed` once a prompt said it.
    `dialog_state` is the bot's when the turn began; `prompted` and `barge_in` are as `Floor` has
    them. `dropped` is set when the guard is switched off meanwhile: nothing is decided then.
    """

    def __init__(
        self, index: int, dialog_state: str | None = None, *, prompted: bool = False
    ) -> None:
        self.dialog_state = dialog_state
        self.prompted = prompted
        self.barge_in = False
        self.heard = _unheard(index, 0.0, 0.0)
        self.request = 0
        self.decision: Decision | None = None
        self.to_say: Decision | None = None
        self.text: str | None = None
        self.due = self.guided = self.answered = self.expressed = self.dropped = False
        self.ready = asyncio.Event()
        self.decided = asyncio.Event()

    @property
    def told(self) -> bool:
        """Whether what is to be said was given to the LLM, or to the speech synthesis."""
        return self.guided or self.expressed

    @property
    def reading(self) -> TurnReading:
        """What the voice alone says."""
        at, voice = self.heard, self.heard.voice
        llr = voice.log_likelihood_ratio
        return TurnReading(at.index, at.started_at_s, at.ended_at_s, voice, None, llr)

    def expect(self, audio: TurnAudio) -> int:
        """A reading of this audio was asked for; until it is there the turn is unknown."""
        self.heard = _unheard(self.heard.index, audio.started_at_s, audio.ended_at_s)
        self.request += 1
        self.ready.clear()
        return self.request

    def deliver(self, request: int, heard: VoiceTurn | None) -> TurnReading | None:
        """Take what was heard (None: nothing can be); None when a newer request is under way."""
        if request != self.request:
            return None
        if heard is not None:
            self.heard = replace(heard, index=self.heard.index)
        self.ready.set()
        return self.reading

    def guidance(self, decision: Decision) -> str | None:
        """What the LLM is to be told before it replies to this turn, if it was not told yet."""
        if self.guided or decision.action not in SPOKEN:
            return None
        return guidance(decision, self.text)


@dataclass(frozen=True, slots=True)
class Preview:
    """What would be decided about a turn, which may not be over yet."""

    turn: LiveTurn
    state: CallState
    decision: Decision
    to_say: Decision
    hearing: CallReader | None


def _unheard(index: int, started_at_s: float, ended_at_s: float) -> VoiceTurn:
    voice = EmotionReading(None, "none", ended_at_s - started_at_s, 0.0, UnknownReason.LATE)
    return VoiceTurn(index, started_at_s, ended_at_s, None, voice)
