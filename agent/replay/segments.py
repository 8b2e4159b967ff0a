"""Finds the caller's turns in a recorded call: Silero VAD, counted in samples.

Pipecat's own turn strategies use the clock of a live call; a recording must give the same turns
however fast it is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from ...models.readings import Samples, TurnAudio
from ...models.turn_buffer import TurnBuffer, to_samples
from .vad import SAMPLE_RATE, WINDOW, WINDOW_MS, SileroVad

MAX_TURN_S = 30.0
"""Longer turns keep only their last 30 s."""


@dataclass(frozen=True, slots=True)
class TurnRules:
    """When a turn starts and ends, in seconds; the first two as Pipecat's `VADParams`.

    `gap_s` is the silence that ends a turn: VAD stop plus the time a live bot waits for more.
    """

    start_s: float = 0.2
    stop_s: float = 0.2
    gap_s: float = 0.8
    pre_roll_s: float = 0.5
    confidence: float = 0.7


def find_turns(blocks: Iterable[Samples], rules: TurnRules) -> Iterator[TurnAudio]:
    """Cut a call into the caller's turns; blocks of `WINDOW_MS` at 16 kHz, the last may be shorter.

    Yields a turn as soon as the silence after it has lasted `rules.gap_s`.
    """
    buffer = TurnBuffer(SAMPLE_RATE, pre_roll_s=rules.pre_roll_s, max_turn_s=MAX_TURN_S)
    activity = VoiceActivity(rules)
    silence_s = 0.0
    for block in blocks:
        buffer.append(block)
        if len(block) < WINDOW:
            break
        if activity.update(block) != buffer.is_speaking:
            if activity.speaking:
                buffer.start(rules.start_s)
            else:
                buffer.stop(rules.stop_s)
                silence_s = rules.stop_s
        elif buffer.in_turn and not activity.speaking:
            silence_s += WINDOW_MS / 1000
        if buffer.in_turn and not activity.speaking and silence_s >= rules.gap_s:
            yield from _ended(buffer)
    yield from _ended(buffer)


def cut_turns(
    blocks: Iterable[Samples], turns: Iterable[tuple[float, float]], rules: TurnRules
) -> Iterator[TurnAudio]:
    """Cut a call into turns that `find_turns` found earlier: (started at, ended at) in seconds.

    Takes the same blocks, of any length, and yields the same audio without the search.
    """
    buffer = TurnBuffer(SAMPLE_RATE, pre_roll_s=rules.pre_roll_s, max_turn_s=MAX_TURN_S)
    pieces = _BlockFeeder(blocks, buffer)
    for started_at_s, ended_at_s in turns:
        pieces.feed_until(started_at_s)
        buffer.start(buffer.elapsed_s - started_at_s)
        pieces.feed_until(ended_at_s + rules.stop_s)
        buffer.stop(buffer.elapsed_s - ended_at_s)
        yield from _ended(buffer)
    for _ in blocks:
        pass  # errors in the rest of the file show only when it is read


class _BlockFeeder:
    """Feeds a call's blocks to a buffer, up to a given moment."""

    def __init__(self, blocks: Iterable[Samples], buffer: TurnBuffer) -> None:
        self._blocks = iter(blocks)
        self._buffer = buffer
        self._rest = np.zeros(0, np.float32)
        self._fed = 0

    def feed_until(self, moment_s: float) -> None:
        """Feed audio up to this many seconds from the start, or to the end of the call."""
        missing = to_samples(moment_s, SAMPLE_RATE) - self._fed
        while missing > 0:
            if not self._rest.size:
                self._rest = next(self._blocks, self._rest)
                if not self._rest.size:
                    return
            piece, self._rest = self._rest[:missing], self._rest[missing:]
            self._buffer.append(piece)
            self._fed += piece.size
            missing -= piece.size


def _ended(buffer: TurnBuffer) -> Iterator[TurnAudio]:
    turn = buffer.end()
    if turn is not None:
        yield turn


class VoiceActivity:
    """Whether the caller is speaking, one window at a time; counts as Pipecat's analyzer does.

    It has no loudness gate, since recordings come at any level.
    """

    def __init__(self, rules: TurnRules) -> None:
        self._silero = SileroVad()
        self._confidence = rules.confidence
        self._start = round(rules.start_s * SAMPLE_RATE / WINDOW)
        self._stop = round(rules.stop_s * SAMPLE_RATE / WINDOW)
        self._run = 0
        self.speaking = False

    def update(self, window: Samples) -> bool:
        """Take the next window of `WINDOW_MS`; return whether the caller is speaking now."""
        quiet = not self.speaking and self._run == 0
        voiced = self._silero.confidence(window, quiet=quiet) >= self._confidence
        self._run = self._run + 1 if voiced != self.speaking else 0
        if self._run >= (self._stop if self.speaking else self._start):
            self.speaking = not self.speaking
            self._run = 0
        return self.speaking
