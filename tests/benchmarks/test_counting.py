"""Audio with numbered blocks: missing blocks must show."""

from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.frame_watermark import BLOCK, Stretch, levels, stretches

from ..telephony import Pcm, from_mulaw, to_mulaw


def test_mu_law_is_that_of_the_standard() -> None:
    """With another code the bot would hear noise, and frames could not be told apart."""
    codes = bytes(range(256))
    form = {"samplerate": 8_000, "channels": 1, "subtype": "ULAW", "format": "RAW"}
    decoded, _ = soundfile.read(io.BytesIO(codes), dtype="int16", **form)
    assert np.array_equal(from_mulaw(codes), decoded)
    pcm = np.arange(-32_000, 32_000, 7).astype(np.int16)
    nearest = np.abs(decoded.astype(int)[:, None] - pcm).min(axis=0)
    assert np.abs(from_mulaw(to_mulaw(pcm)) - pcm.astype(int)).max() <= nearest.max() + 1


@given(first=st.integers(0, 1000), blocks=st.integers(1, 600))
def test_blocks_are_known_again_on_the_line(first: int, blocks: int) -> None:
    """Each block must be identified, after mu-law and between silences."""
    silence = np.zeros(100, np.int16)
    line = from_mulaw(to_mulaw(np.concatenate((silence, levels(first, first + blocks), silence))))
    found = stretches(line)
    assert len(found) == blocks
    assert {one.samples for one in found} == {BLOCK}
    assert found[-1].block - found[0].block == blocks - 1


@pytest.mark.parametrize(
    ("pcm", "steps"),
    [
        (np.concatenate((levels(0, 3), levels(5, 7))), [1, 1, 3, 1]),
        (np.concatenate((levels(0, 2), levels(1, 3))), [1, 224, 1]),
        (levels(0, 2)[:-10], [1]),
    ],
    ids=["missing", "doubled", "cut"],
)
def test_what_is_missing_shows(pcm: Pcm, steps: list[int]) -> None:
    """A count that closed its gaps would rate every line as perfect."""
    found = stretches(pcm)
    blocks = [one.block for one in found]
    if steps == [1, 224, 1]:  # the same level twice in a row is one long block
        assert Stretch(1, 2 * BLOCK) in found
    else:
        assert list(np.diff(blocks)) == steps
    assert sum(one.samples for one in found) == len(pcm)


def test_nothing_is_heard_in_silence() -> None:
    """Line noise must not count as the bot's speech."""
    assert stretches(np.zeros(800, np.int16)) == []
    assert stretches(np.zeros(0, np.int16)) == []
