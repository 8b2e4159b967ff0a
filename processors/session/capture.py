"""Cuts the caller's turns out of a live call."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from ...models.readings import TurnAudio
from ...models.turn_buffer import TurnBuffer

STALE_S = 2.0
RESUMED_S = 0.3
"""How long somebody must speak after a mute for it to be more than the VAD's delay."""
BATCH_S = 1.0
"""Audio is buffered in batches: frame by frame costs the event loop five times as much."""


class TurnCapture:
    """The audio of each turn, as the VAD and the turn strategies report its start and end.

    Speech outside a turn (a cough that no strategy takes for a turn) is dropped after `STALE_S`
    seconds. Where no VAD reports speech, it lasts from the start of the turn to its stop; in a call
    with a VAD, a turn without speech has no samples. A mute ends speech: its stop may never come.
    """

    def __init__(self, sample_rate: int) -> None:
        self._buffer = TurnBuffer(sample_rate, dtype=np.int16)
        self._batch = bytearray()
        self._channels = 1
        self._turn_open = False
        self._before_s = 0.0
        self._start_reported_at_s = self._stopped_at_s = 0.0
        self._speech_in_turn = self._vad_seen = self._no_turn = False
        self._cut = False
        self._resumed_s = math.inf

    @property
    def sample_rate(self) -> int:
        """The rate of the audio in Hz."""
        return self._buffer.sample_rate

    @property
    def elapsed_s(self) -> float:
        """Seconds of audio so far."""
        return self._before_s + self._up_to_now().elapsed_s

    @property
    def no_audio_since_start(self) -> bool:
        """Whether no audio came since speech began."""
        return self.elapsed_s == self._start_reported_at_s

    def has_vad(self) -> None:
        """A VAD reports speech in this call, though maybe none so far."""
        self._vad_seen = True

    def audio(self, pcm: bytes, sample_rate: int, channels: int = 1) -> None:
        """Take the next PCM16 bytes: the first of several channels; a new rate starts a new buffer.

        Raises:
            ValueError: bytes that are not whole samples of every channel.
        """
        if len(pcm) % (2 * channels):
            raise ValueError(f"{len(pcm)} bytes are not whole samples of {channels} channels")
        if sample_rate != self._buffer.sample_rate or channels != self._channels:
            self._change(sample_rate, channels)
        self._batch += pcm
        if len(self._batch) >= BATCH_S * sample_rate * 2 * channels:
            self._up_to_now()

    def drop_stale(self) -> bool:
        """Drop speech that no turn followed; whether there was any."""
        stale = self._up_to_now().elapsed_s - self._stopped_at_s > STALE_S
        if self._turn_open or not stale or self._buffer.is_speaking:
            return False
        return self._drop()

    def drop_speech(self) -> bool:
        """Drop what was said in this turn, which is none of its own; whether there was any.

        Without a VAD nobody would report what the caller says next in an open turn: it is kept.
        """
        if self._turn_open and not self._vad_seen:
            return False
        self._no_turn = self._turn_open
        return self._drop()

    def speech_started(self, start_secs: float) -> bool:
        """Speech began `start_secs` ago; whether a turn began with it."""
        self.drop_stale()
        buffer = self._up_to_now()
        if self._cut:
            buffer.end()
        begins = not buffer.in_turn
        buffer.start(start_secs)
        self._speech_in_turn = self._vad_seen = True
        self._cut = self._no_turn = False
        self._start_reported_at_s = self.elapsed_s
        return begins

    def speech_stopped(self, stop_secs: float) -> TurnAudio | None:
        """Speech ended `stop_secs` ago: the turn so far."""
        buffer = self._up_to_now()
        if self._cut and buffer.elapsed_s - self._resumed_s > stop_secs + RESUMED_S:
            self._cut = False
            buffer.start()
        buffer.stop(stop_secs)
        self._stopped_at_s = buffer.elapsed_s
        return self._placed(buffer.snapshot())

    def so_far(self) -> TurnAudio | None:
        """The turn up to now, where no VAD reports a pause in it."""
        open_turn = not self._vad_seen and self._up_to_now().is_speaking
        return self._placed(self._buffer.snapshot()) if open_turn else None

    def muted(self) -> TurnAudio | None:
        """The caller is not heard from now on: the turn so far, if somebody was speaking."""
        if not self._up_to_now().is_speaking:
            return None
        self._cut, self._resumed_s = True, math.inf
        self._buffer.stop()
        self._stopped_at_s = self._buffer.elapsed_s
        return self._placed(self._buffer.snapshot())

    def unmuted(self) -> None:
        """The caller is heard again; without a VAD, so is the turn that goes on."""
        self._resumed_s = self._up_to_now().elapsed_s
        if self._cut and self._turn_open and not self._vad_seen:
            self._cut = False
            self._buffer.start()

    def turn_started(self) -> bool:
        """The caller's turn began; whether it did so just now, as far as is heard."""
        self.drop_stale()
        self._turn_open = True
        if self._vad_seen or self._up_to_now().in_turn:
            return False
        self._buffer.start()
        self._speech_in_turn = True
        return True

    def turn_stopped(self) -> TurnAudio | None:
        """The turn is over: its audio, unless `speech_stopped` returned all of it already."""
        buffer = self._up_to_now()
        without_speech = self._turn_open and not self._speech_in_turn and not self._no_turn
        unread = buffer.is_speaking or without_speech
        if without_speech:
            buffer.start()
        audio = buffer.end()
        self._turn_open = self._speech_in_turn = self._cut = self._no_turn = False
        if audio is None or not unread:
            return None
        if without_speech:
            audio = replace(audio, samples=audio.samples[:0])
        return self._placed(audio)

    def _drop(self) -> bool:
        self._speech_in_turn = False
        return self._up_to_now().end() is not None

    def _up_to_now(self) -> TurnBuffer:
        """The buffer, with all the audio so far."""
        if self._batch:
            self._buffer.append(np.frombuffer(bytes(self._batch), "<i2")[:: self._channels])
            self._batch.clear()
        return self._buffer

    def _change(self, sample_rate: int, channels: int) -> None:
        heard = self._up_to_now()
        self._channels = channels
        if sample_rate != heard.sample_rate:
            self._before_s += heard.elapsed_s
            self._buffer = TurnBuffer(sample_rate, dtype=np.int16)

    def _placed(self, audio: TurnAudio | None) -> TurnAudio | None:
        """The turn at its time in the whole call, if the sample rate changed in it."""
        before = self._before_s
        if audio is None or not before:
            return audio
        return replace(
            audio, started_at_s=audio.started_at_s + before, ended_at_s=audio.ended_at_s + before
        )
