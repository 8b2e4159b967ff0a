"""Turns cut out of a call by counting samples, whatever pieces the call comes in."""

from __future__ import annotations

import itertools
import tracemalloc
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipecat_deescalate.models.readings import Samples, TurnAudio
from pipecat_deescalate.models.turn_buffer import TurnBuffer, to_samples

from ..audio import noise, pcm16

RATE = 1_000
PRE, POST, LONGEST = 0.05, 0.01, 0.3
RAMP = (np.arange(30_000) % 32_768).astype(np.int16)
"""A call in which all samples differ, so that a lost or doubled one shows."""

Step = tuple[str, int]
"""What happens (hear, start, stop, snapshot, end), and how many samples, or milliseconds ago."""
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["hear", "hear", "hear", "start", "stop", "snapshot", "end"]),
        st.integers(0, 400) | st.integers(0, 30),
    ),
    max_size=50,
)
PIECES = st.lists(st.integers(1, 200), min_size=1, max_size=8)


class WholeCall:
    """The rules of `TurnBuffer` without a buffer: all of the call is kept, and cut when asked."""

    def __init__(self) -> None:
        self.heard = 0
        self.free_from = 0
        self.index = 0
        self.began: tuple[int, int] | None = None
        self.stopped: tuple[int, int, int] | None = None

    def start(self, ago: int) -> None:
        if self.began is None:
            speech = max(self.heard - ago, self.free_from)
            oldest = max(self.free_from, self.heard - to_samples(LONGEST, RATE))
            self.began = max(speech - to_samples(PRE, RATE), oldest), speech
        self.stopped = None

    def stop(self, ago: int) -> None:
        if self.began is not None and self.stopped is None:
            speech_end = max(self.heard - ago, self.began[1])
            end = min(speech_end + to_samples(POST, RATE), self.heard)
            self.stopped = speech_end, end, self.heard

    def snapshot(self) -> TurnAudio | None:
        if self.began is None:
            return None
        speech_end, end, at = self.stopped or (self.heard, self.heard, self.heard)
        start = min(max(self.began[0], at - to_samples(LONGEST, RATE)), end)
        samples = RAMP[start:end].astype(np.float32) / 32_768
        return TurnAudio(samples, RATE, self.began[1] / RATE, speech_end / RATE, self.index)

    def end(self) -> TurnAudio | None:
        turn = self.snapshot()
        if turn is not None and self.began is not None:
            self.free_from = self.heard if self.stopped is None else self.stopped[1]
            self.index += 1
            self.began = self.stopped = None
        return turn


def small_buffer(**options: Any) -> TurnBuffer:
    return TurnBuffer(RATE, pre_roll_s=PRE, post_roll_s=POST, max_turn_s=LONGEST, **options)


def play(steps: Sequence[Step], pieces: Sequence[int]) -> tuple[TurnBuffer, list[TurnAudio | None]]:
    """Run a call's steps, its audio cut into pieces, each as bytes, integers or floats in turn."""
    buffer, out, heard = small_buffer(), [], 0
    sizes = itertools.cycle(pieces)
    forms = itertools.cycle([np.ndarray.tobytes, np.array, lambda a: a.astype("f4") / 32_768])
    for what, amount in steps:
        match what:
            case "hear":
                until = min(heard + amount, RAMP.size)
                while heard < until:
                    piece = RAMP[heard : min(heard + next(sizes), until)]
                    buffer.append(next(forms)(piece))
                    heard += piece.size
            case "start":
                buffer.start(amount / RATE)
            case "stop":
                buffer.stop(amount / RATE)
            case "snapshot":
                out.append(buffer.snapshot())
            case "end":
                out.append(buffer.end())
    return buffer, out


def same(one: TurnAudio | None, other: TurnAudio | None) -> bool:
    if one is None or other is None:
        return one is other
    return (
        np.array_equal(one.samples, other.samples)
        and one.samples.dtype == other.samples.dtype == np.float32
        and (one.sample_rate, one.started_at_s, one.ended_at_s, one.index)
        == (other.sample_rate, other.started_at_s, other.ended_at_s, other.index)
    )


@given(steps=STEPS, pieces=PIECES)
def test_turns_are_those_of_the_whole_call(steps: list[Step], pieces: list[int]) -> None:
    """A buffer that loses, doubles or shifts samples would give the model another turn."""
    call, expected = WholeCall(), []
    for what, amount in steps:
        match what:
            case "hear":
                call.heard = min(call.heard + amount, RAMP.size)
            case "start":
                call.start(amount)
            case "stop":
                call.stop(amount)
            case "snapshot":
                expected.append(call.snapshot())
            case "end":
                expected.append(call.end())
    buffer, turns = play(steps, pieces)
    assert len(turns) == len(expected)
    assert all(same(turn, other) for turn, other in zip(turns, expected, strict=True))
    assert buffer.elapsed_s == call.heard / RATE
    assert buffer.in_turn == (call.began is not None)
    assert buffer.is_speaking == (call.began is not None and call.stopped is None)


