"""Where the caller's turns are in a recorded call: Silero VAD, counted in samples.

Pipecat's own turn strategies use the clock of a live call; a recording must give the same turns
however fast it is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ..models.turns import TurnBuffer
from ..models.types import Samples, TurnAudio
from .vad import SAMPLE_RATE, WINDOW, WINDOW_MS, SileroVad

MAX_TURN_S = 30.0
"""Of a longer turn the end is heard."""


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

    A turn is out as soon as the silence after it has lasted `rules.gap_s`.
    """
    buffer = TurnBuffer(SAMPLE_RATE, pre_roll_s=rules.pre_roll_s, max_turn_s=MAX_TURN_S)
    activity = VoiceActivity(rules)
    silence_s = 0.0
    for block in blocks:
        buffer.append(block)
        if len(block) < WINDOW:
            break
        if activity.hear(block) != buffer.is_speaking:
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


def _ended(buffer: TurnBuffer) -> Iterator[TurnAudio]:
    turn = buffer.end()
    if turn is not None:
        yield turn


class VoiceActivity:
    """Whether the caller is speaking, one window at a time; counted as Pipecat's analyzer counts.

    Without its loudness gate: recordings come at any level.
    """

    def __init__(self, rules: TurnRules) -> None:
        self._silero = SileroVad()
        self._confidence = rules.confidence
        self._start = round(rules.start_s * SAMPLE_RATE / WINDOW)
        self._stop = round(rules.stop_s * SAMPLE_RATE / WINDOW)
        self._run = 0
        self.speaking = False

    def hear(self, window: Samples) -> bool:
        """Take the next window of `WINDOW_MS`; return whether the caller is speaking now."""
        quiet = not self.speaking and self._run == 0
        voiced = self._silero.confidence(window, quiet=quiet) >= self._confidence
        self._run = self._run + 1 if voiced != self.speaking else 0
        if self._run >= (self._stop if self.speaking else self._start):
            self.speaking = not self.speaking
            self._run = 0
        return self.speaking
