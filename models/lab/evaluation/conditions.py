"""Line conditions: the robustness rows of an evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import numpy as np

from ...readings import Samples
from ..channel_effects import mu_law, noisy, telephone, without_packets
from ..datasets import Clip

NOISE_DB = 10.0
LOST_SHARE = 0.05
_SEED = 2026


class Condition(StrEnum):
    """The line between clip and model; 8 kHz in all but the first."""

    CLEAN = "as recorded, 16 kHz"
    TELEPHONE = "8 kHz line"
    MU_LAW = "8 kHz line, mu-law"
    NOISE = "8 kHz line, noise at 10 dB"
    PACKET_LOSS = "8 kHz line, 5 % of packets lost"


def under(condition: Condition, samples: Samples, clip: Clip, noises: Sequence[Samples]) -> Samples:
    """Return the clip under a condition, mono at 16 kHz; deterministic per clip.

    `noises` are needed for the noise condition only.
    """
    rng = np.random.default_rng([_SEED, clip.key])
    match condition:
        case Condition.CLEAN:
            return samples
        case Condition.TELEPHONE:
            return telephone(samples)
        case Condition.MU_LAW:
            return mu_law(telephone(samples))
        case Condition.NOISE:
            noise = noises[int(rng.integers(len(noises)))]
            return telephone(noisy(samples, noise, NOISE_DB, rng))
        case Condition.PACKET_LOSS:
            return without_packets(telephone(samples), LOST_SHARE, rng)