@given(steps=STEPS, one=PIECES, other=PIECES)
def test_pieces_make_no_difference(steps: list[Step], one: list[int], other: list[int]) -> None:
    """A call replayed in blocks must give the turns that it gave live in 20 ms pieces."""
    first, second = play(steps, one)[1], play(steps, other)[1]
    assert all(same(turn, again) for turn, again in zip(first, second, strict=True))


@given(steps=STEPS, pieces=PIECES)
def test_turns_follow_one_another(steps: list[Step], pieces: list[int]) -> None:
    """Audio in two turns would count the same anger twice; times must not run backwards."""
    steps = [step for step in steps if step[0] != "snapshot"]
    buffer, turns = play([*steps, ("end", 0)], pieces)
    found = [turn for turn in turns if turn is not None]
    assert [turn.index for turn in found] == list(range(len(found)))
    last, last_s = -1, 0.0
    for turn in found:
        numbers = np.round(turn.samples * 32_768).astype(int)
        assert numbers.size <= to_samples(LONGEST, RATE)
        assert (np.diff(numbers) == 1).all()
        assert last_s <= turn.started_at_s <= turn.ended_at_s <= buffer.elapsed_s
        if numbers.size:
            assert last < numbers[0]
            assert turn.started_at_s * RATE <= numbers[-1] + 1
            assert numbers[-1] < turn.ended_at_s * RATE + to_samples(POST, RATE) + 1e-6
            last = numbers[-1]
        last_s = turn.ended_at_s


def test_a_turn_has_its_pre_roll_and_no_tail() -> None:
    """The VAD is late at both ends: the turn's first sound is cut off, or silence is added."""
    buffer = TurnBuffer(16_000)
    call = noise(5.0)
    buffer.append(call[: 16_000 * 2])
    buffer.start(start_secs=0.2)
    buffer.append(call[16_000 * 2 : 16_000 * 3])
    buffer.stop(stop_secs=0.2)
    at_stop = buffer.snapshot()
    buffer.append(call[16_000 * 3 :])
    turn = buffer.end()
    assert turn is not None
    assert (turn.started_at_s, turn.ended_at_s, turn.index) == (1.8, 2.8, 0)
    assert np.array_equal(turn.samples, call[20_800:46_400])
    assert same(at_stop, turn)


def test_the_silence_between_two_stretches_of_speech_belongs_to_the_turn() -> None:
    """A pause cut out would speed the caller up, which sounds like anger."""
    buffer = TurnBuffer(16_000)
    call = noise(4.0)
    for second, event in enumerate((buffer.start, buffer.stop, buffer.start, buffer.stop)):
        buffer.append(call[16_000 * second : 16_000 * (second + 1)])
        event()
    turn = buffer.end()
    assert turn is not None
    assert (turn.started_at_s, turn.ended_at_s) == (1.0, 4.0)
    assert np.array_equal(turn.samples, call[8_000:])


def test_the_pre_roll_stops_at_the_previous_turn() -> None:
    """The end of an angry turn must not be heard again in the calm one after it."""
    buffer = TurnBuffer(16_000)
    call = noise(3.0)
    buffer.append(call[:16_000])
    buffer.start()
    buffer.append(call[16_000:32_000])
    first = buffer.end()
    buffer.append(call[32_000:33_600])
    buffer.start(start_secs=0.3)
    buffer.append(call[33_600:])
    second = buffer.end()
    assert first is not None
    assert second is not None
    assert np.array_equal(np.concatenate((first.samples, second.samples)), call[8_000:])
    assert second.started_at_s == first.ended_at_s == 2.0


def test_events_out_of_order_do_no_harm() -> None:
    """VAD frames get lost or doubled in live pipelines; the call goes on."""
    buffer = TurnBuffer(16_000)
    buffer.stop()
    assert buffer.snapshot() is None
    assert buffer.end() is None
    buffer.append(noise(1.0))
    buffer.start()
    buffer.append(noise(0.5))
    buffer.start()
    buffer.append(noise(0.5))
    buffer.stop()
    buffer.append(noise(0.5))
    buffer.stop()
    turn = buffer.end()
    assert turn is not None
    assert (turn.started_at_s, turn.ended_at_s, turn.index) == (1.0, 2.0, 0)
    assert buffer.end() is None


def test_a_turn_without_audio_is_a_turn_without_samples() -> None:
    """Where VAD events come and audio does not, the turn is unknown, not skipped."""
    buffer = TurnBuffer(16_000)
    buffer.start(0.2)
    buffer.stop(0.2)
    turn = buffer.end()
    assert turn is not None
    assert (turn.samples.size, turn.started_at_s, turn.ended_at_s) == (0, 0.0, 0.0)


