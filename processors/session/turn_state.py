"""One caller turn of a live call: the one owner of how far it has come."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from enum import Enum, auto

from ...models.reader import VoiceTurn
from ...models.readings import EmotionReading, TurnAudio, TurnReading, UnknownReason
from ...policies.empathy import guidance
from ...policies.types import Action, Decision, Level

SPOKEN = frozenset({Action.EMPATHIZE, Action.OFFER_HUMAN})
"""Actions that the bot's next reply carries out; a transfer replaces the reply."""


class TurnPhase(Enum):
    """How far a turn has come."""

    OPEN = auto()  # nothing is decided yet
    AWAITED = auto()  # a scripted prompt waits for the decision
    DECIDED = auto()
    SAID = auto()  # a scripted prompt carried the decision
    GUIDED = auto()  # the LLM got guidance for its reply
    ANSWERED = auto()  # the LLM replied
    DROPPED = auto()  # the guard was switched off before a decision


class LiveTurn:
    """A caller turn. Processors read its attributes and change them by its methods alone.

    `dialog_state` is the bot's when the turn began; `prompted` says whether the bot spoke since
    the turn before, `barge_in` whether the caller interrupted it; `is_over` that the turn
    strategies closed the turn, `calls_function` that the LLM works before it replies. `decision` is
    the turn's own; `to_say` is what the reply carries: `decision`, or an earlier one that the
    caller did not hear.
    """

    def __init__(
        self, index: int, dialog_state: str | None = None, *, prompted: bool = False
    ) -> None:
        self.dialog_state = dialog_state
        self.prompted = prompted
        self.barge_in = False
        self.is_over = self.calls_function = False
        self.phase = TurnPhase.OPEN
        self.voice_turn = _unread(index, 0.0, 0.0)
        self.decision: Decision | None = None
        self.to_say: Decision | None = None
        self.text: str | None = None
        self._request = 0
        self._read = asyncio.Event()
        self._settled = asyncio.Event()

    @property
    def reading(self) -> TurnReading:
        """What the voice alone says."""
        at, voice = self.voice_turn, self.voice_turn.voice
        llr = voice.log_likelihood_ratio
        return TurnReading(at.index, at.started_at_s, at.ended_at_s, voice, None, llr)

    def expect(self, audio: TurnAudio, *, barge_in: bool) -> int:
        """Number a request to classify this audio; the turn is unknown until it is answered."""
        self.barge_in = barge_in
        self.voice_turn = _unread(self.voice_turn.index, audio.started_at_s, audio.ended_at_s)
        self._request += 1
        self._read.clear()
        return self._request

    def deliver(self, request: int, voice_turn: VoiceTurn | None) -> TurnReading | None:
        """Answer a request (None: unknown for good); None if the request is out of date."""
        if request != self._request:
            return None
        if voice_turn is not None:
            self.voice_turn = replace(voice_turn, index=self.voice_turn.index)
        self._read.set()
        return self.reading

    def was_not_spoken(self, at_s: float) -> None:
        """There is no voice to wait for."""
        voice = EmotionReading(None, "none", 0.0, 0.0, UnknownReason.NOT_SPOKEN)
        self.voice_turn = VoiceTurn(self.voice_turn.index, at_s, at_s, None, voice)
        self.is_over = True
        self._read.set()

    @property
    def is_spoken(self) -> bool:
        """Whether a voice belongs to it."""
        return self.voice_turn.voice.reason is not UnknownReason.NOT_SPOKEN

    @property
    def undecided(self) -> bool:
        """Whether a decision is still to come."""
        return self.decision is None and self.phase is not TurnPhase.DROPPED

    @property
    def is_read(self) -> bool:
        """Whether the newest request was answered."""
        return self._read.is_set()

    async def read_within(self, limit_s: float) -> None:
        """Wait for the newest request, at most this long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(limit_s):
                await self._read.wait()

    def hold_prompt(self) -> None:
        """Have scripted prompts wait until the turn is decided or given up."""
        self.phase = TurnPhase.AWAITED

    def give_up(self) -> None:
        """Release what waits for a decision, if there is none."""
        if self.phase is TurnPhase.AWAITED:
            self.phase = TurnPhase.OPEN
        self._settled.set()

    def drop(self) -> None:
        """Forget the turn: a reading that is under way is out of date, and nothing is decided."""
        self._request += 1
        if self.decision is None:
            self.phase = TurnPhase.DROPPED
            self._settled.set()

    async def wait_until_settled(self) -> None:
        """Wait while a decision is awaited."""
        if self.phase is TurnPhase.AWAITED:
            await self._settled.wait()

    def settle(self, decision: Decision, to_say: Decision, text: str | None) -> None:
        """Take the decision; `text` is what the caller said in the turn, None if not known."""
        self.decision, self.to_say, self.text = decision, to_say, text
        self.phase = TurnPhase.DECIDED
        self._settled.set()

    @property
    def guidance(self) -> str | None:
        """What `to_say` asks of an LLM; None if nothing."""
        if self.to_say is None or self.to_say.action not in SPOKEN:
            return None
        return guidance(self.to_say, self.text)

    @property
    def unsaid(self) -> Decision | None:
        """What a scripted prompt should carry; None if nothing, or if it was delivered."""
        if self.phase is not TurnPhase.DECIDED or self.to_say is None:
            return None
        return self.to_say if self.to_say.action in SPOKEN else None

    @property
    def delivered(self) -> bool:
        """Whether the bot's words carried `to_say`."""
        return self.phase in {TurnPhase.SAID, TurnPhase.ANSWERED}

    def mark_said(self) -> None:
        """A scripted prompt carried the decision."""
        self.phase = TurnPhase.SAID

    def mark_guided(self) -> None:
        """The LLM got guidance."""
        if self.phase is not TurnPhase.ANSWERED:
            self.phase = TurnPhase.GUIDED

    def mark_answered(self) -> None:
        """The LLM replied: its guidance is used up."""
        if self.phase is TurnPhase.GUIDED:
            self.phase = TurnPhase.ANSWERED


class PendingAcknowledgement:
    """The decision that the caller has not heard yet: no reply came, or it was cut off."""

    def __init__(self) -> None:
        self._turn: LiveTurn | None = None

    def replace_by(self, turn: LiveTurn) -> None:
        """Replace the one before; nothing is pending if this turn has nothing to say."""
        to_say = turn.to_say
        self._turn = turn if to_say is not None and to_say.action in SPOKEN else None

    def bot_started(self) -> None:
        """The bot speaks: what was delivered to it is heard."""
        if self._turn is not None and self._turn.delivered:
            self._turn = None

    def merge(self, decision: Decision, highest: Action) -> Decision:
        """The decision, or the pending one if it does more and the caller is not calm.

        Nothing above `highest`, which the dialog state allows, is said late.
        """
        pending = None if self._turn is None else self._turn.to_say
        if pending is None or decision.level is Level.CALM or pending.action.rank > highest.rank:
            return decision
        return max(decision, pending, key=lambda one: one.action.rank)


def _unread(index: int, started_at_s: float, ended_at_s: float) -> VoiceTurn:
    voice = EmotionReading(None, "none", ended_at_s - started_at_s, 0.0, UnknownReason.LATE)
    return VoiceTurn(index, started_at_s, ended_at_s, None, voice)
