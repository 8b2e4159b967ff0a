"""Readings of the caller's turns in a running pipeline, and what a broken model does to it."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from dataclasses import replace

import numpy as np
import pytest
from pipecat.audio.vad.vad_analyzer import VADParams
from pipecat.frames.frames import (
    InputAudioRawFrame,
    InterruptionFrame,
    MetricsFrame,
    SpeechControlParamsFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.processors.frameworks.rtvi import RTVIServerMessageFrame

from pipecat_deescalate import EmotionReading, load_classifier
from pipecat_deescalate.models.readings import TurnAudio, TurnReading, UnknownReason
from pipecat_deescalate.processors import (
    CallerEmotionFrame,
    CallerEmotionMetricsData,
    EmotionProcessor,
    InferencePool,
)
from pipecat_deescalate.processors.session.turn_state import LiveTurn

from ..pipelines import Scripted, Tap, audio_frames, running, speech


def metrics(tap: Tap) -> list[CallerEmotionMetricsData]:
    return [
        data
        for frame in tap.of(MetricsFrame)
        for data in frame.data
        if isinstance(data, CallerEmotionMetricsData)
    ]


@pytest.mark.parametrize("rate", [8_000, 16_000, 48_000])
async def test_a_turn_is_read_where_the_vad_hears_its_end(rate: int, pool: InferencePool) -> None:
    """The reading must be of this turn's audio, at the rate of the line, pre-roll included."""
    model = Scripted(0.9)
    emotion = EmotionProcessor(model, pool=pool)
    events: list[TurnReading] = []

    @emotion.event_handler("on_emotion")
    async def _(_processor: FrameProcessor, reading: TurnReading) -> None:
        events.append(reading)

    async with running(emotion, rate=rate) as call:
        await call.send(*audio_frames(1.0, rate), *speech(2.0, rate))
        frame = await call.sees(CallerEmotionFrame)
        await call.sees(RTVIServerMessageFrame)
    reading = frame.reading
    assert reading.voice.p_negative == 0.9
    assert reading.started_at_s == pytest.approx(1.0)
    assert reading.ended_at_s == pytest.approx(2.8)
    assert model.heard == [(round(2.4 * rate), rate)]
    assert reading.log_likelihood_ratio == pytest.approx(np.log(9))
    assert events == [reading]
    (data,) = metrics(call.after)
    assert (data.p_negative, data.turn, data.model) == (0.9, 0, "scripted")
    (message,) = call.after.of(RTVIServerMessageFrame)
    assert message.data == {
        "type": "caller-emotion",
        "turn": 0,
        "p_negative": 0.9,
        "reason": None,
        "arousal": None,
        "valence": None,
        "timeline": [],
    }


async def test_all_that_the_voice_says_reaches_clients_and_the_record() -> None:
    """Arousal, valence and the course of a turn must not be lost on the way; nonsense must."""
    voice = EmotionReading(
        0.9, "told", 2.0, 1.0, arousal=0.51236, valence=-0.4, timeline=(0.1, 0.91239, 0.95)
    )
    emotion = EmotionProcessor(Scripted(voice, replace(voice, timeline=(0.1, 1.2))))
    async with running(emotion) as call:
        await call.send(*speech(2.0))
        frame = await call.sees(CallerEmotionFrame)
        message = await call.sees(RTVIServerMessageFrame)
        await call.send(*speech(2.0))
        unread = await call.sees(CallerEmotionFrame, 2)
    assert frame.reading.voice == voice
    told = {"arousal": 0.512, "valence": -0.4, "timeline": [0.1, 0.912, 0.95]}
    assert message.data.items() >= told.items()
    assert unread.reading.voice.reason is UnknownReason.MODEL_FAILED


async def test_the_bundled_model_reads_a_turn() -> None:
    """The model that comes with the package must work behind the shared pool."""
    emotion = EmotionProcessor(load_classifier())
    async with running(emotion, rate=8_000) as call:
        await call.send(*speech(2.0, 8_000))
        frame = await call.sees(CallerEmotionFrame)
    assert frame.reading.voice.p_negative is not None
    assert 0 <= frame.reading.voice.p_negative <= 1
    assert len(frame.reading.voice.timeline) == 2
    assert emotion.call.faults.counts == {}


async def test_frames_pass_in_order_and_unchanged(pool: InferencePool) -> None:
    """An audio frame that is held, copied or reordered would be heard."""
    sent = [*audio_frames(1.0), *speech(2.0), InterruptionFrame(), *speech(1.0, opens=False)]
    async with running(EmotionProcessor(Scripted(0.5), pool=pool)) as call:
        await call.send(*sent)
        await call.sees(CallerEmotionFrame)
        await call.until(lambda: len(call.before.down) <= len(call.after.down))
    passed = [frame for frame in call.after.down if any(frame is one for one in sent)]
    assert [frame.id for frame in passed] == [frame.id for frame in sent]


