"""Reports what happens in a call, in addition to the messages of the guard's parts."""

from __future__ import annotations

import time
from typing import Any

from pipecat.frames.frames import (
    AggregatedTextFrame,
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    Frame,
    InputAudioRawFrame,
    TTSTextFrame,
    UserStartedSpeakingFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.processors.frameworks.rtvi import RTVIServerMessageFrame

from ...processors.frames import CallerEmotionFrame


class CallReporter(FrameProcessor):
    """Sends `demo-…` messages (docs/demo.md) to RTVI clients; goes after `hand_over()`.

    Times are seconds of the caller's audio, as in the guard's readings. `spoke_at` is when the
    caller was last heard, on the monotonic clock.
    """

    def __init__(self) -> None:
        super().__init__()
        self.spoke_at = 0.0
        self._heard_s = 0.0
        self._began_s = self._ended_s = 0.0
        self._in_turn = False
        self._turn = -1
        self._read = -1
        self._prompts: dict[str, str] = {}

    def rewritten(self, prompt: str, said: str) -> None:
        """Note that the guard replaced a prompt with this sentence."""
        self._prompts[said] = prompt

    async def send(self, kind: str, **values: Any) -> None:
        """Send one message."""
        await self.push_frame(RTVIServerMessageFrame(data={"type": kind, **values}))

    async def turn_over(self, text: str | None) -> None:
        """Report that the caller's turn is over, and the text understood of it."""
        if not self._in_turn:
            return
        self._in_turn = False
        self._turn = max(self._turn + 1, self._read)  # a reading may be late
        await self.send(
            "demo-turn",
            turn=self._turn,
            started_at_s=round(self._began_s, 3),
            ended_at_s=round(self._ended_s, 3),
            over_at=time.time(),
            text=text,
        )

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Pass the frame on, then report it."""
        await super().process_frame(frame, direction)
        await self.push_frame(frame, direction)
        if direction is FrameDirection.UPSTREAM:
            return
        if isinstance(frame, InputAudioRawFrame):
            self._heard_s += frame.num_frames / frame.sample_rate
        elif isinstance(frame, CallerEmotionFrame):
            self._read = frame.reading.index
        elif isinstance(frame, TTSTextFrame):
            pass  # the same text again, once it was spoken
        elif isinstance(frame, AggregatedTextFrame) and frame.will_be_spoken:
            await self._said(frame.text)
        else:
            await self._spoke(frame)

    async def _spoke(self, frame: Frame) -> None:
        if isinstance(frame, UserStartedSpeakingFrame):
            self._in_turn = True
        elif isinstance(frame, VADUserStartedSpeakingFrame):
            self.spoke_at = time.monotonic()
            began = self._heard_s - frame.start_secs
            if not self._in_turn:
                self._began_s = began
            await self._speaking("caller", began)
        elif isinstance(frame, VADUserStoppedSpeakingFrame):
            self.spoke_at = time.monotonic()
            self._ended_s = self._heard_s - frame.stop_secs
            await self._speaking("caller", self._ended_s, False)
        elif isinstance(frame, (BotStartedSpeakingFrame, BotStoppedSpeakingFrame)):
            began_speaking = isinstance(frame, BotStartedSpeakingFrame)
            await self._speaking("bot", self._heard_s, began_speaking)

    async def _said(self, text: str) -> None:
        prompt = self._prompts.pop(text, None)
        at_s = round(self._heard_s, 3)
        await self.send("demo-said", text=text, instead_of=prompt, at_s=at_s)

    async def _speaking(self, who: str, at_s: float, speaking: bool = True) -> None:
        await self.send("demo-speaking", who=who, speaking=speaking, at_s=round(at_s, 3))
