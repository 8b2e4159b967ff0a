"""A call that is replayed must be what it was live: the same turns, cues and decisions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pipecat.frames.frames import (
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    Frame,
    InputAudioRawFrame,
    LLMContextFrame,
    TTSSpeakFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.processors.frame_processor import FrameDirection

from pipecat_deescalate import analyze_call
from pipecat_deescalate.agent.deescalator import Deescalator
from pipecat_deescalate.agent.replay.segments import TurnRules, VoiceActivity
from pipecat_deescalate.agent.replay.vad import SAMPLE_RATE, WINDOW, WINDOW_MS
from pipecat_deescalate.models.audio.recording import CallerChannel, open_call
from pipecat_deescalate.models.readings import Cue
from pipecat_deescalate.processors import CallerEmotionFrame

from ..hygiene import no_tasks_left, no_threads_left, pipecat_errors
from ..pipelines import Desk, Running, running
from ..processors.guarded import a_context, said_in

__all__ = ["no_tasks_left", "no_threads_left", "pipecat_errors"]

CALL = Path(__file__).parents[2] / "examples" / "calls" / "synthetic_escalating.ogg"
STATES = ("welcome", "asks_shop", "asks_card", "asks_card", "asks_card")
RULES = TurnRules()
POLICY = "gentle"
"""Hands over at the last turn: after a hand-over a live bot keeps still, a recording goes on."""


@pytest.fixture(scope="module")
def lines() -> list[dict[str, Any]]:
    """The call's transcript; the bot names its states, and is spoken over once."""
    said = [json.loads(line) for line in CALL.with_suffix(".jsonl").read_text().splitlines()]
    for line, state in zip((one for one in said if one["speaker"] == "bot"), STATES, strict=True):
        line["dialog_state"] = state
    said[2]["end_s"] = said[3]["start_s"] + 0.8
    return said


class Line:
    """Plays a call into a pipeline, event by event, in the order of its audio."""

    def __init__(self, call: Running, guard: Deescalator, lines: list[dict[str, Any]]) -> None:
        self.call = call
        self.guard = guard
        self.words = [one["text"] for one in lines if one["speaker"] == "caller"]
        bot = [one for one in lines if one["speaker"] == "bot"]
        self.bot = sorted(
            [(one["start_s"], one["dialog_state"], one["text"]) for one in bot]
            + [(one["end_s"], None, None) for one in bot]
        )
        self.windows = self.silence = 0
        self.turn_open = False

    async def window(self, samples: np.ndarray, speech: bool, *, changed: bool) -> None:
        pcm = np.clip(samples * 32_768, -32_768, 32_767).astype(np.int16)
        await self.call.send(InputAudioRawFrame(pcm.tobytes(), SAMPLE_RATE, 1))
        self.windows += 1
        self.silence = 0 if speech else self.silence + 1
        while self.bot and self.bot[0][0] <= self.windows * WINDOW_MS / 1000:
            await self._bot(*self.bot.pop(0)[1:])
        if changed:
            await self._vad(speech)
        stopped_s = RULES.stop_s + (self.silence - 1) * WINDOW_MS / 1000
        if self.turn_open and not speech and stopped_s >= RULES.gap_s:
            await self._turn_over()

    async def _bot(self, state: str | None, text: str | None) -> None:
        await self._settled()
        if text is not None:
            await self.call.send(TTSSpeakFrame(text))
        frame: Frame = BotStoppedSpeakingFrame() if state is None else BotStartedSpeakingFrame()
        self.guard.dialog_state = state or self.guard.dialog_state
        await self.call.worker.queue_frame(frame, FrameDirection.UPSTREAM)
        await self.call.until(lambda: frame in self.call.before.up)

    async def _vad(self, speech: bool) -> None:
        if not speech:
            await self.call.send(VADUserStoppedSpeakingFrame(stop_secs=RULES.stop_s))
        else:
            await self.call.send(VADUserStartedSpeakingFrame(start_secs=RULES.start_s))
            if not self.turn_open:
                await self.call.send(UserStartedSpeakingFrame())
            self.turn_open = True

    async def _turn_over(self) -> None:
        self.turn_open = False
        decided = len(self.guard.record().turns)
        context = a_context(self.words[decided])
        await self.call.send(UserStoppedSpeakingFrame(), *said_in(context))
        await self.call.send(LLMContextFrame(context))
        await self.call.until(lambda: len(self.guard.record().turns) > decided)

    async def _settled(self) -> None:
        passed = self.call.after.down
        await self.call.until(
            lambda: sum(isinstance(one, InputAudioRawFrame) for one in passed) == self.windows
        )


def _windows() -> Iterator[tuple[np.ndarray, bool, bool]]:
    """The caller's side, and where speech starts and stops in it."""
    activity, before = VoiceActivity(RULES), False
    with open_call(CALL, caller_channel=CallerChannel.LEFT, block_ms=WINDOW_MS) as blocks:
        for block in blocks:
            if len(block) == WINDOW:
                speech = activity.update(block)
                yield block, speech, speech != before
                before = speech


async def test_a_replayed_call_is_decided_as_it_was_live(
    lines: list[dict[str, Any]], tmp_path: Path
) -> None:
    """A policy that was tuned on recordings must not meet other evidence on the line."""
    transcript = tmp_path / "call.jsonl"
    transcript.write_text("\n".join(json.dumps(line) for line in lines))
    recorded = analyze_call(
        CALL, policy=POLICY, caller_channel=CallerChannel.LEFT, transcript=transcript
    )
    guard = Deescalator(POLICY, transfer=Desk(), scripted=False, max_wait=5.0)
    async with running(guard.listen(), guard.speak(), guard.hand_over()) as call:
        line = Line(call, guard, lines)
        for samples, speech, changed in _windows():
            await line.window(samples, speech, changed=changed)
        assert len(call.after.of(CallerEmotionFrame)) >= len(recorded.turns)
    live = guard.record()
    assert guard.faults == {}
    assert len(live.turns) == len(recorded.turns) == 5
    for a, b in zip(live.turns, recorded.turns, strict=True):
        assert a.reading.started_at_s == pytest.approx(b.reading.started_at_s, abs=1e-3)
        assert a.reading.ended_at_s == pytest.approx(b.reading.ended_at_s, abs=1e-3)
        assert a.reading.cues == b.reading.cues
        # A line has 16 bits, this recording more; the quantised model sees up to 0.15 nats of it.
        assert a.reading.voice.p_negative == pytest.approx(b.reading.voice.p_negative, abs=0.06)
        assert a.decision.belief == pytest.approx(b.decision.belief, abs=0.06)
        assert a.decision.evidence.dialog_state == b.decision.evidence.dialog_state
        assert (a.decision.action, a.decision.level) == (b.decision.action, b.decision.level)
    seen = {cue for turn in live.turns for cue, _ in turn.reading.cues}
    assert seen >= {Cue.REPROMPTED, Cue.BARGES_IN}
