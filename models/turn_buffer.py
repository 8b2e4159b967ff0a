"""The caller's audio of one turn, cut out of the running call; its samples are its only clock."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .readings import Samples, TurnAudio

_INT16_SCALE = np.float32(1 / 32_768)


def to_samples(seconds: float, sample_rate: int) -> int:
    """Seconds as a count of samples: the nearest, halves up. The one rounding rule of times."""
    return math.floor(seconds * sample_rate + 0.5)


@dataclass(slots=True)
class _Turn:
    """An open turn, in samples from the start of the call.

    `speech_end` and `audio` (the turn's audio up to its post-roll) are None while the caller
    speaks.
    """

    audio_start: int
    speech_start: int
    speech_end: int | None = None
    audio_end: int | None = None
    audio: NDArray[np.generic] | None = None


class TurnBuffer:
    """Samples in, one turn out: the same for a live call and for a recorded one.

    Feed it all of the caller's audio with `append`, and call `start` and `stop` at the point where
    the VAD reported speech and silence, and `end` when the turn was over. A turn may
    hold several stretches of speech, with what lies between them. Its audio begins
    `pre_roll_s` before the first speech, never before the end of the previous turn, and goes on
    for at most `post_roll_s` of the silence before the last stop. Turns longer than `max_turn_s`
    keep their latest part.

    Events out of order do no harm: a second `start` or `stop` changes nothing, nor does a `stop`
    outside a turn. Memory is fixed: `max_turn_s` of audio, twice while a turn is open, in `dtype`
    (int16 takes half, but only int16 audio). Not for use by several threads at once; the
    turns it returns are copies and may go anywhere.
    """

    def __init__(
        self,
        sample_rate: int,
        *,
        pre_roll_s: float = 0.5,
        post_roll_s: float = 0.1,
        max_turn_s: float = 30.0,
        dtype: type[np.float32] | type[np.int16] = np.float32,
    ) -> None:
        if sample_rate < 1 or pre_roll_s < 0 or post_roll_s < 0 or max_turn_s <= 0:
            raise ValueError("sample_rate and max_turn_s must be over 0, rolls not under 0")
        self.sample_rate = sample_rate
        self._pre_roll = to_samples(pre_roll_s, sample_rate)
        self._post_roll = to_samples(post_roll_s, sample_rate)
        self._ring: NDArray[np.generic] = np.zeros(
            max(1, to_samples(max_turn_s, sample_rate)), dtype
        )
        self._now = 0
        self._previous_end = 0
        self._turn: _Turn | None = None
        self._index = 0

    @property
    def elapsed_s(self) -> float:
        """How much of the call was appended so far, in seconds."""
        return self._now / self.sample_rate

    @property
    def in_turn(self) -> bool:
        """Whether a turn has started and has not ended."""
        return self._turn is not None

    @property
    def is_speaking(self) -> bool:
        """Whether the caller speaks: in a turn, after a start and before its stop."""
        return self._turn is not None and self._turn.audio is None

    def append(self, audio: bytes | bytearray | memoryview | NDArray[np.generic]) -> None:
        """Take the next stretch of the call: int16 or float, shape (samples,), or PCM16 bytes.

        Raises:
            ValueError: Bytes that are not whole 16-bit samples, or another type or shape.
        """
        samples = _as_samples(audio)
        if samples.dtype.kind == "f" and self._ring.dtype.kind == "i":
            raise ValueError("this buffer keeps int16 audio, not float")
        capacity = self._ring.size
        self._now += samples.size
        if samples.size > capacity:
            samples = samples[-capacity:]
        at = (self._now - samples.size) % capacity
        before_wrap = capacity - at
        self._write(samples[:before_wrap], at)
        if samples.size > before_wrap:
            self._write(samples[before_wrap:], 0)

    def start(self, start_secs: float = 0.0) -> None:
        """The VAD reports speech that began `start_secs` ago, the time it took to be sure.

        Opens a turn, or goes on with the one that is open.
        """
        if self._turn is None:
            speech_start = max(self._ago(start_secs), self._previous_end)
            audio_start = max(
                speech_start - self._pre_roll, self._previous_end, self._now - self._ring.size
            )
            self._turn = _Turn(audio_start, speech_start)
            return
        self._turn.speech_end = self._turn.audio_end = self._turn.audio = None

    def stop(self, stop_secs: float = 0.0) -> None:
        """The VAD reports that speech ended `stop_secs` ago; the turn stays open."""
        turn = self._turn
        if turn is None or turn.audio is not None:
            return
        turn.speech_end = max(self._ago(stop_secs), turn.speech_start)
        turn.audio_end = min(turn.speech_end + self._post_roll, self._now)
        turn.audio = self._between(turn.audio_start, turn.audio_end)

    def snapshot(self) -> TurnAudio | None:
        """The open turn as it would be if it ended now; None outside a turn."""
        turn = self._turn
        if turn is None:
            return None
        if turn.audio is None:
            samples = _as_float(self._between(turn.audio_start, self._now))
        else:
            samples = _as_float(turn.audio)
        end = self._now if turn.speech_end is None else turn.speech_end
        return TurnAudio(
            samples=samples,
            sample_rate=self.sample_rate,
            started_at_s=turn.speech_start / self.sample_rate,
            ended_at_s=end / self.sample_rate,
            index=self._index,
        )

    def end(self) -> TurnAudio | None:
        """Close the turn and return it; None if there is none.

        A turn without audio has no samples, but still counts as a turn.
        """
        turn, audio = self._turn, self.snapshot()
        if turn is None or audio is None:
            return None
        self._previous_end = self._now if turn.audio_end is None else turn.audio_end
        self._index += 1
        self._turn = None
        return audio

    def _write(self, samples: NDArray[np.generic], at: int) -> None:
        if samples.dtype.kind == "i" and self._ring.dtype.kind == "f":
            samples = np.multiply(samples, _INT16_SCALE, dtype=np.float32)
        self._ring[at : at + samples.size] = samples

    def _ago(self, seconds: float) -> int:
        return self._now - min(max(to_samples(seconds, self.sample_rate), 0), self._now)

    def _between(self, start: int, end: int) -> NDArray[np.generic]:
        """A copy of the call from one sample to another, as far back as the buffer reaches."""
        start = min(max(start, self._now - self._ring.size), end)
        at, size = start % self._ring.size, end - start
        first = self._ring[at : at + size]
        return np.concatenate((first, self._ring[: size - first.size]))


def _as_float(stored: NDArray[np.generic]) -> Samples:
    """A copy in [-1, 1]."""
    samples = stored.astype(np.float32)
    return samples * _INT16_SCALE if stored.dtype.kind == "i" else samples


def _as_samples(audio: bytes | bytearray | memoryview | NDArray[np.generic]) -> NDArray[np.generic]:
    if not isinstance(audio, np.ndarray):
        if memoryview(audio).nbytes % 2:
            raise ValueError("audio as bytes: whole samples of 16 bits are needed")
        return np.frombuffer(audio, dtype="<i2")
    if audio.ndim != 1 or audio.dtype not in (np.int16, np.float32, np.float64):
        raise ValueError(f"audio of shape {audio.shape}, type {audio.dtype}: mono is needed")
    return audio
