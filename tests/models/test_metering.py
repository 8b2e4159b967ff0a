"""How loud a recording is, told while it is read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipecat_deescalate.models.audio.metering import LevelMeter
from pipecat_deescalate.models.audio.recording import open_call

from ..audio import speech_like, tone, wav_bytes, write_audio, written


def test_clipping_is_counted_and_limited(tmp_path: Path) -> None:
    """Clipped speech sounds angry: the caller of this has to be able to say so."""
    loud = tone(1.0, level=3.0)
    over = int(np.count_nonzero(np.abs(loud) > 1))
    for form in ("float32.wav", "pcm16.wav", "pcm8.wav"):
        with open_call(write_audio(tmp_path / form, loud, 16_000, form)) as call:
            audio = np.concatenate(list(call))
            assert call.clipped_samples == pytest.approx(over, rel=0.01)
            assert np.abs(audio).max() == 1.0


def test_speech_at_full_level_is_not_clipped(tmp_path: Path) -> None:
    """A recording normalised to full scale touches it once, which is no damage."""
    audio = speech_like(3.0)
    audio *= np.float32(32_767 / 32_768) / np.abs(audio).max()
    with open_call(write_audio(tmp_path / "pcm16.wav", audio, 16_000, "pcm16.wav")) as call:
        assert sum(block.size for block in call) == audio.size
        assert call.clipped_samples == 0


@given(
    signal=st.lists(st.sampled_from([0.0, 0.5, 1.0, -1.0, 1.5]), max_size=60),
    cuts=st.lists(st.integers(0, 60), max_size=6),
)
def test_clipping_is_counted_the_same_across_chunks(signal: list[float], cuts: list[int]) -> None:
    """A run that crosses a chunk's edge must be counted once."""
    audio = np.array(signal, dtype=np.float32)
    levels = LevelMeter()
    for piece in np.split(audio, sorted(min(cut, audio.size) for cut in cuts)):
        levels.add(piece)
    levels.finish()
    full = [False, *(np.abs(audio) >= 1), False]
    expected = sum(
        full[at] and (full[at - 1] or full[at + 1] or abs(signal[at - 1]) > 1)
        for at in range(1, len(full) - 1)
    )
    assert levels.clipped_samples == expected


@pytest.mark.parametrize(
    "content",
    [
        wav_bytes(bytes(32_000)),
        wav_bytes(bytes(16_000), bits=8),
        wav_bytes(b"\x80" * 16_000, bits=8),
        wav_bytes(b"\xff" * 16_000, bits=8, tag=7),
        wav_bytes(b"\xd5\x55" * 8_000, bits=8, tag=6),
    ],
)
def test_digital_silence_is_told(content: bytes, tmp_path: Path) -> None:
    """A recorder on the wrong channel writes it; each encoding has its own silence."""
    with open_call(written(tmp_path, content)) as call:
        samples = sum(block.size for block in call)
        assert call.is_silent
    assert samples == 16_000


def test_the_faintest_speech_is_not_silence(tmp_path: Path) -> None:
    """A quiet line must be analysed, not refused."""
    audio = speech_like(2.0, level=0.001)
    with open_call(write_audio(tmp_path / "pcm16.wav", audio, 16_000, "pcm16.wav")) as call:
        assert sum(block.size for block in call) == audio.size
        assert not call.is_silent
