"""The audio of single turns, cut out of recordings that are read once, as a stream."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import soundfile

from ...audio.recording import CallerChannel, open_call
from ...errors import AudioError
from ...readings import Samples

SAMPLE_RATE = 16_000
PAD_S = 0.2
"""Audio kept on either side: a voice activity detector is late at soft beginnings and ends."""
_BLOCK_MS = 500


@dataclass(slots=True)
class _Open:
    at: int
    start: int
    end: int
    parts: list[Samples] = field(default_factory=list)


def cut(
    path: Path,
    channel: CallerChannel | None,
    spans_s: Sequence[tuple[float, float]],
    *,
    pad_s: float = PAD_S,
) -> Iterator[tuple[int, Samples]]:
    """Cut spans, given by start and end in seconds, out of a recording; in the order of their ends.

    Yields the index of each span and its audio at `SAMPLE_RATE`. A span that goes beyond the end of
    the recording is cut there.

    Raises:
        AudioError: the recording cannot be read, or a span begins after its end.
    """
    waiting = [
        _Open(
            at, round(max(0.0, start_s - pad_s) * SAMPLE_RATE), round((end_s + pad_s) * SAMPLE_RATE)
        )
        for at, (start_s, end_s) in enumerate(spans_s)
    ]
    position = 0
    with open_call(
        path, caller_channel=channel, sample_rate=SAMPLE_RATE, block_ms=_BLOCK_MS
    ) as call:
        for block in call:
            for span in waiting:
                if span.start < position + block.size and span.end > position:
                    span.parts.append(block[max(0, span.start - position) : span.end - position])
            position += block.size
            for span in [span for span in waiting if span.end <= position]:
                waiting.remove(span)
                yield span.at, np.concatenate(span.parts)
            if not waiting:
                return
    for span in waiting:
        begins_s = spans_s[span.at][0]
        if begins_s * SAMPLE_RATE >= position:
            raise AudioError(
                path,
                f"a turn begins at {begins_s:.2f} s, but the recording lasts "
                f"{position / SAMPLE_RATE:.2f} s",
            )
        yield span.at, np.concatenate(span.parts)


def encoded(samples: Samples, container: Literal["WAV", "FLAC"]) -> bytes:
    """A turn as a file: mono, 16 bits, at `SAMPLE_RATE`."""
    file = io.BytesIO()
    soundfile.write(file, samples, SAMPLE_RATE, subtype="PCM_16", format=container)
    return file.getvalue()
