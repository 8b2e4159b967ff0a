"""The caller's audio on its way past processors that have no queue for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from pipecat.frames.frames import (
    Frame,
    InputAudioRawFrame,
    InterruptionFrame,
    OutputTransportMessageUrgentFrame,
    TTSAudioRawFrame,
    TTSStoppedFrame,
    UserSpeakingFrame,
    VADUserStartedSpeakingFrame,
)
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor

from pipecat_deescalate.policies.config import MitigationPolicy
from pipecat_deescalate.processors.pass_through import PassThroughChain, PassThroughProcessor
from pipecat_deescalate.processors.prompts import PromptProcessor
from pipecat_deescalate.processors.session.live_call import LiveCall
from pipecat_deescalate.processors.transfer import TransferProcessor

from ..pipelines import audio_frames, running


class Slow(PassThroughProcessor):
    """Takes its time over everything but audio."""

    def __init__(self) -> None:
        super().__init__()
        self.took: list[Frame] = []

    def on_bypass(self, frame: Frame) -> None:
        self.took.append(frame)

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, VADUserStartedSpeakingFrame):
            await asyncio.sleep(0.05)
        await self.push_frame(frame, direction)
        if isinstance(frame, InputAudioRawFrame | VADUserStartedSpeakingFrame):
            self.took.append(frame)


def one_by_one(parts: list[Slow]) -> list[FrameProcessor]:
    return [*parts]


def in_a_row(parts: list[Slow]) -> list[FrameProcessor]:
    return [PassThroughChain(*parts)]


@pytest.mark.parametrize("standing", [one_by_one, in_a_row])
async def test_audio_overtakes_nothing(
    standing: Callable[[list[Slow]], list[FrameProcessor]],
) -> None:
    """A turn that starts after its first words, or before the last ones, is read wrongly."""
    parts = [Slow(), Slow()]
    sent: list[Frame] = []
    for _ in range(3):
        sent += [*audio_frames(0.1), VADUserStartedSpeakingFrame(start_secs=0.2)]
    sent += audio_frames(0.1)
    async with running(*standing(parts)) as call:
        await call.send(*sent)
        await call.sees(InputAudioRawFrame, 20)
    came = [frame for frame in call.after.down if any(frame is one for one in sent)]
    assert [frame.id for frame in came] == [frame.id for frame in sent]
    for part in parts:
        assert [frame.id for frame in part.took] == [frame.id for frame in sent]


async def test_audio_alone_is_passed_on_at_once() -> None:
    """What is queued for nothing costs every call its share of the machine."""
    part = Slow()
    async with running(part) as call:
        before = len(call.after.of(InputAudioRawFrame))
        (frame,) = audio_frames(0.02)
        await part.queue_frame(frame)
        assert part.took == [frame]
        await call.sees(InputAudioRawFrame, before + 1)


@pytest.mark.parametrize("standing", [one_by_one, in_a_row])
async def test_what_goes_by_goes_by_both_ways(
    standing: Callable[[list[Slow]], list[FrameProcessor]],
) -> None:
    """The sign that somebody speaks goes up and down the pipeline five times a second."""
    part = Slow()
    (outer,) = standing([part])
    async with running(outer) as call:
        for direction in FrameDirection:
            await outer.queue_frame(UserSpeakingFrame(), direction)
        assert [type(frame) for frame in part.took] == [UserSpeakingFrame, UserSpeakingFrame]
        await call.sees(UserSpeakingFrame, 1)
        await call.until(lambda: [f for f in call.before.up if isinstance(f, UserSpeakingFrame)])


class Fails(Slow):
    """Breaks on the start of speech."""

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, VADUserStartedSpeakingFrame):
            raise OSError("out of luck")


async def test_an_error_in_a_frame_does_not_queue_all_later_audio(
    pipecat_errors: list[str],
) -> None:
    """A frame that breaks is never done; waiting for it would cost each later frame a queue."""
    part = Fails()
    async with running(part) as call:
        await call.send(VADUserStartedSpeakingFrame())
        await call.sees(VADUserStartedSpeakingFrame)
        await call.send(InterruptionFrame())
        await call.sees(InterruptionFrame)
        await call.until(lambda: not part.waiting)
    pipecat_errors.clear()


async def test_a_processor_of_prompts_queues_only_what_it_works_on() -> None:
    """Turns and messages to the client go by it some ten times a second."""
    going_by = [VADUserStartedSpeakingFrame(), OutputTransportMessageUrgentFrame(message={})]
    prompts = PromptProcessor(LiveCall(MitigationPolicy(), call_id="c"))
    async with running(prompts) as call:
        for frame in going_by:
            await prompts.queue_frame(frame)
            assert not prompts.waiting
            await call.sees(type(frame), 1)
        await prompts.queue_frame(InterruptionFrame())
        assert len(prompts.waiting) == 1
        await call.sees(InterruptionFrame, 1)
        assert not prompts.waiting


async def test_the_bots_audio_keeps_its_place_on_the_way_past_the_transfer() -> None:
    """What records the call behind us must not hear the end of speech before its last words."""
    sent = [
        frame
        for _ in range(5)
        for frame in (TTSAudioRawFrame(b"\0\0" * 160, 8_000, 1), TTSStoppedFrame())
    ]
    async with running(TransferProcessor(None)) as call:
        await call.send(*sent)
        await call.sees(TTSStoppedFrame, 5)
    came = [frame for frame in call.after.down if any(frame is one for one in sent)]
    assert [frame.id for frame in came] == [frame.id for frame in sent]
