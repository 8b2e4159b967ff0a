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
    StartFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
)
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.frame_processor import FrameDirection
from pipecat.processors.frameworks.rtvi import RTVIServerMessageFrame

from ..policies.empathy import Moment
from ..policies.types import Action, Decision
from .context import BotKind, CallerWords, transcript, with_guidance
from .frames import GuardSpeakFrame, TransferCallFrame, decision_message
from .pass_through import SPEECH, PassThroughProcessor
from .session.live_call import LiveCall
from .session.turn_decider import TurnDecider
from .session.turn_state import LiveTurn


class MitigationProcessor(PassThroughProcessor):
    """Decides each turn once, when its context goes to the LLM; place it before the LLM.

    The LLM gets a copy of the context with guidance for one reply (`TurnDecider` says when). When
    a call is handed over, the caller hears an announcement and a `TransferCallFrame` follows; the
    LLM does not run, and an `EndFrame` waits, until the outcome is known. In a bot without an LLM
    (`scripted`; None: look for one in the pipeline) the turn is decided when it ends, on the
    transcriptions until then, and `PromptProcessor` says it. Speech-to-speech services send no
    context per turn: nothing is decided for them.

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
        self._context = LLMContext()
        self._words = CallerWords()
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
        if direction is FrameDirection.UPSTREAM:
            pass
        elif isinstance(frame, LLMContextFrame):
            passed = await self._mitigated(frame)
        elif isinstance(frame, UserStartedSpeakingFrame):
            self._decider.turn_started()
        elif isinstance(frame, (EagerEndOfTurnCancelFrame, InterruptionFrame)):
            self._decider.withdrawn()
        elif isinstance(frame, UserStoppedSpeakingFrame):
            self._turn_stopped()
        elif isinstance(frame, EndFrame):
            await self._call.hand_over.wait_until_ended()  # the end would close the line first
        if passed is not None:
            await self.push_frame(passed, direction)
        if isinstance(frame, StartFrame) and self._bot is None:
            self._bot = BotKind.of(self.pipeline_worker.pipeline)

    async def _mitigated(self, frame: LLMContextFrame) -> LLMContextFrame | None:
        """The context for the LLM; None if it is not to reply."""
        context = self._context = frame.context
        try:
            said = self._words.new_in(context)
            reply = await self._decider.reply(said, speculative=frame.speculation)
            if reply.decided is not None:
                self._words.count(context)
                self._spawn(self._act(reply.decided))
            if reply.silent:
                if self._call.hand_over.taken:
                    self._words.count(context)  # they were said to the human
                return None
            return frame if reply.guidance is None else with_guidance(frame, reply.guidance)
        except Exception as error:  # noqa: BLE001 - a fault of ours must not stop the bot
            self._fault(error)
            return frame

    def _turn_stopped(self) -> None:
        try:
            confirmed = self._decider.turn_stopped()
            turn = self._decider.undecided()
            if confirmed is not None:
                self._words.count(self._context)
                self._spawn(self._act(confirmed))
            elif turn is not None and self._bot is not BotKind.SPEECH_TO_SPEECH:
                if self._bot is BotKind.SCRIPTED:
                    turn.hold_prompt()
                self._spawn(self._decide(turn))
        except Exception as error:  # noqa: BLE001 - a fault of ours must not stop the bot
            self._fault(error)

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
                request = self._decider.transfer_request(transcript(self._context))
                announcement = GuardSpeakFrame(self._call.sentence(Moment.HAND_OVER))
                announcement.interruptible = False
            except Exception as error:  # noqa: BLE001 - the caller goes on with the bot
                self._call.hand_over.end(ok=False)
                self._fault(error)
                return
            await self.push_frame(announcement)
            await self.push_frame(TransferCallFrame(request))
            await self._call_event_handler("on_transfer", request)
        await self.push_frame(RTVIServerMessageFrame(data=decision_message(decision)))
        await self._call_event_handler("on_decision", decision)

    def _fault(self, error: Exception) -> None:
        self._call.faults.report("decision", "no decision; the bot goes on", error)

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = self.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
