"""When a turn is decided: with or without an LLM, in a speculative run, or not in time."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass

from ...policies.types import Action, Decision
from .live_call import LiveCall
from .turn_state import SPOKEN, LiveTurn, Preview

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
        self._next_turn = asyncio.Event()

    def turn_started(self) -> None:
        """The caller has the floor."""
        self._turn_open, self._preview = True, None
        self._next_turn.set()

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
        preview.turn.guided = preview.to_say.action in SPOKEN
        self._call.commit(preview)
        return preview.decision

    def undecided(self) -> LiveTurn | None:
        """The turn that is still to be decided; None if there is none."""
        turn = self._call.turn
        if turn is None or turn.decision is not None or self._call.hand_over.under_way:
            return None
        return turn

    async def decide(self, turn: LiveTurn) -> Decision | None:
        """Decide a turn that is over; None if it was decided meanwhile.

        Where a prompt waits for it (the turn is `due`) on the words that came by until then, else
        on the voice, when no context can be expected any more.
        """
        try:
            if not turn.due:
                await self._no_context()
            await self._heard(turn)
            if turn.decision is not None or turn.dropped or self._call.hand_over.under_way:
                return None
            turn.text = self._call.words() if turn.due else None
            preview = self._call.preview(turn)
            self._call.commit(preview)
            return preview.decision
        finally:
            turn.due = False
            turn.decided.set()

    async def reply(self, text: str | None, *, speculative: bool) -> Reply:
        """Decide a turn whose reply comes from an LLM; `text` is what the caller said."""
        call, turn = self._call, self._call.turn
        if turn is not None and turn.decision is None and not call.hand_over.under_way:
            await self._heard(turn)
        if call.hand_over.under_way:
            return Reply(silent=True)
        if turn is None or turn.dropped:
            return Reply()
        to_say, provisional, fresh = turn.to_say, speculative and self._turn_open, False
        if to_say is None:
            turn.text = text
            preview = call.preview(turn)
            to_say, fresh = preview.to_say, not provisional
            self._preview = preview if provisional else None
            if not provisional:
                call.commit(preview)
        note = turn.guidance(to_say)
        turn.guided = turn.guided or (note is not None and not provisional)
        silent = to_say.action is Action.TRANSFER and (fresh or provisional)
        return Reply(silent, note, turn.decision if fresh else None)

    async def _no_context(self) -> None:
        """Wait until no context can be expected any more for the turn that is over."""
        with suppress(TimeoutError):
            async with asyncio.timeout(CONTEXT_LIMIT_S):
                await self._next_turn.wait()

    async def _heard(self, turn: LiveTurn) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._max_wait):
                await turn.ready.wait()
