"""The public API as users write it; mypy reads this file, nothing runs it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipecat_deescalate import (
    CallRecord,
    DeescalateError,
    Deescalator,
    EmotionReading,
    MitigationPolicy,
    WordReading,
    analyze_call,
    load_classifier,
    load_policy,
    load_word_classifier,
)
from pipecat_deescalate.policies.transfer import TwilioTransfer


class OwnClassifier:
    """A classifier of one's own."""

    name = "own"

    def classify(self, audio: NDArray[np.generic], sample_rate: int) -> EmotionReading:
        """Always calm."""
        return EmotionReading(0.1, self.name, len(audio) / sample_rate, inference_ms=0.1)


def analyse(path: Path, samples: NDArray[np.float32]) -> list[CallRecord]:
    """A recording in each form."""
    with path.open("rb") as file:
        return [
            analyze_call("call.wav"),
            analyze_call(path, policy="gentle", caller_channel="left"),
            analyze_call(path.read_bytes(), classifier=OwnClassifier()),
            analyze_call(file, call_id="CA1", transcript=path.with_suffix(".jsonl")),
            analyze_call(samples, sample_rate=8_000, words=load_word_classifier()),
        ]


def read(record: CallRecord) -> tuple[float | None, str, dict[str, Any]]:
    """What a record holds."""
    again = CallRecord.from_dict(record.to_dict())
    reading = again.turns[0].reading
    words: WordReading | None = reading.words
    p: float | None = reading.voice.p_negative if words is None else words.p_negative
    return p, again.turns[0].decision.action.value, record.to_dict()


def guard(call_id: str) -> Deescalator:
    """A live call."""
    policy: MitigationPolicy = load_policy("balanced").model_copy(update={"memory": 0.7})
    try:
        return Deescalator(
            policy, load_classifier(), TwilioTransfer(to="+15550100"), call_id=call_id
        )
    except DeescalateError:
        return Deescalator("balanced", keep_text=True, language="de")
