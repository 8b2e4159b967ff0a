"""What callers say: the caller's turns in a recording, at the rate of a telephone line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soxr

from pipecat_deescalate.agent.replay.segments import TurnRules, find_turns
from pipecat_deescalate.agent.replay.vad import SAMPLE_RATE, WINDOW_MS
from pipecat_deescalate.models.audio.recording import CallerChannel, open_call
from pipecat_deescalate.models.errors import AudioError
from tests.telephony import RATE, Pcm

SHORTEST_S, LONGEST_S = 0.8, 4.0


def callers_turns(path: Path, channel: CallerChannel | None) -> tuple[Pcm, ...]:
    """The turns of usual length in a recording.

    Raises:
        AudioError: it cannot be read, or has none.
    """
    with open_call(
        path, caller_channel=channel, sample_rate=SAMPLE_RATE, block_ms=WINDOW_MS
    ) as call:
        turns = list(find_turns(call, TurnRules()))
    usual = [t for t in turns if SHORTEST_S <= t.ended_at_s - t.started_at_s <= LONGEST_S]
    if not usual:
        raise AudioError(path, f"holds no turn of {SHORTEST_S:g} to {LONGEST_S:g} s")
    lines = (soxr.resample(turn.samples, SAMPLE_RATE, RATE) for turn in usual)
    return tuple((np.clip(line, -1, 1) * 32_767).astype(np.int16) for line in lines)