async def test_a_turn_with_pauses_is_read_again_from_its_beginning(pool: InferencePool) -> None:
    """Anger often comes after the pause; the first words alone would be calm."""
    model = Scripted(0.1, 0.8)
    async with running(EmotionProcessor(model, pool=pool)) as call:
        await call.send(*speech(1.0, closes=False))
        await call.sees(CallerEmotionFrame)
        await call.send(*speech(1.0, opens=False))
        second = await call.sees(CallerEmotionFrame, 2)
        await call.send(*speech(1.0))
        third = await call.sees(CallerEmotionFrame, 3)
    assert [frame.reading.index for frame in call.after.of(CallerEmotionFrame)] == [0, 0, 1]
    assert second.reading.voice.p_negative == 0.8
    assert second.reading.started_at_s == 0.0
    assert third.reading.started_at_s == pytest.approx(2.0)
    assert model.heard[1][0] == pytest.approx(1.9 * 16_000)


async def test_the_newest_request_wins(pool: InferencePool) -> None:
    """A reading of half a turn that comes late must not replace the reading of the whole."""
    model = Scripted(0.1, 0.8)
    model.gate.clear()
    async with running(EmotionProcessor(model, pool=pool)) as call:
        await call.send(*speech(1.0, closes=False))
        await call.until(lambda: model.heard)
        await call.send(*speech(1.0, opens=False))
        model.gate.set()
        frame = await call.sees(CallerEmotionFrame)
    assert frame.reading.voice.p_negative == 0.8
    assert len(call.after.of(CallerEmotionFrame)) == 1


async def test_a_request_overtaken_in_the_queue_is_not_worked_off(pool: InferencePool) -> None:
    """Under load every reading that nobody waits for makes the others later."""
    model, gate = Scripted(0.5), threading.Event()
    busy = asyncio.create_task(pool.run(lambda: gate.wait(5)))
    async with running(EmotionProcessor(model, pool=pool)) as call:
        await call.send(*speech(1.0, closes=False))
        await call.sees(VADUserStoppedSpeakingFrame)
        await call.send(*speech(1.0, opens=False))
        await call.sees(VADUserStoppedSpeakingFrame, 2)
        await asyncio.sleep(0.05)
        gate.set()
        await call.sees(CallerEmotionFrame)
    await busy
    assert len(model.heard) == 1


async def test_a_stale_reading_is_not_taken() -> None:
    """A reading of less audio than was asked for meanwhile says nothing about the turn."""
    turn = LiveTurn(0)
    audio = TurnAudio(np.zeros(8, np.float32), 8_000, 0.0, 0.001, 0)
    first, second = turn.expect(audio, barge_in=False), turn.expect(audio, barge_in=False)
    assert turn.deliver(first, None) is None
    assert not turn.is_read
    assert turn.deliver(second, None) is not None
    assert turn.is_read


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (ValueError("broken"), "model"),
        (lambda: None, "model"),
        (lambda: EmotionReading(float("nan"), "x", 1.0, 0.0), "model"),
        (lambda: EmotionReading(1.2, "x", 1.0, 0.0), "model"),
        (lambda: time.sleep(0.6), "refused"),
    ],
    ids=["raises", "none", "nan", "over one", "hangs"],
)
async def test_a_broken_model_gives_an_unknown_reading(
    answer: object, fault: str, hasty_pool: InferencePool, caplog: pytest.LogCaptureFixture
) -> None:
    """A made-up score would escalate calls; a lost frame would be heard. Logged once, counted."""
    caplog.set_level(logging.DEBUG, "pipecat_deescalate")
    sent = [*speech(1.0), *audio_frames(0.2)]
    again = speech(1.0)
    emotion = EmotionProcessor(Scripted(answer), pool=hasty_pool)
    async with running(emotion) as call:
        await call.send(*sent)
        first = await call.sees(CallerEmotionFrame)
        await call.send(*again)
        await call.sees(CallerEmotionFrame, 2)
    assert first.reading.voice.p_negative is None
    assert first.reading.log_likelihood_ratio is None
    why = {"model": UnknownReason.MODEL_FAILED, "refused": UnknownReason.LATE}
    assert first.reading.voice.reason is why[fault]
    assert metrics(call.after)[0].p_negative is None
    assert emotion.call.faults.counts[fault] == 2
    ours = [record for record in caplog.records if record.name == "pipecat_deescalate.call"]
    assert len(ours) == 1
    assert sum(isinstance(frame, InputAudioRawFrame) for frame in call.after.down) == 110


