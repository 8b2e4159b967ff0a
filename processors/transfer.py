"""Hands the call over once the caller has heard the announcement."""

from __future__ import annotations

import asyncio

from pipecat.frames.frames import EndFrame, Frame, OutputAudioRawFrame
from pipecat.processors.frame_processor import FrameDirection, FrameProcessorSetup
from pipecat.processors.frameworks.rtvi import RTVIServerMessageFrame

from ..policies.config import MitigationPolicy
from ..policies.empathy import Moment
from ..policies.transfer.request import TransferOutcome, TransferRequest, TransferTarget
from .frames import GuardSpeakFrame, TransferCallFrame, transfer_message
from .hang_up import HangUps
from .pass_through import SPEECH, TURNS, PassThroughProcessor
from .session.live_call import LiveCall

GRACE_S = 2.0
"""How long a target that was asked may take to answer once the pipeline is gone."""


class TransferProcessor(PassThroughProcessor):
    """Runs the transfer at most once a call; place it after `transport.output()`.

    A `TransferCallFrame` arrives when all audio before it was written to the line. `settle_s`
    seconds later, when the line has played it, a task asks `target`, which has `limit_s` seconds.
    If the transfer fails, the caller hears so and the bot goes on. If it is accepted, the bot is
    silent until `resume`; if the outcome is unknown, for a minute at most. Once the target was
    asked, the end of the pipeline hangs nobody up unless the transfer failed, whatever the
    serializer's `auto_hang_up` says.

    An `EndFrame` waits for a transfer that is under way (and `MitigationProcessor` keeps it from
    the transport, which would close the line). So does the clean-up, for `GRACE_S`, once the
    target was asked: a vendor that takes the call closes the line, which cancels most bots.

    Events: `on_outcome(processor, outcome)`. RTVI clients get `caller-transfer`.
    """

    BYPASS = (*PassThroughProcessor.BYPASS, *SPEECH, *TURNS, OutputAudioRawFrame)

    def __init__(
        self,
        target: TransferTarget | None,
        *,
        call: LiveCall | None = None,
        settle_s: float = 0.3,
        limit_s: float = 30.0,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name, enable_direct_mode=True)
        self._target = target
        self._call = call or LiveCall(MitigationPolicy(), call_id=self.name)
        self._settle_s = settle_s
        self._limit_s = limit_s
        self._hang_ups = HangUps()
        self._task: asyncio.Task[None] | None = None
        self._asked = self._ending = False
        self._register_event_handler("on_outcome")

    async def setup(self, setup: FrameProcessorSetup) -> None:  # type: ignore[override]  # as pipecat's own
        """Announce that calls can be handed over."""
        await super().setup(setup)
        self._call.hand_over.ready = self._target is not None

    async def cleanup(self) -> None:
        """Cancel a transfer that is still under way; one that was asked for may end first."""
        self._ending = True
        if self._task is not None:
            late = self._asked and (await asyncio.wait({self._task}, timeout=GRACE_S))[1]
            await self.cancel_task(self._task)
            if late:
                await self._conclude(TransferOutcome(False, "cancelled", unknown=True))
        await super().cleanup()  # type: ignore[no-untyped-call]  # pipecat's has no types

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Push every frame on; start the transfer when its frame arrives."""
        await super().process_frame(frame, direction)
        if isinstance(frame, TransferCallFrame) and direction is FrameDirection.DOWNSTREAM:
            self._start(frame.request)
        elif isinstance(frame, EndFrame) and self._task is not None:
            self._ending = True
            await asyncio.wait({self._task})
        await self.push_frame(frame, direction)

    def _start(self, request: TransferRequest) -> None:
        if self._target is None or self._task is not None:
            self._call.faults.report(
                "transfer again", "ignored transfer: already transferred, or no target configured"
            )
            return
        if not self._call.hand_over.under_way:
            self._call.hand_over.begin()  # the bot's own code asks for it
        self._task = self.create_task(self._hand_over(self._target, request))

    def resume(self) -> None:
        """Let the bot go on: it has the call back. Nothing happens before there is an outcome."""
        hand_over = self._call.hand_over
        if hand_over.taken or not hand_over.under_way:
            self._hang_ups.release()
        hand_over.resume()

    async def _hand_over(self, target: TransferTarget, request: TransferRequest) -> None:
        await asyncio.sleep(self._settle_s)
        self._asked = True
        try:  # before the target is asked: a vendor may close the line before it answers
            self._hang_ups.hold(self.pipeline_worker.pipeline)
        except Exception as error:  # noqa: BLE001 - the caller needs the human all the same
            self._call.faults.report("hang up", "the serializer may hang up at the end", error)
        try:
            async with asyncio.timeout(self._limit_s):
                outcome = await target.transfer(request)
        except (Exception, asyncio.CancelledError) as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise  # we are cancelled, not something inside the target
            self._call.faults.report("transfer", "the transfer target raised an error", error)
            outcome = TransferOutcome.raised(error)
        await self._conclude(outcome)

    async def _conclude(self, outcome: TransferOutcome) -> None:
        if outcome.status == "failed":
            self._hang_ups.release()
        elif outcome.status == "unknown":
            self._call.faults.report(
                "transfer unknown",
                "nobody knows whether the call was handed over; ask there, then guard.resume()",
            )
        self._call.hand_over.end(ok=outcome.ok, unknown=outcome.unknown)
        if outcome.status == "failed" and not self._ending:
            sentence = self._call.sentence(Moment.TRANSFER_FAILED)
            await self.pipeline_worker.queue_frame(GuardSpeakFrame(sentence))
        await self.push_frame(RTVIServerMessageFrame(data=transfer_message(outcome)))
        await self._call_event_handler("on_outcome", outcome)
