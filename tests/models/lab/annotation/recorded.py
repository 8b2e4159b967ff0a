"""Calls as data with their recordings, seeded."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import soundfile

from ....audio import speech_like

TURN_S = 0.6


def write_calls(folder: Path, *, calls: int = 2, turns: int = 10) -> Path:
    """Write stereo recordings of bot and caller in turn, and `calls.jsonl`; return that file.

    Turn n lasts from n to n + 0.6 s; even ones are the bot's, on the right.
    """
    rows = []
    for number in range(calls):
        audio = np.zeros((turns * 8_000 + 8_000, 2), np.float32)
        for turn in range(turns):
            start = turn * 8_000
            side = turn % 2 == 0
            said = speech_like(TURN_S, 8_000, seed=number * 1000 + turn)
            audio[start : start + said.size, int(side)] = said
            rows.append(
                {
                    "call_id": f"call-{number}",
                    "turn": turn,
                    "speaker": "bot" if side else "caller",
                    "text": f"words {turn} of call {number}",
                    "dialog_state": f"state-{turn // 2}",
                    "events": [],
                    "audio": f"call-{number}.wav",
                    "channel": "right" if side else "left",
                    "start_s": float(turn),
                    "end_s": turn + TURN_S,
                    "outcome": "unresolved",
                }
            )
        soundfile.write(folder / f"call-{number}.wav", audio, 8_000, "PCM_16")
    path = folder / "calls.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path