async def test_readings_are_dropped_when_the_pool_is_full() -> None:
    """Overload must cost readings, not time: they come as unknown at once."""
    pool = InferencePool(queue_limit=1, time_limit_s=5.0)
    model = Scripted(0.5)
    model.gate.clear()
    busy = [asyncio.create_task(pool.run(lambda: model.gate.wait(5)))]
    await asyncio.sleep(0.05)
    busy.append(asyncio.create_task(pool.run(lambda: None)))
    await asyncio.sleep(0.05)
    emotion = EmotionProcessor(model, pool=pool)
    async with running(emotion) as call:
        await call.send(*speech(1.0))
        frame = await call.sees(CallerEmotionFrame)
        assert frame.reading.voice.p_negative is None
        assert emotion.call.faults.counts["refused"] == pool.counts["refused"] == 1
        model.gate.set()
        await asyncio.gather(*busy)
        await call.send(*speech(1.0))
        frame = await call.sees(CallerEmotionFrame, 2)
        assert frame.reading.voice.p_negative == 0.5
    pool.close()


async def test_a_hung_call_does_not_block_the_others(hasty_pool: InferencePool) -> None:
    """All calls of a process share the model's threads; one hang must not silence the rest."""
    hung, fine = Scripted(0.5), Scripted(0.5)
    hung.gate.clear()
    first, second = EmotionProcessor(hung, pool=hasty_pool), EmotionProcessor(fine, pool=hasty_pool)
    async with running(first) as one, running(second) as other:
        await one.send(*speech(1.0))
        await one.until(lambda: hung.heard)
        await one.sees(CallerEmotionFrame)
        await other.send(*speech(1.0))
        frame = await other.sees(CallerEmotionFrame)
    assert frame.reading.voice.p_negative == 0.5
    assert hasty_pool.counts["hung"] == 1
    hung.gate.set()


async def test_vad_frames_without_audio_are_told_once(
    pool: InferencePool, caplog: pytest.LogCaptureFixture
) -> None:
    """With audio_passthrough off nothing works, and nobody would know why."""
    emotion = EmotionProcessor(Scripted(0.9), pool=pool)
    async with running(emotion) as call:
        for _ in range(2):
            await call.send(
                VADUserStartedSpeakingFrame(start_secs=0.2),
                UserStartedSpeakingFrame(),
                VADUserStoppedSpeakingFrame(stop_secs=0.2),
                UserStoppedSpeakingFrame(),
            )
        frame = await call.sees(CallerEmotionFrame, 2)
    assert frame.reading.voice.reason is UnknownReason.TOO_SHORT
    assert [record.msg for record in caplog.records] == [
        "VAD frames but no audio; is audio_passthrough off?"
    ]
    assert emotion.call.faults.counts == {"no audio": 2}


async def test_a_turn_without_speech_is_unknown(pool: InferencePool) -> None:
    """A turn that only the transcript knows is still a turn; the model has nothing to hear."""
    model = Scripted(0.9)
    async with running(EmotionProcessor(model, pool=pool)) as call:
        await call.send(SpeechControlParamsFrame(vad_params=VADParams()))
        await call.send(*audio_frames(1.0), UserStartedSpeakingFrame(), UserStoppedSpeakingFrame())
        frame = await call.sees(CallerEmotionFrame)
    assert frame.reading.voice.reason is UnknownReason.TOO_SHORT
    assert model.heard == []


async def test_damaged_audio_is_passed_on(pool: InferencePool) -> None:
    """Half a sample is a fault of the transport's; it must not become one of the call's."""
    emotion = EmotionProcessor(Scripted(0.9), pool=pool)
    odd = InputAudioRawFrame(b"\0\0\0", 16_000, 1)
    async with running(emotion) as call:
        await call.send(odd, *speech(1.0))
        await call.sees(CallerEmotionFrame)
    assert call.after.of(InputAudioRawFrame)[0] is odd
    assert emotion.call.faults.counts == {"capture": 1}


POINTS = {
    "nothing": 0,
    "pre-roll": 10,
    "speech begun": 11,
    "turn begun": 12,
    "speech": 52,
    "inference": 53,
    "turn over": 54,
}
"""How many frames of `speech(1.0)` came by then."""


@pytest.mark.parametrize("end", ["end", "cancel"])
@pytest.mark.parametrize("point", POINTS)
async def test_a_pipeline_may_end_at_any_point(end: str, point: str, pool: InferencePool) -> None:
    """A call that ends in mid-turn or in mid-inference must leave nothing behind."""
    model = Scripted(0.9)
    model.gate.clear()
    frames = speech(1.0)[: POINTS[point]]
    async with running(EmotionProcessor(model, pool=pool), end=end) as call:
        await call.send(*frames)
        await call.until(lambda: {one.id for one in frames} <= {one.id for one in call.after.down})
        if point in {"inference", "turn over"}:
            await call.until(lambda: model.heard)
    model.gate.set()
    assert not call.after.of(CallerEmotionFrame)
