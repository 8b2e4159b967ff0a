"""What a teacher says of how a turn sounds before it gives the label, and for how long it says so.

The reasoning data of C²SER (Zhao et al., arXiv:2502.18186): a model that first says what it hears
learns what to listen for, and is then weaned off saying it, so that its answer is the label alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...audio.attributes import Attributes, RateUnit, degrees, description, measure, norms
from ...audio.recording import read_audio
from ...readings import SAMPLE_RATE
from ..datasets import Clip, Progress
from .lm_recipes import Against

_NOTHING = "Pitch, loudness and pace cannot be compared."


@dataclass(frozen=True, slots=True)
class Reasoning:
    """What is said of each turn, and in which order, from 0 to 1, turns are given up."""

    texts: tuple[str, ...]
    places: NDArray[np.float64]

    def said(self, turn: int, done: float) -> str | None:
        """What is said of a turn when this share of the run is done; None: the label alone.

        All turns at 0, none at 1, and in between a share that falls linearly: no turn comes back.
        """
        return self.texts[turn] if self.places[turn] < 1 - done else None


def reason(clips: Sequence[Clip], against: Against, seed: int, progress: Progress) -> Reasoning:
    """Measure turns, and put into words how each compares with all, or with the same caller's own.

    A caller with fewer than three turns is compared with all. Raises AudioError.
    """
    measured = []
    for done, clip in enumerate(clips):
        progress("measuring", done, len(clips))
        measured.append(measure(read_audio(clip.path), SAMPLE_RATE))
    progress("measuring", len(clips), len(clips))
    own: dict[tuple[str, str], list[Attributes]] = {}
    if against == "caller":
        for clip, turn in zip(clips, measured, strict=True):
            own.setdefault((clip.corpus, clip.speaker), []).append(turn)
    texts = []
    for clip, turn in zip(clips, measured, strict=True):
        others = own.get((clip.corpus, clip.speaker), [])
        told = _told(turn, others, own_turns=True) or _told(turn, measured, own_turns=False)
        texts.append(told or _NOTHING)
    order = np.random.default_rng(seed).permutation(len(clips))
    return Reasoning(tuple(texts), order / len(clips))


def _told(turn: Attributes, others: Sequence[Attributes], *, own_turns: bool) -> str | None:
    usual = norms(others, RateUnit.SYLLABLES)
    return description(turn, degrees(turn, usual), own_turns=own_turns)
