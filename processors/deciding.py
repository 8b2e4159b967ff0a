"""When a turn is decided: with or without an LLM, in a speculative run, or not in time."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass

from ..policies.types import Action, Decision
from .live import LiveCall, Preview
from .turn import SPOKEN, LiveTurn

CONTEXT_LIMIT_S = 1.0
"""A context that is not there so long after the end of its turn will not come."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What becomes of the LLM's reply; `decided` is a decision that was made just now."""

    silent: bool = False
    guidance: str | None = None
    decided: Decision | None = None


class TurnDecider:
    """Decides once a turn; needs no Pipecat.

    A turn waits at most `max_wait` seconds for its reading; what is not there by then is unknown.
    A speculative run (eager end of turn) gets guidance, but nothing is decided before its turn is
    confirmed, nor if the run is withdrawn. A turn of which no words were recognised has no run at
    all; it is decided on the voice when no context came, or when the next turn begins.
    """

    def __init__(self, call: LiveCall, max_wait: float) -> None:
        self._call = call
        self._max_wait = max_wait
        self._turn_open = True
        self._preview: Preview | None = None
        self._words: list[str] = []
        self._next_turn = asyncio.Event()

    def turn_started(self) -> None:
        """The caller has the floor."""
        self._turn_open, self._preview = True, None
        self._words.clear()
        self._next_turn.set()

    def words(self, text: str) -> None:
        """The caller said this, in a bot without an LLM: it belongs to the turn under way."""
        if text.strip():
            self._words.append(text)

    def withdrawn(self) -> None:
        """A speculative run, if there is one, came too early."""
        self._preview = None

    def turn_stopped(self) -> Decision | None:
        """The turn is over: the decision that this confirms, if one waits for that."""
        self._turn_open = False
        self._next_turn = asyncio.Event()
        preview, self._preview = self._preview, None
        if preview is None or preview.turn.dropped:
            return None
        preview.turn.guided = preview.decision.action in SPOKEN
        self._call.commit(preview)
        return preview.decision

    def undecided(self) -> LiveTurn | None:
        """The turn that is still to be decided; None if there is none."""
        turn = self._call.turn
        if turn is None or turn.decision is not None or self._call.hand_over.under_way:
            return None
        return turn

    async def decide(self, turn: LiveTurn) -> Decision | None:
        """Decide a turn whose reply comes from a script, and waits while the turn is `due`.

        None if it was decided meanwhile.
        """
        try:
            return await self._decide(turn, " ".join(self._words) or None)
        finally:
            turn.due = False
            turn.decided.set()

    async def decide_unanswered(self, turn: LiveTurn) -> Decision | None:
        """Decide a turn that is over, unless its context comes after all; then None."""
        with suppress(TimeoutError):
            async with asyncio.timeout(CONTEXT_LIMIT_S):
                await self._next_turn.wait()
        if self._call.hand_over.under_way:
            return None
        return await self._decide(turn, None)

    async def reply(self, text: str | None, *, speculative: bool) -> Reply:
        """Decide a turn whose reply comes from an LLM; `text` is what the caller said."""
        call, turn = self._call, self._call.turn
        if turn is not None and turn.decision is None and not call.hand_over.under_way:
            await self._heard(turn)
        if call.hand_over.under_way:
            return Reply(silent=True)
        if turn is None or turn.dropped:
            return Reply()
        decision, provisional, fresh = turn.decision, speculative and self._turn_open, False
        if decision is None:
            turn.text = text
            preview = call.preview(turn)
            decision, fresh = preview.decision, not provisional
            if provisional:
                self._preview = preview
            else:
                call.commit(preview)
        note = turn.guidance(decision)
        turn.guided = turn.guided or (note is not None and not provisional)
        silent = decision.action is Action.TRANSFER and (fresh or provisional)
        return Reply(silent, note, decision if fresh else None)

    async def _decide(self, turn: LiveTurn, text: str | None) -> Decision | None:
        await self._heard(turn)
        if turn.decision is not None or turn.dropped:
            return None
        turn.text = text
        preview = self._call.preview(turn)
        self._call.commit(preview)
        return preview.decision

    async def _heard(self, turn: LiveTurn) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._max_wait):
                await turn.ready.wait()
