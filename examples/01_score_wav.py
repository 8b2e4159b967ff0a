"""Print how each caller turn of a recording sounds: `python examples/01_score_wav.py call.wav`."""

from __future__ import annotations

import sys

from pipecat_deescalate import analyze_call

for turn in analyze_call(sys.argv[1]).turns:
    reading, decision = turn.reading, turn.decision
    p = reading.voice.p_negative
    heard = "unknown" if p is None else f"{p:.2f}"
    print(f"{reading.started_at_s:7.1f} s  {heard:>7}  {decision.action.value}: {decision.reason}")
