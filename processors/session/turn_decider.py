"""When a turn is decided: with or without an LLM, in a speculative run, or not in time."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, replace

from ...models.reader import CallReader
from ...models.readings import Cue, TurnReading, WordReading
from ...policies.decide import decide
from ...policies.empathy import guidance
from ...policies.record import TurnRecord
from ...policies.transfer.request import TransferRequest, transfer_request
from ...policies.types import Action, CallState, Decision, Evidence
from .keypad import entries_in, human_key
from .live_call import LiveCall
from .turn_state import SPOKEN, LiveTurn, TurnPhase

CONTEXT_LIMIT_S = 1.0
"""How long to wait for the LLM context after a turn ends."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What becomes of the LLM's reply; `decided` is a decision that was made just now."""

    silent: bool = False
    guidance: str | None = None
    decided: Decision | None = None


@dataclass(frozen=True, slots=True)
class _Preview:
    """What would be decided about a turn, and the call's state after that."""

    turn: LiveTurn
    text: str | None
    state: CallState
    reader: CallReader | None
    decision: Decision
    to_say: Decision


class TurnDecider:
    """Decides each turn once.

    A turn waits at most `max_wait` seconds for its reading; after that it is unknown. A
    speculative run (eager end of turn) gets guidance, but its turn is decided only when the end
    of the turn is confirmed. A turn without recognised words has no run at all: it is decided on
    the voice when no context came, or when the next turn begins.
    """

    def __init__(self, call: LiveCall, max_wait: float) -> None:
        self._call = call
        self._max_wait = max_wait
        self._state = CallState()
        self._reader = call.reader
        self.turn_open = False
        self._preview: _Preview | None = None
        self._next_turn = asyncio.Event()

    def turn_started(self) -> None:
        """The caller began to speak."""
        self.turn_open, self._preview = True, None
        self._call.words.turn_started()
        self._next_turn.set()

    def withdrawn(self) -> None:
        """A speculative run, if there is one, came too early."""
        self._preview = None

    def turn_stopped(self) -> Decision | None:
        """The turn is over: the decision of a speculative run that this confirms, if any."""
        self.turn_open = False
        self._next_turn = asyncio.Event()
        preview, self._preview = self._preview, None
        if preview is None or preview.turn.phase is TurnPhase.DROPPED:
            return None
        self._commit(preview, ahead=True)
        if preview.to_say.action in SPOKEN:
            preview.turn.mark_guided()
        return preview.decision

    def undecided(self) -> LiveTurn | None:
        """The turn that is still to be decided; None if there is none."""
        turn = self._call.turn
        if turn is None or not turn.undecided or self._call.hand_over.under_way:
            return None
        return turn

    async def decide(self, turn: LiveTurn) -> Decision | None:
        """Decide a turn that is over; None if it was decided meanwhile.

        If a prompt waits for it, at once; else when no context can be expected any more. The words
        that came until then count.
        """
        try:
            if turn.phase is not TurnPhase.AWAITED:
                await self._no_context()
            await turn.read_within(self._max_wait)
            if not turn.undecided or self._call.hand_over.under_way:
                return None
            preview = self._previewed(turn, self._call.words.waiting())
            self._commit(preview)
            return preview.decision
        finally:
            turn.give_up()

    async def reply(self, *, speculative: bool = False, guess: str | None = None) -> Reply:
        """Decide a turn whose reply comes from an LLM.

        In a speculative run `guess` is what the caller is believed to have said in the open turn.
        """
        call, turn = self._call, self._call.turn
        if turn is not None and turn.is_over and self.turn_open:
            turn = None  # another one began, of which nothing was heard yet
        unheard = turn is None or not (turn.undecided or turn.is_spoken)
        if unheard and not speculative and not self.turn_open and call.words.waiting():
            turn = call.turn_of_words()  # of a bot whose turns nobody reports
        if turn is not None and turn.undecided and not call.hand_over.under_way:
            await turn.read_within(self._max_wait)
        if call.hand_over.under_way:
            return Reply(silent=True)
        if turn is None or turn.phase is TurnPhase.DROPPED:
            return Reply()
        provisional = speculative and self.turn_open
        if turn.to_say is not None:
            note = None if turn.phase is TurnPhase.ANSWERED else turn.guidance
            if note is not None and not provisional:
                turn.mark_guided()
            return Reply(provisional and turn.to_say.action is Action.TRANSFER, note)
        text = call.words.waiting()
        if provisional or text is None:
            text = " ".join(filter(None, (text, guess))) or None
        preview = self._previewed(turn, text)
        silent = preview.to_say.action is Action.TRANSFER
        if provisional:
            self._preview = preview
            spoken = preview.to_say.action in SPOKEN
            return Reply(silent, guidance(preview.to_say, text) if spoken else None)
        self._preview = None
        self._commit(preview, ahead=speculative)
        note = turn.guidance
        if note is not None:
            turn.mark_guided()
        return Reply(silent, note, turn.decision)

    def transfer_request(self) -> TransferRequest:
        """What the human gets; words only where they are kept."""
        call, note = self._call, self._reader.prosody_note if self._reader else None
        said = tuple(call.dialogue)
        return transfer_request(call.call_id, call.turns, transcript=said, manner=note)

    def _previewed(self, turn: LiveTurn, text: str | None) -> _Preview:
        """What would be decided about this turn now; nothing is remembered."""
        call, reader = self._call, None if self._reader is None else self._reader.fork()
        evidence = Evidence(
            self._read(turn, text, reader),
            turn.dialog_state,
            agents_available=call.hand_over.available(call.policy),
            transfer_failed=call.hand_over.failed,
        )
        state, decision = decide(self._state, evidence, call.policy)
        highest = call.policy.rules_in(turn.dialog_state).highest_action
        return _Preview(turn, text, state, reader, decision, call.pending.merge(decision, highest))

    def _read(self, turn: LiveTurn, text: str | None, reader: CallReader | None) -> TurnReading:
        """Voice, words and keys together, in view of the call so far."""
        entries, spoken = entries_in(text or "")
        prompt, state = self._call.prompt, turn.dialog_state if turn.prompted else None
        reading = turn.reading
        if reader is not None:
            try:
                reading = reader.read(
                    turn.voice_turn,
                    spoken,
                    dialog_state=state,
                    barge_in=turn.barge_in,
                    prompt=prompt,
                )
            except Exception as error:  # noqa: BLE001 - the voice remains
                self._call.faults.report(
                    "words", "text classification failed; using voice only", error
                )
        key = human_key(entries, self._call.human_keys, prompt, state)
        if key is None:
            return reading
        words = reading.words or WordReading(None)
        asks = (Cue.ASKS_FOR_HUMAN, f"key {key}")
        return replace(reading, words=replace(words, cues=(*words.cues, asks)))

    def _commit(self, preview: _Preview, *, ahead: bool = False) -> None:
        """Make a preview the decision about its turn; `ahead` if its words are still to come."""
        call, turn, decision = self._call, preview.turn, preview.decision
        self._state, self._reader = preview.state, preview.reader
        (call.words.count_ahead if ahead else call.words.count)()
        turn.settle(decision, preview.to_say, preview.text)
        call.pending.replace_by(turn)
        call.turns.append(TurnRecord(decision, preview.text if call.keep_text else None))
        if not turn.is_read and not ahead:
            call.faults.report("late", "reading not in time; the turn counts as unknown")
        if decision.action is Action.TRANSFER:
            call.hand_over.begin()

    async def _no_context(self) -> None:
        """Wait until no context can be expected any more for the turn that is over."""
        with suppress(TimeoutError):
            async with asyncio.timeout(CONTEXT_LIMIT_S):
                await self._next_turn.wait()
