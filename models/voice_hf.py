"""A Hugging Face audio-classification model behind the classifier protocol (extra `hf`)."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoFeatureExtractor, AutoModelForAudioClassification

from .audio.samples import resample
from .errors import ModelFileError
from .hugging_face import LOADING_FAULTS
from .logs import get_logger
from .readings import SAMPLE_RATE, EmotionReading, Samples
from .voice import read_windows

NEGATIVE_LABELS = frozenset(
    {
        *("ang", "anger", "angry", "annoyance", "annoyed", "dis", "disgust", "disgusted"),
        *("dissatisfaction", "dissatisfied", "fru", "frustrated", "frustration"),
        *("irritated", "irritation", "neg", "negative"),
    }
)
"""Labels that are taken for negative, in any case, where the user names none."""


class HuggingFaceVoiceClassifier:
    """Any audio-classification model: P(negative) is the share of its negative labels.

    The probability is the model's own, not calibrated to even odds. It downloads nothing unless
    `download` is true, and runs no code that comes with a model unless `trust_remote_code` is.
    """

    def __init__(
        self,
        model: str | Path,
        negative_labels: Iterable[str] | None = None,
        *,
        download: bool = False,
        trust_remote_code: bool = False,
    ) -> None:
        """Load a model by name or folder; without `negative_labels` they are found by their names.

        Raises:
            ModelFileError: if it cannot be loaded, was not trained to classify, or has no label of
                one of these names.
        """
        options = {"local_files_only": not download, "trust_remote_code": trust_remote_code}
        try:
            self._features = AutoFeatureExtractor.from_pretrained(  # type: ignore[no-untyped-call]  # theirs
                model, **options
            )
            network, found = AutoModelForAudioClassification.from_pretrained(
                model, output_loading_info=True, **options
            )
        except LOADING_FAULTS as error:
            raise ModelFileError(model, f"cannot be loaded ({error})") from error
        encoder = f"{network.base_model_prefix}."
        if head := sorted(key for key in found["missing_keys"] if not key.startswith(encoder)):
            raise ModelFileError(model, f"was not trained to classify: it has no {head[0]}")
        self._model = network.eval()
        self.name = str(model)
        labels = {name.casefold(): int(i) for i, name in network.config.id2label.items()}
        self._negative = _negative(model, labels, negative_labels)
        self._independent = network.config.problem_type == "multi_label_classification"

    def classify(self, audio: NDArray[np.generic], sample_rate: int) -> EmotionReading:
        """Read one turn; a turn without audible speech, or a fault of the model, is unknown."""
        return read_windows(audio, sample_rate, self.name, self._probability)

    def _probability(self, samples: Samples) -> float | None:
        rate = self._features.sampling_rate
        audio = resample(samples, SAMPLE_RATE, rate)
        inputs = self._features(audio, sampling_rate=rate, return_tensors="pt")
        try:
            with torch.inference_mode():
                logits = self._model(**inputs).logits[0].float()
        except (RuntimeError, ValueError, IndexError) as error:
            get_logger("voice").error("voice model failed", error=type(error).__name__)
            return None
        if self._independent:
            value = float(torch.sigmoid(logits[self._negative]).max())
        else:
            value = float(torch.softmax(logits, dim=-1)[self._negative].sum())
        return min(value, 1.0) if np.isfinite(value) else None


def _negative(model: str | Path, labels: dict[str, int], named: Iterable[str] | None) -> list[int]:
    """The indices of the negative labels. Raises ModelFileError, listing the model's labels."""
    wanted = {name.casefold() for name in named} if named else NEGATIVE_LABELS & labels.keys()
    if not wanted or not wanted <= labels.keys():
        lacking = f"not all of {sorted(wanted)}" if wanted else "none known as negative: name them"
        raise ModelFileError(model, f"has the labels {sorted(labels)}, {lacking}")
    if len(wanted) == len(labels):
        raise ModelFileError(model, f"has the labels {sorted(labels)}, and all are negative")
    return [labels[name] for name in sorted(wanted)]
