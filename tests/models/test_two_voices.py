"""Two people on one channel: noticed by their voices, and one caller whose voice changes is not."""

from __future__ import annotations

import numpy as np
import pytest

from pipecat_deescalate.models.audio.two_voices import (
    DIMENSIONS,
    TurnVoice,
    turn_voice,
    two_speakers,
)

from ..audio import speech_like

RATE = 16_000


def voices(order: str, apart: float, *, seconds: float = 2.0) -> list[TurnVoice]:
    """Turns of A and B, whose voices lie this far apart, among the variation of one call."""
    rng = np.random.default_rng(0)
    centre = {"A": np.zeros(DIMENSIONS), "B": np.full(DIMENSIONS, apart / DIMENSIONS**0.5)}
    return [TurnVoice(centre[who] + rng.normal(0, 0.5, DIMENSIONS), seconds) for who in order]


@pytest.mark.parametrize(
    ("order", "apart", "share", "two"),
    [
        ("ABABABABABAB", 5.0, 0.7, True),
        ("AABABBABAABB", 5.0, 0.7, True),
        ("ABABABABABAB", 0.0, 0.7, False),  # one voice
        ("AAAAAABBBBBB", 5.0, 0.7, False),  # a caller who gets angry
        ("ABABABABABAB", 5.0, 0.1, False),  # a caller alone with a bot
        ("AAAAABAAAABA", 5.0, 0.7, False),  # somebody called out twice
        ("ABABA", 5.0, 0.7, False),  # too little to tell
        ("", 0.0, 0.0, False),
    ],
)
def test_two_speakers_take_turns(order: str, apart: float, share: float, two: bool) -> None:
    """An angry caller who counts as two people would be a warning that nobody can act on."""
    assert two_speakers(voices(order, apart), share) is two


@pytest.mark.parametrize("samples", [np.zeros(0), np.zeros(4_000), np.zeros(RATE)])
def test_what_holds_no_voice_has_none(samples: np.ndarray) -> None:
    """Silence and clicks must not count as somebody's turn."""
    assert turn_voice(samples.astype(np.float32), RATE) is None


def test_loudness_is_no_voice() -> None:
    """A caller who comes closer to the telephone stays the same person."""
    spoken = speech_like(2.0, RATE, seed=1)
    loud, soft = (turn_voice((spoken * gain).astype(np.float32), RATE) for gain in (0.5, 0.05))
    assert loud is not None
    assert soft is not None
    assert np.linalg.norm(loud.vector - soft.vector) < 0.5
