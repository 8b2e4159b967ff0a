"""The sample calls that the page can play into a call."""

from __future__ import annotations

import io
from functools import lru_cache
from pathlib import Path

import soundfile

from ...models.audio import CallerChannel, read_audio

CALLS = Path(__file__).parents[2] / "examples" / "calls"
RATE = 16_000

SAMPLES = {
    "synthetic_escalating": "A caller who was charged twice, and is not understood",
    "synthetic_calm": "A caller who asks for a balance",
}


@lru_cache(maxsize=len(SAMPLES))
def sample_ogg(name: str) -> bytes:
    """The caller's side of a sample call, as mono Ogg/Opus."""
    samples = read_audio(CALLS / f"{name}.ogg", caller_channel=CallerChannel.LEFT, sample_rate=RATE)
    file = io.BytesIO()
    soundfile.write(file, samples, RATE, format="OGG", subtype="OPUS")
    return file.getvalue()
