"""Classifies each caller turn, after every stretch of speech in it."""

from __future__ import annotations

import asyncio

from pipecat.frames.frames import (
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    Frame,
    InputAudioRawFrame,
    InterruptionFrame,
    LLMContextFrame,
    LLMContextUserTurnFrame,
    MetricsFrame,
    SpeechControlParamsFrame,
    StartFrame,
    TranscriptionFrame,
    UserBackchannelFrame,
    UserMuteStartedFrame,
    UserMuteStoppedFrame,
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
from .caller_filter import CallerFilter
from .frames import CallerEmotionFrame, emotion_message, emotion_metrics
from .pass_through import PassThroughProcessor
from .session.capture import TurnCapture
from .session.inference import InferencePool, classify_turn, shared_pool
from .session.live_call import LiveCall
from .session.turn_state import LiveTurn


class EmotionProcessor(PassThroughProcessor):
    """Classifies the caller's turn each time the VAD detects the end of speech.

    Where no VAD reports speech (STT or a service decides the turns), the turn is classified when
    it ends. In a room with others, only the caller is read: `participant`, or who is heard first.

    Place it where both audio and VAD frames pass: after the user aggregator, or after
    VADProcessor and UserTurnProcessor. Every frame is pushed on before it is looked at, and the
    model runs on the threads of `pool`. A turn with pauses is classified after each of them, from
    its beginning; the newest reading counts. Readings go downstream as `CallerEmotionFrame`, to
    the metrics, to RTVI clients (`caller-emotion`), and to the event
    `on_emotion(processor, reading)`.

    A turn that cannot be classified (no audio; the model fails, hangs or is too busy) has an
    unknown reading, and `call.faults` says why.
    """

    def __init__(
        self,
        classifier: EmotionClassifier,
        *,
        call: LiveCall | None = None,
        pool: InferencePool | None = None,
        participant: str | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name)
        self.call = call or LiveCall(MitigationPolicy(), call_id=self.name)
        self.capture = TurnCapture(16_000)
        self.call.clock = lambda: self.capture.elapsed_s
        self.caller = CallerFilter(self.call, self._count_muted, participant)
        self._classifier = classifier
        self._pool = pool or shared_pool()
        self._turn: LiveTurn | None = None
        self._task: asyncio.Task[None] | None = None
        self._register_event_handler("on_emotion")

    async def setup(self, setup: FrameProcessorSetup) -> None:  # type: ignore[override]  # as pipecat's own
        """Take the pipeline's sample rate."""
        await super().setup(setup)
        self.capture = TurnCapture(setup.audio_in_sample_rate)

    async def cleanup(self) -> None:
        """Cancel the request that is under way."""
        if self._task is not None:
            await self.cancel_task(self._task)
        await super().cleanup()  # type: ignore[no-untyped-call]  # pipecat's has no types

    def on_enqueue(self, frame: Frame, direction: FrameDirection) -> None:
        """Take words at once: the end of the turn, which they may cause, overtakes them."""
        if direction is FrameDirection.UPSTREAM:
            pass
        elif isinstance(frame, (TranscriptionFrame, LLMContextUserTurnFrame)):
            self.caller.take_words(frame)
        elif isinstance(frame, (UserMuteStartedFrame, UserMuteStoppedFrame)):
            self.caller.mute(on=isinstance(frame, UserMuteStartedFrame))

    def on_bypass(self, frame: Frame) -> None:
        """Keep the caller's audio."""
        self._take(frame)

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Push the frame on, then use it."""
        await super().process_frame(frame, direction)
        if isinstance(frame, (UserStoppedSpeakingFrame, UserBackchannelFrame, LLMContextFrame)):
            self._take(frame)  # first, so that the processors after us find the turn
            await self.push_frame(frame, direction)
        else:
            await self.push_frame(frame, direction)
            self._take(frame)

    def _take(self, frame: Frame) -> None:
        try:
            if isinstance(frame, InputAudioRawFrame):
                if self.caller.is_callers(frame):
                    self.capture.audio(frame.audio, frame.sample_rate, frame.num_channels)
            elif isinstance(frame, VADUserStartedSpeakingFrame):
                self._speech_started(frame)
            elif isinstance(frame, VADUserStoppedSpeakingFrame):
                self._speech_stopped(frame)
            elif isinstance(frame, UserStartedSpeakingFrame):
                self._turn_started()
            elif isinstance(frame, UserStoppedSpeakingFrame):
                self._turn_stopped()
            elif isinstance(frame, UserMuteStartedFrame):
                self._request(self.capture.muted())
            elif isinstance(frame, UserMuteStoppedFrame):
                self.capture.unmuted()
            else:
                self._take_rare(frame)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with us, the call goes on
            self.call.faults.report("capture", "the caller's turn could not be captured", error)

    def _take_rare(self, frame: Frame) -> None:
        if isinstance(frame, BotStartedSpeakingFrame):
            self.call.bot_started(self.capture.elapsed_s)
        elif isinstance(frame, BotStoppedSpeakingFrame):
            self.call.bot_speech.bot_stopped(self.capture.elapsed_s)
        elif isinstance(frame, InterruptionFrame):
            self.call.bot_speech.interrupted()
        elif isinstance(frame, LLMContextFrame):
            self._forget_if(dropped=self.capture.drop_stale())
            if frame.speculation:  # the LLM replies before the end of the turn
                self._request(self.capture.so_far())
        elif isinstance(frame, UserBackchannelFrame):
            self._acknowledged()
        elif isinstance(frame, SpeechControlParamsFrame):
            if frame.vad_params is not None:
                self.capture.has_vad()
        elif isinstance(frame, StartFrame):
            self.caller.started(self)

    def _count_muted(self, frame: InputAudioRawFrame) -> None:
        """The call's time goes on while nothing is heard."""
        silence = bytes(len(frame.audio))
        self._take(InputAudioRawFrame(silence, frame.sample_rate, frame.num_channels))

    def _turn_started(self) -> None:
        self._forget_if(dropped=self.capture.drop_stale())
        if self.capture.turn_started():
            self._turn = None
            self.call.begin_turn(self.capture.elapsed_s)

    def _turn_stopped(self) -> None:
        self._request(self.capture.turn_stopped())
        if self._turn is not None:
            self._turn.is_over = True
        self._turn = None

    def _acknowledged(self) -> None:
        """What the caller said was no turn: "mm-hmm", while the bot goes on."""
        last, wordless = self.call.turn, self.call.words.waiting() is None
        if self.capture.drop_speech():
            self._forget_if(dropped=True)
        elif last is not None and last.is_over and last.undecided and wordless:
            self.call.forget_turn(last)

    def _forget_if(self, *, dropped: bool) -> None:
        if dropped:
            self.call.forget_turn(self._turn)
            self._turn = None

    def _speech_started(self, frame: VADUserStartedSpeakingFrame) -> None:
        self._forget_if(dropped=self.capture.drop_stale())
        if self.capture.speech_started(frame.start_secs):
            self._turn = None
            self.call.begin_turn(self.capture.elapsed_s - frame.start_secs)

    def _speech_stopped(self, frame: VADUserStoppedSpeakingFrame) -> None:
        if self.capture.no_audio_since_start:
            self.call.faults.report(
                "no audio", "VAD frames but no audio; is audio_passthrough off?"
            )
        self._request(self.capture.speech_stopped(frame.stop_secs))

    def _request(self, audio: TurnAudio | None) -> None:
        """Classify this audio, in place of the request that is under way."""
        if audio is None:
            return
        self._turn = self._turn or self.call.take_turn(audio.started_at_s)
        if not self.call.active:
            return
        self.call.hear(self._turn)
        barge_in = self.call.bot_speech.barge_in(self.capture.elapsed_s)
        request = self._turn.expect(audio, barge_in=barge_in)
        if self._task is not None:
            self._task.cancel()
        self._task = self.create_task(self._classify(self._turn, request, audio))

    async def _classify(self, turn: LiveTurn, request: int, audio: TurnAudio) -> None:
        call, for_human = self.call, self.call.hand_over.ready  # the note says how it sounded
        voice_turn = await classify_turn(
            audio, self._classifier, self._pool, call.faults, for_human
        )
        reading = turn.deliver(request, voice_turn)
        if reading is not None:
            await self._publish(reading)

    async def _publish(self, reading: TurnReading) -> None:
        if self.metrics_enabled:
            await self.push_frame(MetricsFrame(data=[emotion_metrics(self.name, reading)]))
        await self.push_frame(CallerEmotionFrame(reading))
        await self.push_frame(RTVIServerMessageFrame(data=emotion_message(reading)))
        await self._call_event_handler("on_emotion", reading)
