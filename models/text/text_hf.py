"""A Hugging Face text classifier behind the text-classifier protocol (extra `hf`)."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from ..errors import ModelFileError
from ..hugging_face import LOADING_FAULTS
from ..logs import get_logger
from ..readings import WordReading
from .cues import find_cues, languages_spoken, readable

_MAX_TOKENS = 256


class HuggingFaceTextClassifier:
    """Any text-classification model: P(negative) is the share of the labels named negative.

    The probability is the model's own, not calibrated to even odds. Cues are those of the language
    files. Nothing is downloaded unless `download` is true.
    """

    def __init__(
        self,
        model: str | Path,
        negative_labels: Iterable[str],
        *,
        languages: Iterable[str] = ("en",),
        download: bool = False,
    ) -> None:
        """Load a model by name or folder.

        Raises:
            ModelFileError: if it cannot be loaded, or has no label of one of these names.
        """
        try:
            self._tokenizer = AutoTokenizer.from_pretrained(model, local_files_only=not download)
            self._model = AutoModelForSequenceClassification.from_pretrained(
                model, local_files_only=not download
            ).eval()
        except LOADING_FAULTS as error:
            raise ModelFileError(model, f"cannot be loaded ({error})") from error
        wanted = {label.casefold() for label in negative_labels}
        labels = {name.casefold(): int(i) for i, name in self._model.config.id2label.items()}
        if not wanted or not wanted <= labels.keys():
            raise ModelFileError(
                model, f"has the labels {sorted(labels)}, not all of {sorted(wanted)}"
            )
        self._negative = [labels[name] for name in wanted]
        self._independent = self._model.config.problem_type == "multi_label_classification"
        self._languages = frozenset(languages)

    def classify(
        self, text: str | None, language: str = "en", *, prompt: str | None = None
    ) -> WordReading:
        """Read one turn; if the model fails there is no probability, but still the cues."""
        turn = readable(text)
        if not any(map(str.isalnum, turn)):
            return WordReading(None)
        codes = (code.casefold().partition("-")[0] for code in languages_spoken(turn, language))
        known = not self._languages.isdisjoint(codes)
        cues = find_cues(turn, language, prompt=prompt)
        return WordReading(self._probability(turn) if known else None, cues)

    def _probability(self, turn: str) -> float | None:
        inputs = self._tokenizer(turn, truncation=True, max_length=_MAX_TOKENS, return_tensors="pt")
        try:
            with torch.inference_mode():
                logits = self._model(**inputs).logits[0]
        except (RuntimeError, IndexError) as error:
            get_logger("words").error("text model failed", error=type(error).__name__)
            return None
        if self._independent:
            value = torch.sigmoid(logits[self._negative]).max()
        else:
            value = torch.softmax(logits, dim=-1)[self._negative].sum()
        return float(value)
