"""An audio language model as a classifier: P(negative) from the first tokens of its two answers.

One forward pass without generation: the probability of the token that begins "negative" against
that of the token that begins "non-negative". It takes seconds per turn on a CPU; live use needs a
GPU.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..audio.samples import resample
from ..errors import ModelFileError
from ..logs import get_logger
from ..readings import SAMPLE_RATE, EmotionReading, Samples
from ..voice import read_windows
from .audio_lm_files import load_network, load_processor
from .last_logits import last_logits

_TASK = (
    "This is one turn of a caller on the phone. Negative means that the caller sounds angry,"
    " disgusted, frustrated, irritated or dissatisfied; sadness, fear, joy and calm are"
    " non-negative. How does the caller sound? "
)
PROMPT = f"{_TASK}Answer with one word: negative or non-negative."
REASONING_PROMPT = (
    f"{_TASK}First say how high, how loud and how fast, then answer: negative or non-negative."
)
ANSWERS = ("negative", "non-negative")
_WINDOW_S = 30.0
"""The most audio such a model takes; longer turns keep only their end."""


@dataclass(frozen=True, slots=True)
class LabelAnswer:
    """The text of a question and its answer, and the answer's tokens, end of turn included."""

    text: str
    tokens: tuple[int, ...]


class AudioLm:
    """An audio language model of the Qwen2-Audio kind, by name or folder, with its prompt.

    A folder may hold LoRA weights alone, as `model train teacher` writes them; their base model is
    loaded too. `network` is on the GPU if there is one. Nothing is downloaded unless
    `download` is true, and code that comes with a model runs only if `trust_remote_code` is.
    """

    def __init__(
        self,
        model: str | Path,
        *,
        prompt: str = PROMPT,
        answers: tuple[str, str] = ANSWERS,
        dtype: str = "auto",
        download: bool = False,
        trust_remote_code: bool = False,
    ) -> None:
        """Load a model; `answers` are (negative, non-negative), `dtype` is torch's name for it.

        Raises:
            ModelFileError: it cannot be loaded, or both answers begin with the same token.
        """
        options = {"local_files_only": not download, "trust_remote_code": trust_remote_code}
        self.name = str(model)
        self.processor = load_processor(model, **options)
        self.network = load_network(model, dtype=dtype, **options).eval()
        if torch.cuda.is_available():
            self.network.to("cuda")
        self._rate = self.processor.feature_extractor.sampling_rate
        self._labels = answers
        self._question = self._chat(prompt)
        self._answers = [self._answer(prompt, answer) for answer in answers]
        self._first_tokens = [answer.tokens[0] for answer in self._answers]
        if self._first_tokens[0] == self._first_tokens[1]:
            raise ModelFileError(model, f"begins {answers[0]!r} and {answers[1]!r} alike")

    def answer(self, negative: bool, reasoning: str | None = None) -> LabelAnswer:
        """One of the two answers; with `reasoning` first, to the question that asks for it."""
        label = 0 if negative else 1
        if reasoning is None:
            return self._answers[label]
        return self._answer(REASONING_PROMPT, f"{reasoning} {self._labels[label]}")

    def inputs(self, turns: Sequence[Samples], answers: Sequence[LabelAnswer] | None = None) -> Any:
        """The network's inputs for turns at 16 kHz, with their answers if given.

        Padded on the left, so that the answers end where the inputs do.
        """
        last = -int(_WINDOW_S * SAMPLE_RATE)
        inputs = self.processor(
            text=[answer.text for answer in answers or ()] or [self._question] * len(turns),
            audio=[resample(turn[last:], SAMPLE_RATE, self._rate) for turn in turns],
            sampling_rate=self._rate,
            return_tensors="pt",
            padding=True,
            padding_side="left",
        )
        return inputs.to(self.network.device)

    def answer_logits(
        self, turns: Sequence[Samples], answers: Sequence[LabelAnswer]
    ) -> list[Tensor]:
        """The logits that predict each turn's answer, (answer tokens, vocabulary) each."""
        lengths = [len(answer.tokens) for answer in answers]
        logits = last_logits(self.network, max(lengths) + 1, **self.inputs(turns, answers))
        return [row[-length - 1 : -1] for row, length in zip(logits, lengths, strict=True)]

    def p_negative(self, turns: Sequence[Samples]) -> list[float]:
        """P(negative) of each turn; NaN where the model's output is not finite."""
        with torch.inference_mode():
            logits = last_logits(self.network, 1, **self.inputs(turns))[:, -1].float()
        share: list[float] = torch.softmax(logits[:, self._first_tokens], dim=-1)[:, 0].tolist()
        return share

    def _chat(self, prompt: str, answer: str | None = None) -> str:
        """The question in the model's own chat template, with a placeholder for the audio."""
        place = self.processor.audio_token
        listed = [{"type": "audio", "audio_url": "turn"}, {"type": "text", "text": prompt}]
        text = self._rendered(listed, answer)
        if place not in text:  # the template of a text-only language model
            text = self._rendered(f"{place}\n{prompt}", answer)
        return text

    def _rendered(self, content: str | list[dict[str, str]], answer: str | None) -> str:
        messages: list[dict[str, Any]] = [{"role": "user", "content": content}]
        if answer is not None:
            messages.append({"role": "assistant", "content": answer})
        text: str = self.processor.apply_chat_template(
            messages, add_generation_prompt=answer is None, tokenize=False
        )
        return text

    def _answer(self, prompt: str, answer: str) -> LabelAnswer:
        """An answer as the chat template ends it; bare if the template changes the question."""
        question, chat = self._chat(prompt), self._chat(prompt, answer)
        if chat.startswith(question):
            answer = chat.removeprefix(question).rstrip()
        tokens = self.processor.tokenizer.encode(answer, add_special_tokens=False)
        return LabelAnswer(question + answer, tuple(tokens))


class AudioLanguageModel:
    """An audio language model behind the classifier protocol; the arguments are `AudioLm`'s."""

    def __init__(self, model: str | Path, **options: Any) -> None:
        """Load a model.

        Raises:
            ModelFileError: it cannot be loaded, or both answers begin with the same token.
        """
        self._model = AudioLm(model, **options)
        self.name = self._model.name

    def classify(self, audio: NDArray[np.generic], sample_rate: int) -> EmotionReading:
        """Classify one turn; unclassifiable audio, or a fault of the model, is unknown."""
        return read_windows(audio, sample_rate, self.name, self._probability)

    def _probability(self, samples: Samples) -> float | None:
        try:
            (value,) = self._model.p_negative([samples])
        except (RuntimeError, ValueError, IndexError) as error:
            get_logger("voice").error("audio language model failed", error=type(error).__name__)
            return None
        return value if np.isfinite(value) else None
