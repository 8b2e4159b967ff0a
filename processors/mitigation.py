"""Decides after each caller turn, and makes the bot's next reply follow from it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine

from pipecat.frames.frames import (
    EagerEndOfTurnCancelFrame,
    EndFrame,
    Frame,
    InterruptionFrame,
    LLMContextFrame,
    LLMServiceMetadataFrame,
    StartFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
    UserTurnInferenceCompletedFrame,
)
from pipecat.processors.frame_processor import FrameDirection
from pipecat.processors.frameworks.rtvi import RTVIServerMessageFrame

from ..policies.empathy import Moment
from ..policies.types import Action, Decision
from .context import BotKind, last_assistant_text, last_user_text, with_guidance
from .frames import GuardSpeakFrame, TransferCallFrame, decision_message
from .pass_through import SPEECH, PassThroughProcessor
from .session.live_call import LiveCall
from .session.turn_decider import TurnDecider
from .session.turn_state import LiveTurn
from .written import WrittenInput


class MitigationProcessor(PassThroughProcessor):
    """Decides each turn once, when its context goes to the LLM; place it before the LLM.

    The LLM gets a copy of the context with guidance for one reply (`TurnDecider` says when). When
    a call is handed over, the caller hears an announcement and a `TransferCallFrame` follows; the
    LLM does not run, and an `EndFrame` waits, until the outcome is known. In a bot without an LLM
    (`scripted`; None: look for one in the pipeline) the turn is decided when it ends, on the
    transcriptions until then, and `PromptProcessor` says it. For speech-to-speech services nothing
    is decided: they could not say an announcement.

    Words are the caller's alone: what speech recognition heard, and what a client typed (RTVI's
    `send-text`, or an interruption and then a message of the role `user`; `typed` for others).
    Nothing else in the context counts. A key that asks for a human is a turn, too.

    Events: `on_decision(processor, decision)`, `on_transfer(processor, request)`. RTVI clients
    get `caller-decision`.
    """

    BYPASS = (*PassThroughProcessor.BYPASS, *SPEECH)

    def __init__(
        self,
        call: LiveCall,
        *,
        max_wait: float = 0.15,
        scripted: bool | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name)
        self._call = call
        self._decider = TurnDecider(call, max_wait)
        self._bot = None if scripted is None else BotKind.SCRIPTED if scripted else BotKind.LLM
        self._written = WrittenInput(call, self.typed, self._keyed, self._spawn)
        self._tasks: set[asyncio.Task[None]] = set()
        self._register_event_handler("on_decision")
        self._register_event_handler("on_transfer")

    async def cleanup(self) -> None:
        """Cancel what is still under way."""
        for task in list(self._tasks):
            await self.cancel_task(task)
        await super().cleanup()  # type: ignore[no-untyped-call]  # pipecat's has no types

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Push every frame on; contexts follow the decision."""
        await super().process_frame(frame, direction)
        passed: Frame | None = frame
        if isinstance(frame, LLMServiceMetadataFrame):
            if frame.is_realtime_service and self._bot is not BotKind.SCRIPTED:
                self._speech_to_speech()
        elif direction is FrameDirection.DOWNSTREAM:
            self._written.see(frame)
            if isinstance(frame, LLMContextFrame):
                passed = await self._mitigated(frame)
            elif isinstance(frame, EndFrame):
                await self._call.hand_over.wait_until_ended()  # the end would close the line first
            else:
                self._follow(frame)
        if passed is not None:
            await self.push_frame(passed, direction)
        if isinstance(frame, StartFrame):
            self._started()

    def _follow(self, frame: Frame) -> None:
        if isinstance(frame, UserStartedSpeakingFrame):
            self._decider.turn_started()
        elif isinstance(frame, UserStoppedSpeakingFrame):
            self._turn_stopped()
        elif isinstance(frame, (EagerEndOfTurnCancelFrame, InterruptionFrame)):
            self._decider.withdrawn()

    def _started(self) -> None:
        pipeline = self.pipeline_worker.pipeline
        self._written.started(pipeline)
        if self._bot is None:
            self._bot = BotKind.of(pipeline)
            if self._bot is BotKind.SPEECH_TO_SPEECH:
                self._speech_to_speech()

    def _speech_to_speech(self) -> None:
        self._bot = BotKind.SPEECH_TO_SPEECH
        if not self._call.faults.counts["speech-to-speech"]:
            self._call.faults.report(
                "speech-to-speech", "speech-to-speech service: readings and events, no decisions"
            )

    async def _mitigated(self, frame: LLMContextFrame) -> LLMContextFrame | None:
        """The context for the LLM; None if it is not to reply."""
        call, context = self._call, frame.context
        try:
            if self._bot is BotKind.SPEECH_TO_SPEECH:
                return frame
            guess = last_user_text(context) if frame.speculation else None
            call.prompt_in_context = last_assistant_text(context)
            reply = await self._decider.reply(speculative=frame.speculation, guess=guess)
            if reply.decided is not None:
                self._spawn(self._act(reply.decided))
            if reply.silent:
                if not frame.speculation:  # no reply of the LLM will say that the turn is complete
                    await self.push_frame(
                        UserTurnInferenceCompletedFrame(), FrameDirection.UPSTREAM
                    )
                return None
            return frame if reply.guidance is None else with_guidance(frame, reply.guidance)
        except Exception as error:  # noqa: BLE001 - a fault of ours must not stop the bot
            self._fault(error)
            return frame

    def _turn_stopped(self) -> None:
        try:
            confirmed = self._decider.turn_stopped()
            if confirmed is not None:
                self._spawn(self._act(confirmed))
            else:
                self._decide_soon(at_once=self._bot is BotKind.SCRIPTED)
        except Exception as error:  # noqa: BLE001 - a fault of ours must not stop the bot
            self._fault(error)

    def typed(self, text: str) -> None:
        """The caller wrote this; it is decided with the reply to it, if one comes."""
        if self._call.typed(text, in_turn=self._decider.turn_open) is not None:
            self._decide_soon(at_once=self._bot is BotKind.SCRIPTED)

    def _keyed(self, text: str) -> None:
        """The caller keyed this, and nobody replies."""
        if self._call.typed(text, in_turn=self._decider.turn_open) is not None:
            self._decide_soon(at_once=True)

    def _decide_soon(self, *, at_once: bool) -> None:
        turn = self._decider.undecided()
        if turn is None or self._bot is BotKind.SPEECH_TO_SPEECH:
            return
        if at_once:
            turn.hold_prompt()
        self._spawn(self._decide(turn))

    async def _decide(self, turn: LiveTurn) -> None:
        try:
            decision = await self._decider.decide(turn)
        except Exception as error:  # noqa: BLE001 - a fault of ours must not stop the bot
            self._fault(error)
        else:
            if decision is not None:
                await self._act(decision)

    async def _act(self, decision: Decision) -> None:
        """Start the hand-over and publish the decision; runs in a task that no barge-in cancels."""
        if decision.action is Action.TRANSFER:
            try:
                request = self._decider.transfer_request()
                announcement = GuardSpeakFrame(self._call.sentence(Moment.HAND_OVER))
                announcement.interruptible = False
                await self.push_frame(announcement)
                await self.push_frame(TransferCallFrame(request))
            except Exception as error:  # noqa: BLE001 - the caller goes on with the bot
                self._call.hand_over.end(ok=False)
                self._fault(error)
                return
            await self._call_event_handler("on_transfer", request)
        await self.push_frame(RTVIServerMessageFrame(data=decision_message(decision)))
        await self._call_event_handler("on_decision", decision)

    def _fault(self, error: Exception) -> None:
        self._call.faults.report("decision", "no decision; the bot goes on", error)

    def _spawn(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task: asyncio.Task[None] = self.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