def test_a_turn_too_long_keeps_its_latest_part_and_its_times() -> None:
    """A caller who talks for minutes must not fill the memory, nor be forgotten."""
    buffer = TurnBuffer(16_000, max_turn_s=2.0)
    call = noise(10.0)
    buffer.append(call[:16_000])
    buffer.start()
    buffer.append(call[16_000:])
    turn = buffer.end()
    assert turn is not None
    assert np.array_equal(turn.samples, call[-32_000:])
    assert (turn.started_at_s, turn.ended_at_s) == (1.0, 10.0)


def test_a_long_silence_does_not_wash_the_turn_away() -> None:
    """A turn that is closed a minute after its last word must still hold that word."""
    buffer = TurnBuffer(16_000, max_turn_s=2.0)
    speech = noise(1.0)
    buffer.start()
    buffer.append(speech)
    buffer.stop()
    for _ in range(60):
        buffer.append(np.zeros(16_000, np.float32))
    turn = buffer.end()
    assert turn is not None
    assert np.array_equal(turn.samples, speech)


def test_what_a_turn_returned_does_not_change_any_more() -> None:
    """A classifier reads the snapshot in another thread while the call goes on."""
    buffer = TurnBuffer(16_000, max_turn_s=1.0)
    buffer.start()
    buffer.append(noise(1.0))
    speaking = buffer.snapshot()
    buffer.stop()
    stopped = buffer.snapshot()
    assert speaking is not None
    assert stopped is not None
    stopped.samples[:] = 0
    buffer.append(noise(1.0, seed=1))
    assert np.array_equal(speaking.samples, noise(1.0))
    ended = buffer.end()
    assert ended is not None
    assert np.array_equal(ended.samples, noise(1.0))


def test_ten_minutes_take_no_more_memory_than_a_long_turn() -> None:
    """A call that never ends a turn must not grow the process."""
    buffer = TurnBuffer(8_000, max_turn_s=5.0)
    piece = pcm16(noise(0.02, 8_000))
    buffer.start()
    buffer.append(piece)
    tracemalloc.start()
    try:
        for _ in range(50 * 60 * 10):
            buffer.append(piece)
        held, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 2_000
    assert peak < 10_000
    turn = buffer.end()
    assert turn is not None
    assert turn.samples.size == 40_000
    assert turn.ended_at_s == pytest.approx(600.02)


@pytest.mark.parametrize(
    "audio",
    [b"abc", np.zeros((10, 2), np.float32), np.zeros(10, np.int32), np.zeros(10, np.uint8)],
)
def test_what_is_no_mono_audio_is_refused(audio: bytes | Samples) -> None:
    """Stereo or 32-bit chunks taken as mono would be noise at the wrong speed."""
    buffer = small_buffer()
    with pytest.raises(ValueError, match=r"mono is needed|whole samples of 16 bits are needed"):
        buffer.append(audio)
    assert buffer.elapsed_s == 0


@pytest.mark.parametrize(
    "options",
    [{"sample_rate": 0}, {"pre_roll_s": -0.1}, {"post_roll_s": -0.1}, {"max_turn_s": 0.0}],
)
def test_a_buffer_of_impossible_size_is_refused(options: dict[str, float]) -> None:
    """It would raise on the audio path instead, in the middle of a call."""
    with pytest.raises(ValueError, match="must be over 0"):
        TurnBuffer(**{"sample_rate": 16_000, **options})


@given(count=st.integers(0, 2**40), rate=st.sampled_from([8_000, 11_025, 16_000, 44_100, 48_000]))
def test_times_go_back_to_the_samples_they_came_from(count: int, rate: int) -> None:
    """One rounding rule: a time that comes back as another sample would shift what it names."""
    assert to_samples(count / rate, rate) == count


def test_int16_audio_can_be_kept_as_it_comes() -> None:
    """A live call needs the memory of its line's 16 bits, and hears the same."""
    sound = np.frombuffer(pcm16(noise(3.0)), "<i2")
    turns = []
    for dtype in (np.float32, np.int16):
        buffer = small_buffer(dtype=dtype)
        for at in range(0, len(sound), 320):
            buffer.append(sound[at : at + 320])
            if at == 16_000:
                buffer.start(0.2)
        buffer.stop(0.2)
        turns += [buffer.snapshot(), buffer.end()]
    for turn in turns:
        assert turn is not None
        assert turn.samples.dtype == np.float32
        assert np.array_equal(turn.samples, turns[0].samples)
    with pytest.raises(ValueError, match="int16"):
        buffer.append(noise(0.02))
