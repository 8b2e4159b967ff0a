"""Reasoning before the label: a teacher describes how a turn sounds, less and less often.

As in C²SER (Zhao et al., arXiv:2502.18186): a model that first describes the sound learns what to
attend to. The descriptions are then phased out, so that it answers with the label alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...audio.attributes import Attributes, RateUnit, degrees, description, measure, norms
from ...audio.recording import read_audio
from ...progress import Progress
from ...readings import SAMPLE_RATE
from ..datasets import Clip
from .lm_recipes import Against

_NOTHING = "Pitch, loudness and pace cannot be compared."


@dataclass(frozen=True, slots=True)
class Reasoning:
    """The description of each turn, and its place, from 0 to 1, in the order of phasing out."""

    texts: tuple[str, ...]
    places: NDArray[np.float64]

    def said(self, turn: int, done: float) -> str | None:
        """Return a turn's description when this share of the run is done; None: the label alone.

        All turns have one at 0, none at 1, and a linearly falling share in between.
        """
        return self.texts[turn] if self.places[turn] < 1 - done else None


def reason(clips: Sequence[Clip], against: Against, seed: int, progress: Progress) -> Reasoning:
    """Describe how each turn compares with all turns, or with the same caller's.

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
        text = _describe(turn, others, own_turns=True)
        texts.append(text or _describe(turn, measured, own_turns=False) or _NOTHING)
    order = np.random.default_rng(seed).permutation(len(clips))
    return Reasoning(tuple(texts), order / len(clips))


def _describe(turn: Attributes, others: Sequence[Attributes], *, own_turns: bool) -> str | None:
    usual = norms(others, RateUnit.SYLLABLES)
    return description(turn, degrees(turn, usual), own_turns=own_turns)
