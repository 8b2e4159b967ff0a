"""An audio language model asked about a turn: P(negative) from its two answers' first tokens.

One forward pass, nothing is generated: the probability of the token that begins "negative", against
that of the one that begins "non-negative". Seconds a turn on a CPU, so for evaluation only.
"""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoModelForMultimodalLM, AutoProcessor

from ..audio import resample
from ..classifier import read_turn
from ..errors import ModelFileError
from ..features import SAMPLE_RATE
from ..types import EmotionReading, Samples

PROMPT = (
    "This is one turn of a caller on the phone. Negative means that the caller sounds angry,"
    " disgusted, frustrated, irritated or dissatisfied; sadness, fear, joy and calm are"
    " non-negative. How does the caller sound? Answer with one word: negative or non-negative."
)
ANSWERS = ("negative", "non-negative")
_WINDOW_S = 30.0
"""What such models hear at most; of a longer turn the end is read."""

_log = logging.getLogger(__name__)


class AudioLanguageModel:
    """An audio language model of the Qwen2-Audio kind, by name or folder.

    Nothing is downloaded unless `download` is true, and no code that comes with a model is run
    unless `trust_remote_code` is.
    """

    def __init__(
        self,
        model: str | Path,
        *,
        prompt: str = PROMPT,
        answers: tuple[str, str] = ANSWERS,
        download: bool = False,
        trust_remote_code: bool = False,
    ) -> None:
        """Load a model; `answers` are the negative one and the other.

        Raises:
            ModelFileError: if it cannot be loaded, or both answers begin with the same token.
        """
        options = {"local_files_only": not download, "trust_remote_code": trust_remote_code}
        try:
            self._processor = AutoProcessor.from_pretrained(  # type: ignore[no-untyped-call]  # theirs
                model, **options
            )
            network = AutoModelForMultimodalLM.from_pretrained(model, dtype="auto", **options)
        except (OSError, ValueError, ImportError) as error:
            raise ModelFileError(model, f"cannot be loaded ({error})") from error
        self._model = network.eval()
        self.name = str(model)
        self._rate = self._processor.feature_extractor.sampling_rate
        encode = self._processor.tokenizer.encode
        self._tokens = [encode(answer, add_special_tokens=False)[0] for answer in answers]
        if self._tokens[0] == self._tokens[1]:
            raise ModelFileError(model, f"begins {answers[0]!r} and {answers[1]!r} alike")
        turn = {"type": "audio", "audio_url": "turn"}, {"type": "text", "text": prompt}
        self._text = self._processor.apply_chat_template(
            [{"role": "user", "content": list(turn)}], add_generation_prompt=True, tokenize=False
        )

    def classify(self, audio: NDArray[np.generic], sample_rate: int) -> EmotionReading:
        """Read one turn; one that cannot be heard, or a fault of the model, is unknown."""
        return read_turn(audio, sample_rate, self.name, self._probability)

    def _probability(self, samples: Samples) -> float | None:
        heard = resample(samples[-int(_WINDOW_S * SAMPLE_RATE) :], SAMPLE_RATE, self._rate)
        inputs = self._processor(
            text=[self._text], audio=[heard], sampling_rate=self._rate, return_tensors="pt"
        )
        try:
            with torch.inference_mode():
                logits = self._model(**inputs, logits_to_keep=1).logits[0, -1].float()
        except (RuntimeError, ValueError, IndexError):
            _log.exception("audio language model failed")
            return None
        value = float(torch.softmax(logits[self._tokens], dim=-1)[0])
        return value if np.isfinite(value) else None
