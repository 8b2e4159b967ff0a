"""Hears the caller's turns as they go by, and says after each stretch of speech how it sounded."""

from __future__ import annotations

import asyncio

from pipecat.frames.frames import (
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    Frame,
    InputAudioRawFrame,
    InterruptionFrame,
    MetricsFrame,
    TranscriptionFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.processors.frame_processor import FrameDirection, FrameProcessorSetup
from pipecat.processors.frameworks.rtvi import RTVIServerMessageFrame

from ..models.readings import TurnAudio, TurnReading
from ..models.voice import EmotionClassifier
from ..policies.config import MitigationPolicy
from .frames import CallerEmotionFrame, emotion_message, emotion_metrics
from .pass_through import PassThroughProcessor
from .session.capture import TurnCapture
from .session.inference import InferencePool, shared_pool
from .session.live_call import LiveCall
from .session.reading import read_turn
from .session.turn_state import LiveTurn


class EmotionProcessor(PassThroughProcessor):
    """Reads the caller's turn each time the VAD hears its end.

    Stands where both audio and VAD frames go by: behind the user aggregator, or behind
    VADProcessor and UserTurnProcessor. Every frame is passed on before anything is made of it,
    and the model runs on the threads of `pool`. A turn with pauses is read after each of them,
    from its beginning; the newest reading counts. Readings go downstream as `CallerEmotionFrame`,
    to the metrics, to RTVI clients (`caller-emotion`), and to the event
    `on_emotion(processor, reading)`.

    A turn of which nothing can be read (no audio; the model fails, hangs or is too busy) has an
    unknown reading, and `call.faults` says why.
    """

    def __init__(
        self,
        classifier: EmotionClassifier,
        *,
        call: LiveCall | None = None,
        pool: InferencePool | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name)
        self.call = call or LiveCall(MitigationPolicy(), call_id=self.name)
        self.capture = TurnCapture(16_000)
        self._classifier = classifier
        self._pool = pool or shared_pool()
        self._turn: LiveTurn | None = None
        self._task: asyncio.Task[None] | None = None
        self._register_event_handler("on_emotion")

    async def setup(self, setup: FrameProcessorSetup) -> None:  # type: ignore[override]  # as pipecat's own
        """Prepare for the pipeline's sample rate."""
        await super().setup(setup)
        self.capture = TurnCapture(setup.audio_in_sample_rate)

    async def cleanup(self) -> None:
        """Stop reading."""
        if self._task is not None:
            await self.cancel_task(self._task)
        await super().cleanup()  # type: ignore[no-untyped-call]  # pipecat's has no types

    def on_enqueue(self, frame: Frame) -> None:
        """Take words at once: the end of the turn, which they may bring about, overtakes them."""
        if isinstance(frame, TranscriptionFrame):
            self.call.said(frame.text)

    def on_bypass(self, frame: Frame) -> None:
        """Keep the caller's audio."""
        self._take(frame)

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Pass the frame on, then take from it what there is."""
        await super().process_frame(frame, direction)
        if isinstance(frame, UserStoppedSpeakingFrame):
            self._take(frame)  # first, so that those behind us find the turn
            await self.push_frame(frame, direction)
        else:
            await self.push_frame(frame, direction)
            self._take(frame)

    def _take(self, frame: Frame) -> None:
        try:
            if isinstance(frame, InputAudioRawFrame):
                self.capture.audio(frame.audio, frame.sample_rate, frame.num_channels)
            elif isinstance(frame, VADUserStartedSpeakingFrame):
                self._speech_started(frame)
            elif isinstance(frame, VADUserStoppedSpeakingFrame):
                self._speech_stopped(frame)
            elif isinstance(frame, UserStartedSpeakingFrame):
                self.capture.turn_started()
            elif isinstance(frame, UserStoppedSpeakingFrame):
                self._ask(self.capture.turn_stopped())
                self._turn = None
            elif isinstance(frame, BotStartedSpeakingFrame):
                self.call.floor.bot_started(self.capture.elapsed_s)
                self.call.owed.bot_started()
            elif isinstance(frame, BotStoppedSpeakingFrame):
                self.call.floor.bot_stopped(self.capture.elapsed_s)
            elif isinstance(frame, InterruptionFrame):
                self.call.floor.interrupted()
        except Exception as error:  # noqa: BLE001 - whatever is wrong with us, the call goes on
            self.call.faults.report("capture", "the caller's turn could not be captured", error)

    def _speech_started(self, frame: VADUserStartedSpeakingFrame) -> None:
        if self.capture.speech_started(frame.start_secs):
            self._turn = None
            self.call.turn_started(self.capture.elapsed_s - frame.start_secs)

    def _speech_stopped(self, frame: VADUserStoppedSpeakingFrame) -> None:
        if self.capture.deaf:
            self.call.faults.report(
                "no audio", "VAD frames but no audio; is audio_passthrough off?"
            )
        self._ask(self.capture.speech_stopped(frame.stop_secs))

    def _ask(self, audio: TurnAudio | None) -> None:
        """Have this audio read, in place of what is being read now."""
        if audio is None:
            return
        self._turn = self._turn or self.call.new_turn(audio.started_at_s)
        if not self.call.active:
            return
        self.call.turn = self._turn
        self._turn.barge_in = self.call.floor.barge_in(self.capture.elapsed_s)
        request = self._turn.expect(audio)
        if self._task is not None:
            self._task.cancel()
        self._task = self.create_task(self._read(self._turn, request, audio))

    async def _read(self, turn: LiveTurn, request: int, audio: TurnAudio) -> None:
        told = self.call.hand_over.ready  # a human would be told how it sounded
        heard = await read_turn(audio, self._classifier, self._pool, self.call.faults, told)
        reading = turn.deliver(request, heard)
        if reading is not None and not turn.dropped:
            await self._publish(reading)

    async def _publish(self, reading: TurnReading) -> None:
        if self.metrics_enabled:
            await self.push_frame(MetricsFrame(data=[emotion_metrics(self.name, reading)]))
        await self.push_frame(CallerEmotionFrame(reading))
        await self.push_frame(RTVIServerMessageFrame(data=emotion_message(reading)))
        await self._call_event_handler("on_emotion", reading)
