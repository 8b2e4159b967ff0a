"""The demo bot: what all its calls share, and the pipeline of one call."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from pipecat.frames.frames import TTSSpeakFrame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.transports.base_transport import BaseTransport
from pipecat.workers.runner import WorkerRunner

from ...models.voice import EmotionClassifier, load_classifier
from ...policies.config import MitigationPolicy
from ...policies.transfer.request import TransferOutcome, TransferTarget
from ..deescalator import Deescalator
from .limits import CallLimits, Ended
from .parts import Kit
from .reporter import CallReporter

BROWSER_LINE = PipelineParams(audio_in_sample_rate=16_000, audio_out_sample_rate=24_000)
_FLUSH_S = 0.3
_WATCH_S = 0.5


@dataclass(frozen=True)
class DemoBot:
    """What all calls share. It loads the models up front, so that no caller waits for them."""

    kit: Kit
    policy: MitigationPolicy
    limits: CallLimits = field(default_factory=CallLimits)
    classifier: EmotionClassifier = field(default_factory=load_classifier)


class DemoCall:
    """One call with the bot, on any transport.

    `run` returns when the call is over. `on_end` is called once, before the line closes.
    """

    def __init__(
        self,
        bot: DemoBot,
        transport: BaseTransport,
        *,
        call_id: str,
        transfer: TransferTarget,
        line: PipelineParams = BROWSER_LINE,
        analysis: bool = True,
        on_end: Callable[[Ended], Awaitable[None]] | None = None,
    ) -> None:
        self.call_id = call_id
        self.ended: Ended | None = None
        self._bot = bot
        self._transport = transport
        self._on_end = on_end
        self._guard = Deescalator(
            bot.policy, bot.classifier, transfer, call_id=call_id, keep_text=True
        )
        self._guard.active = analysis
        self._reporter = CallReporter()
        self._parts = bot.kit.parts(self._guard, self._reporter)
        self._worker = PipelineWorker(
            self._pipeline(), params=line, idle_timeout_secs=None, enable_turn_tracking=False
        )
        self._since = self._spoke_at = time.monotonic()
        self._connected = False
        self._connect_handlers()

    async def run(self) -> Ended:
        """Run the call until it ends."""
        runner = WorkerRunner(handle_sigint=False, handle_sigterm=False)
        await runner.add_workers(self._worker)
        watch = asyncio.create_task(self._watch())
        try:
            await runner.run()
        finally:
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)
        return self.ended or Ended.HUNG_UP

    async def packet_arrived(self, packet: dict[str, Any]) -> None:
        """Send the page the packet that the human agent received."""
        await self._reporter.send("demo-hand-over", packet=packet)

    async def end(self, reason: Ended) -> None:
        """Hang up, and send the page the reason."""
        if self.ended is not None:
            return
        self.ended = reason
        message = self._bot.limits.message(reason)
        await self._reporter.send("demo-ended", reason=reason.value, message=message)
        if reason is not Ended.HUNG_UP:
            await asyncio.sleep(_FLUSH_S)
        if self._on_end is not None:
            await self._on_end(reason)
        await self._worker.cancel()

    def _pipeline(self) -> Pipeline:
        parts = self._parts
        return Pipeline(
            [
                self._transport.input(),
                *parts.hearing,
                self._guard.listen(),
                parts.thinking,
                self._guard.speak(),
                parts.speaking,
                self._transport.output(),
                self._guard.hand_over(),
                self._reporter,
                *parts.remembering,
            ]
        )

    def _connect_handlers(self) -> None:
        @self._transport.event_handler("on_client_connected")
        async def on_client_connected(_transport: object, _client: object) -> None:
            await self._greet()

        @self._transport.event_handler("on_client_disconnected")
        async def on_client_disconnected(_transport: object, _client: object) -> None:
            await self.end(Ended.HUNG_UP)

        @self._worker.rtvi.event_handler("on_client_message")
        async def on_client_message(_rtvi: object, message: Any) -> None:
            if message.type == "analysis" and isinstance(message.data, dict):
                self._guard.active = message.data.get("on") is True
                await self._reporter.send("demo-analysis", on=self._guard.active)

        @self._guard.event_handler("on_rewritten")
        async def on_rewritten(_processor: object, prompt: str, said: str) -> None:
            self._reporter.rewritten(prompt, said)

        @self._guard.event_handler("on_outcome")
        async def on_outcome(_processor: object, outcome: TransferOutcome) -> None:
            if outcome.ok:
                await self.end(Ended.TRANSFERRED)

    async def _greet(self) -> None:
        if self._connected:
            return
        self._connected = True
        self._since = time.monotonic()
        policy, limits = self._bot.policy, self._bot.limits
        await self._reporter.send(
            "demo-call",
            call_id=self.call_id,
            policy=policy.name,
            levels={"strained": policy.strained.enter, "distressed": policy.distressed.enter},
            analysis=self._guard.active,
            max_call_s=limits.max_call_s,
        )
        await self._worker.queue_frame(TTSSpeakFrame(self._parts.greeting))

    async def _watch(self) -> None:
        limits = self._bot.limits
        while True:
            await asyncio.sleep(_WATCH_S)
            now = time.monotonic()
            quiet_s = now - max(self._since, self._reporter.spoke_at)
            reason = limits.overdue(call_s=now - self._since, silent_s=quiet_s)
            if not self._connected and now - self._since > limits.connect_s:
                reason = Ended.HUNG_UP
            if reason is not None:
                await self.end(reason)
                return
