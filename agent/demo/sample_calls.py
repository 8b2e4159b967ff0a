"""The sample calls that the page can play into a call."""

from __future__ import annotations

import io
from functools import lru_cache
from pathlib import Path

import soundfile

from ...models.audio.recording import CallerChannel, open_call

CALLS = Path(__file__).parents[2] / "examples" / "calls"
RATE = 16_000

SAMPLES = {
    "synthetic_escalating": "A caller who was charged twice, and is not understood",
    "synthetic_calm": "A caller who asks for a balance",
}


@lru_cache(maxsize=len(SAMPLES))
def sample_ogg(name: str) -> bytes:
    """The caller's side of a sample call, as mono Ogg/Vorbis: ten times quicker than Opus."""
    path = CALLS / f"{name}.ogg"
    file = io.BytesIO()
    with (
        open_call(path, caller_channel=CallerChannel.LEFT, sample_rate=RATE) as call,
        soundfile.SoundFile(file, "w", RATE, 1, "VORBIS", format="OGG") as ogg,
    ):
        for block in call:
            ogg.write(block)
    return file.getvalue()
