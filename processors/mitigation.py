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
from .frames import TransferCallFrame, decision_message
from .pass_through import SPEECH, PassThroughProcessor
from .session.live_call import LiveCall
from .session.turn_decider import TurnDecider
from .session.turn_state import LiveTurn


class MitigationProcessor(PassThroughProcessor):
    """Decides once a turn, when the turn goes to the LLM; stands before it.

    The LLM gets a copy of the context with guidance for one reply (`TurnDecider` says when). A
    call that is handed over gets none, but a sentence and a `TransferCallFrame`; until the
    outcome is known the LLM is not asked again, and an `EndFrame` waits. Bots without an LLM
    (`scripted`; None: look for one in the pipeline) have the decision at the end of the turn, on
    the transcriptions that came by, and `PromptProcessor` says it. Speech-to-speech services send
    no context per turn: nothing is decided for them.

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
        """Stop what is still under way."""
        for task in list(self._tasks):
            await self.cancel_task(task)
        await super().cleanup()  # type: ignore[no-untyped-call]  # pipecat's has no types

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Pass every frame on, but contexts as the decision wants them."""
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
            await self._call.hand_over.settled()  # the end would close the line before
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
                return None
            return frame if reply.guidance is None else with_guidance(frame, reply.guidance)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with us, the bot replies
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
                turn.due = self._bot is BotKind.SCRIPTED
                self._spawn(self._decide(turn))
        except Exception as error:  # noqa: BLE001 - whatever is wrong with us, the bot goes on
            self._fault(error)

    async def _decide(self, turn: LiveTurn) -> None:
        try:
            decision = await self._decider.decide(turn)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with us, the bot goes on
            self._fault(error)
        else:
            if decision is not None:
                await self._act(decision)

    async def _act(self, decision: Decision) -> None:
        """Start the hand-over, and tell everyone; in a task of its own, which no barge-in cuts."""
        if decision.action is Action.TRANSFER:
            try:
                request = self._call.request(transcript(self._context))
                sentence = self._call.sentence(Moment.HAND_OVER, interruptible=False)
            except Exception as error:  # noqa: BLE001 - the caller goes on with the bot
                self._call.hand_over.end(ok=False)
                self._fault(error)
                return
            await self.push_frame(sentence)
            await self.push_frame(TransferCallFrame(request))
            await self._call_event_handler("on_transfer", request)
        await self.push_frame(RTVIServerMessageFrame(data=decision_message(decision)))
        await self._call_event_handler("on_decision", decision)

    def _fault(self, error: Exception) -> None:
        self._call.faults.report("decision", "nothing could be decided, the bot goes on", error)

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = self.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
