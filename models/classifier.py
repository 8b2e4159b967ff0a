"""What the caller's voice says: the protocol, and the small ONNX model that comes with us."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import numpy as np
import structlog
from numpy.typing import NDArray

from .audio import resample, to_mono_float32
from .calibration import Calibration
from .errors import ModelFileError
from .features import SAMPLE_RATE, log_mel
from .registry import BUNDLED_VOICE, read_model
from .session import open_session
from .types import EmotionReading, Samples, Unknown

MIN_AUDIO_S = 0.3
MAX_WINDOW_S = 8.0
SILENCE_PEAK = 1e-4  # -80 dBFS: below the dither of any telephone line

log = structlog.wrap_logger(logging.getLogger("pipecat_deescalate.classifier"))


class EmotionClassifier(Protocol):
    """Anything that turns one caller turn into a reading.

    Called from worker threads, several at a time; must not keep state between turns.
    """

    @property
    def name(self) -> str:
        """Name and version, as it appears in readings."""

    def classify(self, audio: NDArray[np.generic], sample_rate: int) -> EmotionReading:
        """Read one turn: mono, shape (samples,), float in [-1, 1] or int16."""


class OnnxEmotionClassifier:
    """A model file made by `deescalate train`: log-mel in, logit out, calibration inside.

    A turn longer than 8 s is cut into equal windows of at most 8 s. It counts as negative if any
    one of them is, each being equally likely beforehand, so its likelihood ratio is the mean of
    theirs. `failures` counts turns that the model could not read; the first is logged.

    Raises:
        ModelFileError: the file is missing or damaged, or is not such a model.
    """

    def __init__(self, path: str | Path) -> None:
        model = read_model(path)
        try:
            self._session = open_session(model.content)
            metadata = self._session.get_modelmeta().custom_metadata_map
            self.calibration = Calibration.from_json(metadata["calibration"])
            self.name = metadata["name"]
        except Exception as error:  # onnxruntime raises its own kinds, none of them public
            raise ModelFileError(path, "is not a model made by `deescalate train`") from error
        self.failures = 0
        self._logit(np.zeros(SAMPLE_RATE, np.float32))

    def classify(self, audio: NDArray[np.generic], sample_rate: int) -> EmotionReading:
        """Read one turn: mono, shape (samples,), float in [-1, 1] or int16, any rate from 8 kHz.

        Raises:
            SamplesError: this is not mono audio of such a type, scale and rate.
        """
        return read_turn(audio, sample_rate, self.name, self._probability)

    def logits(self, audio: NDArray[np.generic], sample_rate: int) -> list[float]:
        """The model's output for each window of a turn before calibration; none if not heard.

        Raises:
            SamplesError: as `classify`.
        """
        samples = resample(to_mono_float32(audio), sample_rate, SAMPLE_RATE)
        return [] if _why_unheard(samples) else [self._logit(part) for part in _windows(samples)]

    def _probability(self, samples: Samples) -> float | None:
        try:
            logits = [self._logit(window) for window in _windows(samples)]
            if not all(map(math.isfinite, logits)):
                raise ArithmeticError("the model's output is not finite")
            ratios = [self.calibration.log_likelihood_ratio(logit) for logit in logits]
            llr = float(np.logaddexp.reduce(ratios) - math.log(len(ratios)))
        except Exception as error:  # noqa: BLE001 - whatever the model does, the call goes on
            self._count_failure(error)
            return None
        return 1.0 / (1.0 + math.exp(-llr))

    def _logit(self, window: Samples) -> float:
        (logit,) = self._session.run(["logit"], {"log_mel": log_mel(window)[np.newaxis]})
        return float(logit[0])

    def _count_failure(self, error: Exception) -> None:
        self.failures += 1
        if self.failures == 1:
            log.error("voice model failed, its readings are unknown", error=repr(error))


def _windows(samples: Samples) -> list[Samples]:
    return np.array_split(samples, math.ceil(len(samples) / (MAX_WINDOW_S * SAMPLE_RATE)))


def read_turn(
    audio: NDArray[np.generic],
    sample_rate: int,
    model: str,
    probability: Callable[[Samples], float | None],
) -> EmotionReading:
    """A reading by any model: `probability` takes the turn at 16 kHz, and gives None if it fails.

    It is not asked about a turn in which nothing can be heard.

    Raises:
        SamplesError: this is not mono audio of a usable type, scale and rate.
    """
    started = time.perf_counter()
    samples = resample(to_mono_float32(audio), sample_rate, SAMPLE_RATE)
    unknown = _why_unheard(samples)
    p_negative = None if unknown else probability(samples)
    if unknown is None and p_negative is None:
        unknown = Unknown.MODEL_FAILED
    return EmotionReading(
        p_negative=p_negative,
        model=model,
        audio_s=len(samples) / SAMPLE_RATE,
        inference_ms=(time.perf_counter() - started) * 1000.0,
        reason=unknown,
    )


def _why_unheard(samples: Samples) -> Unknown | None:
    if len(samples) < MIN_AUDIO_S * SAMPLE_RATE:
        return Unknown.TOO_SHORT
    return Unknown.SILENT if np.ptp(samples) < 2 * SILENCE_PEAK else None


def load_classifier(path: str | Path | None = None) -> EmotionClassifier:
    """The bundled model, or one of your own; loaded once a process and shared by all calls.

    Raises:
        ModelFileError: the file is missing, damaged (its SHA-256 is checked) or of another kind.
    """
    return _load(Path(path) if path is not None else BUNDLED_VOICE)


@lru_cache(maxsize=4)
def _load(path: Path) -> OnnxEmotionClassifier:
    return OnnxEmotionClassifier(path)
