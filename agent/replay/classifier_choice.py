"""Which classifier a command measures: a model file, or a Hugging Face model by name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ...models.errors import DeescalateError
from ...models.voice import EmotionClassifier, load_classifier
from ..console import require_extra


class ClassifierChoiceError(DeescalateError):
    """More than one classifier was named, or an option that belongs to another one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassifierChoice:
    """At most one of a model file, an audio-classification model and an audio language model.

    A Hugging Face model is downloaded unless it is a folder or in the cache. `negative_labels`
    belong to `hf`, `answers` and `prompt` to `audio_lm`.

    Raises:
        ClassifierChoiceError: two are named, or an option that belongs to another one.
    """

    model: Path | None = None
    hf: str | None = None
    audio_lm: str | None = None
    negative_labels: tuple[str, ...] = ()
    prompt: str | None = None
    answers: str | None = None
    trust_remote_code: bool = False

    def __post_init__(self) -> None:
        if sum(one is not None for one in (self.model, self.hf, self.audio_lm)) > 1:
            raise ClassifierChoiceError("name one of --model, --hf and --audio-lm")
        if self.negative_labels and self.hf is None:
            raise ClassifierChoiceError("--negative-label names a label of the model of --hf")
        if (self.prompt or self.answers) and self.audio_lm is None:
            raise ClassifierChoiceError("--prompt and --answers belong to --audio-lm")
        if self.trust_remote_code and self.is_a_file:
            raise ClassifierChoiceError("--trust-remote-code is for --hf and --audio-lm")

    @property
    def is_a_file(self) -> bool:
        """Whether it is one of this project's model files, including the bundled one."""
        return self.hf is None and self.audio_lm is None


def choose_classifier(choice: ClassifierChoice) -> EmotionClassifier:
    """Load the chosen classifier.

    Raises:
        MissingExtraError: it needs the extra `hf`.
        ModelFileError: it cannot be loaded, or lacks the named labels.
    """
    if choice.is_a_file:
        return load_classifier(choice.model)
    require_extra("hf", "torch", "transformers")
    if choice.hf is not None:
        from ...models.voice_hf import HuggingFaceVoiceClassifier  # noqa: PLC0415 - needs torch

        return HuggingFaceVoiceClassifier(
            choice.hf,
            choice.negative_labels or None,
            download=True,
            trust_remote_code=choice.trust_remote_code,
        )
    from ...models.lab.audio_lm import (  # noqa: PLC0415 - needs torch
        ANSWERS,
        PROMPT,
        AudioLanguageModel,
    )

    assert choice.audio_lm is not None
    return AudioLanguageModel(
        choice.audio_lm,
        prompt=choice.prompt or PROMPT,
        answers=_two(choice.answers) if choice.answers else ANSWERS,
        download=True,
        trust_remote_code=choice.trust_remote_code,
    )


def _two(answers: str) -> tuple[str, str]:
    negative, comma, other = answers.partition(",")
    if not comma or not negative.strip() or not other.strip():
        raise ClassifierChoiceError("--answers are two, such as negative,non-negative")
    return negative.strip(), other.strip()
