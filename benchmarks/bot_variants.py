"""The guards that a benchmarked bot may have; only bots with a guard pay for the import.

Imports public names alone, so that the same bot runs with older checkouts.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from pipecat_deescalate import (
    Deescalator,
    EmotionClassifier,
    EmotionReading,
    load_classifier,
    load_policy,
)

HANGS_S = 5.0


class _Crashing:
    name = "crashing"

    def classify(self, audio: NDArray[np.generic], sample_rate: int) -> EmotionReading:
        raise RuntimeError("as on every turn")


class _Hanging:
    name = "hanging"

    def classify(self, audio: NDArray[np.generic], sample_rate: int) -> EmotionReading:
        time.sleep(HANGS_S)
        return EmotionReading(0.5, self.name, len(audio) / sample_rate, HANGS_S * 1000.0)


class _Angry:
    name = "angry"

    def classify(self, audio: NDArray[np.generic], sample_rate: int) -> EmotionReading:
        return EmotionReading(0.95, self.name, len(audio) / sample_rate, 0.0)


_MODELS: dict[str, Callable[[], EmotionClassifier]] = {
    "crashing": _Crashing,
    "hanging": _Hanging,
    "angry": _Angry,
}


def guard(model: str, call_id: str, twilio: str | None) -> Deescalator:
    """A guard with the bundled model, or with one that crashes, hangs, or always reads anger.

    `twilio` is the address of a REST API that hands calls over; the angry guard does so after the
    first turn.
    """
    policy = load_policy("balanced")
    if model == _Angry.name:
        policy = load_policy("eager").model_copy(
            update={"expected_negative_rate": 0.5, "transfer_after": 1, "max_turn_evidence": 10.0}
        )
    target = None
    if twilio is not None:
        from pipecat_deescalate.policies.transfer import (  # noqa: PLC0415 - older ones lack it
            TwilioTransfer,
        )

        target = TwilioTransfer(
            to="+15550100",
            account_sid="AC1",
            auth_token="x",  # noqa: S106 - nobody's
            base_url=twilio,
        )
    classifier = _MODELS.get(model, load_classifier)()
    return Deescalator(policy, classifier, target, call_id=call_id)
