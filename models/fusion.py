"""Voice, words and the history of the call as one piece of evidence.

Each source gives a log-likelihood ratio; the sources of a turn add, each with a weight that
`deescalate model train fusion` fitted on held-out turns (weights below 1 make up for sources that
partly say the same thing). A missing source adds nothing.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Self

from .errors import ModelFileError
from .readings import Cue, EmotionReading, WordReading
from .registry import WEIGHTS

WHOLE_TURN_S = 1.0
"""Of less speech the voice counts for a share: of calm words of 0.3 s, one in five sounds angry."""

CALM_WORDS_NATS = -0.9
"""The least that words say: calm words are those of 99 in 100 calm turns, and of 42 in 100 angry
ones. An angry voice may say "no", or a number."""


@dataclass(frozen=True, slots=True)
class FusionWeights:
    """How much each source counts: factors for voice and words, nats for each cue."""

    voice: float = 1.0
    words: float = 1.0
    cues: Mapping[Cue, float] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Take the weights from a model card; raises KeyError or ValueError for another form."""
        cues = {Cue[name.upper()]: float(nats) for name, nats in values["cues"].items()}
        weights = cls(float(values["voice"]), float(values["words"]), cues)
        if not all(map(math.isfinite, (weights.voice, weights.words, *cues.values()))):
            raise ValueError("weights must be finite")
        return weights


@cache
def bundled_weights() -> FusionWeights:
    """The weights that come with the bundled models.

    Raises:
        ModelFileError: the file is missing or damaged.
    """
    path = WEIGHTS / "fusion.json"
    try:
        return FusionWeights.from_dict(json.loads(path.read_text(encoding="utf-8"))["weights"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelFileError(path, "is not a file of fusion weights") from error


def fuse(
    voice: EmotionReading | None,
    words: WordReading | None,
    conversation: Sequence[tuple[Cue, str]] = (),
    weights: FusionWeights | None = None,
    *,
    duration_s: float = WHOLE_TURN_S,
) -> float | None:
    """The log-likelihood ratio of a turn this long, in nats; None when no source says anything."""
    weights = weights or bundled_weights()
    spoken = voice.log_likelihood_ratio if voice is not None else None
    written = words.log_likelihood_ratio if words is not None else None
    cues = [*(words.cues if words is not None else ()), *conversation]
    parts = [weights.cues.get(cue, 0.0) for cue, _ in cues]
    if spoken is not None:
        parts.append(weights.voice * spoken * min(1.0, duration_s / WHOLE_TURN_S))
    if written is not None:
        parts.append(weights.words * max(written, CALM_WORDS_NATS))
    return sum(parts) if parts else None
