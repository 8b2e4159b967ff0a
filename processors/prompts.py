"""Rewrites the scripted prompt after a decision, and guides the LLM's follow-up runs."""

from __future__ import annotations

import asyncio
from typing import Protocol

from pipecat.frames.frames import (
    BotBackchannelFrame,
    EagerTranscriptionFrame,
    Frame,
    FunctionCallsStartedFrame,
    InterimTranscriptionFrame,
    InterruptionFrame,
    LLMContextFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    LLMTextFrame,
    SpeechOutputAudioRawFrame,
    TextFrame,
    TranscriptionFrame,
    TTSAudioRawFrame,
    TTSSpeakFrame,
    UserTurnInferenceCompletedFrame,
)
from pipecat.processors.frame_processor import FrameDirection

from ..policies.empathy import Rewritten
from ..policies.types import Decision
from .context import with_guidance
from .frames import GuardSpeakFrame
from .pass_through import SPEECH, TURNS, PassThroughProcessor
from .session.live_call import LiveCall
from .session.turn_state import LiveTurn, TurnPhase

_BOT_SPEECH = (TextFrame, TTSSpeakFrame, TTSAudioRawFrame, SpeechOutputAudioRawFrame)
_CALLER_WORDS = (TranscriptionFrame, InterimTranscriptionFrame, EagerTranscriptionFrame)


class Rewriter(Protocol):
    """Adds an acknowledgement to a prompt, such as `LlmRewriter`."""

    async def acknowledge(
        self,
        prompt: str,
        decision: Decision,
        *,
        call_id: str,
        used: frozenset[str] = frozenset(),
        text: str | None = None,
    ) -> Rewritten:
        """As `PhraseBook.acknowledge`."""
        ...


class PromptProcessor(PassThroughProcessor):
    """Adds the decision to the next `TTSSpeakFrame`, once; place it before the TTS.

    A decision that went to the LLM as guidance changes no prompt. If the LLM calls a tool first,
    its next run gets the same guidance, until it says something. Backchannels are not changed.
    What the bot says is noted in the call: `LiveCall.prompt`.

    While a call is handed over the bot's own prompts are dropped, and so are interruptions: an
    interruption makes the transport discard audio that the line has not played yet. Once a human
    has the call, or may have it, everything that the bot says is dropped.

    `rewriter` has `rewrite_limit_s` seconds at most; after that the phrase bank is used.

    Events: `on_rewritten(processor, prompt, said)`, both texts.
    """

    BYPASS = (*PassThroughProcessor.BYPASS, *SPEECH, *TURNS)

    def __init__(
        self,
        call: LiveCall,
        *,
        rewriter: Rewriter | None = None,
        rewrite_limit_s: float = 1.0,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name)
        self._call = call
        self._rewriter = rewriter
        self._rewrite_limit_s = rewrite_limit_s
        self._reply: list[str] = []
        self._register_event_handler("on_rewritten")

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Push every frame on; prompts follow the decision."""
        await super().process_frame(frame, direction)
        taken = self._call.hand_over.taken
        if taken and isinstance(frame, _BOT_SPEECH) and not isinstance(frame, _CALLER_WORDS):
            return
        passed: Frame | None = frame
        if isinstance(frame, LLMTextFrame):
            self._replied(frame)
        elif isinstance(frame, (LLMFullResponseStartFrame, LLMFullResponseEndFrame)):
            self._reply_ended()
        elif isinstance(frame, FunctionCallsStartedFrame):
            if (turn := self._call.turn) is not None:
                turn.calls_function = True
        elif isinstance(frame, TTSSpeakFrame):
            ours = isinstance(frame, (GuardSpeakFrame, BotBackchannelFrame))
            if direction is FrameDirection.DOWNSTREAM and not ours:
                passed = await self._prompt(frame)
            if passed is not None and not isinstance(frame, BotBackchannelFrame):
                self._call.bot_said(frame.text)
        elif isinstance(frame, LLMContextFrame) and direction is FrameDirection.UPSTREAM:
            passed = self._follow_up(frame)
        elif isinstance(frame, InterruptionFrame) and direction is FrameDirection.DOWNSTREAM:
            self._reply_ended()
            passed = None if self._call.hand_over.under_way and not taken else frame
        if passed is not None:
            await self.push_frame(passed, direction)
        elif isinstance(frame, LLMContextFrame):  # no reply will say that the turn is complete
            await self.push_frame(UserTurnInferenceCompletedFrame(), direction)

    def _replied(self, frame: LLMTextFrame) -> None:
        if (turn := self._call.turn) is not None and frame.text.strip():
            turn.mark_answered()
        self._reply.append(frame.text if frame.includes_inter_frame_spaces else f"{frame.text} ")

    def _reply_ended(self) -> None:
        said, self._reply = "".join(self._reply), []
        self._call.bot_said(said)

    async def _prompt(self, frame: TTSSpeakFrame) -> TTSSpeakFrame | None:
        turn = self._call.turn
        if turn is not None:
            await turn.wait_until_settled()
        if self._call.hand_over.under_way:
            return None
        if turn is None or turn.unsaid is None:
            return frame
        try:
            prompt = frame.text
            said = await self._rewritten(prompt, turn.unsaid, turn)
            frame.text = said.text
            self._call.used_phrases |= said.used
            await self._call_event_handler("on_rewritten", prompt, said.text)
        except Exception as error:  # noqa: BLE001 - the bot must speak
            self._call.faults.report("prompt", "rewriting failed; the prompt is unchanged", error)
        turn.mark_said()
        return frame

    async def _rewritten(self, prompt: str, decision: Decision, turn: LiveTurn) -> Rewritten:
        call, used = self._call, self._call.used_phrases
        if self._rewriter is not None:
            try:
                async with asyncio.timeout(self._rewrite_limit_s):
                    return await self._rewriter.acknowledge(
                        prompt, decision, call_id=call.call_id, used=used, text=turn.text
                    )
            except Exception as error:  # noqa: BLE001 - the phrase bank takes over
                call.faults.report("rewriter", "rewriter failed; using the phrase bank", error)
        return call.book.acknowledge(
            prompt, decision, call_id=call.call_id, used=used, text=turn.text
        )

    def _follow_up(self, frame: LLMContextFrame) -> LLMContextFrame | None:
        """Guide the LLM's next run in the same turn, such as the one with a tool's result."""
        turn = self._call.turn
        if self._call.hand_over.under_way:
            return None
        note = turn.guidance if turn is not None and turn.phase is TurnPhase.GUIDED else None
        return frame if note is None else with_guidance(frame, note)
