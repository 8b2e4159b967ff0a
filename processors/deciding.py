"""When a turn is decided: with or without an LLM, in a speculative run, or not in time."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass

from ..policies.types import Action, Decision
from .live import LiveCall, Preview
from .turn import SPOKEN, LiveTurn


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
    confirmed, nor if the run is withdrawn.
    """

    def __init__(self, call: LiveCall, max_wait: float) -> None:
        self._call = call
        self._max_wait = max_wait
        self._turn_open = True
        self._preview: Preview | None = None
        self._words: list[str] = []

    def turn_started(self) -> None:
        """The caller has the floor."""
        self._turn_open, self._preview = True, None
        self._words.clear()

    def words(self, text: str) -> None:
        """The caller said this, in a bot without an LLM: it belongs to the turn under way."""
        self._words.append(text)

    def withdrawn(self) -> None:
        """A speculative run, if there is one, came too early."""
        self._preview = None

    def turn_stopped(self) -> Decision | None:
        """The turn is over: the decision that this confirms, if one waits for that."""
        self._turn_open = False
        preview, self._preview = self._preview, None
        if preview is None or not self._call.active:
            return None
        preview.turn.guided = preview.decision.action in SPOKEN
        self._call.commit(preview)
        return preview.decision

    def undecided(self) -> LiveTurn | None:
        """The turn that is still to be decided, marked as due; None if there is none."""
        turn = self._call.turn
        if turn is None or turn.decision is not None or self._call.handing_over:
            return None
        turn.due = True
        return turn

    async def decide(self, turn: LiveTurn) -> Decision | None:
        """Decide a turn whose reply comes from a script; None if that was done meanwhile."""
        try:
            await self._heard(turn)
            if turn.decision is not None or not self._call.active:
                return None
            turn.text = " ".join(self._words) or None
            preview = self._call.preview(turn)
            self._call.commit(preview)
            return preview.decision
        finally:
            turn.due = False
            turn.decided.set()

    async def reply(self, text: str | None, *, speculative: bool) -> Reply:
        """Decide a turn whose reply comes from an LLM; `text` is what the caller said."""
        call, turn = self._call, self._call.turn
        if turn is not None and turn.decision is None and not call.handing_over:
            await self._heard(turn)
        if call.handing_over:
            return Reply(silent=True)
        if turn is None or not call.active:
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

    async def _heard(self, turn: LiveTurn) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._max_wait):
                await turn.ready.wait()
