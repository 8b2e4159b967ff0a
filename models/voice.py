"""Emotion in the caller's voice: the protocol, and the small ONNX model that comes with us."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .audio.samples import resample, to_mono_float32
from .calibration import Calibration
from .errors import ModelFileError
from .logs import get_logger
from .onnx_session import open_session
from .readings import SAMPLE_RATE, EmotionReading, Samples, UnknownReason
from .registry import BUNDLED_VOICE, read_model

MIN_AUDIO_S = 0.3
MAX_WINDOW_S = 8.0
TIMELINE_WINDOW_S = 1.0
TIMELINE_STEP_S = 0.5
FORMAT = "deescalate-voice/2"
"""Samples in, and int8 products whose sums of two neighbours fit 16 bits."""
SAMPLES = "samples"
"""The input of a model: one turn, (samples,), at SAMPLE_RATE."""
LOGIT, FRAME_LOGITS = "logit", "course"
AFFECT = ("arousal", "valence")
"""Outputs of a model: one number each, except FRAME_LOGITS, the logit of every frame."""
FRAME_S = 0.02
SILENCE_PEAK = 1e-4  # -80 dBFS: below the dither of any telephone line

_Outputs: TypeAlias = dict[str, NDArray[np.float32]]


class EmotionClassifier(Protocol):
    """Anything that turns one caller turn into a reading.

    Called from worker threads, several at a time; must not keep state between turns.
    """

    @property
    def name(self) -> str:
        """Name and version, as it appears in readings."""

    def classify(self, audio: NDArray[np.generic], sample_rate: int) -> EmotionReading:
        """Read one turn: mono, shape (samples,), float in [-1, 1] or int16."""


@dataclass(frozen=True, slots=True)
class VoiceOutput:
    """What a model says of a turn, in the units of EmotionReading."""

    p_negative: float
    arousal: float | None = None
    valence: float | None = None
    timeline: tuple[float, ...] = ()


class OnnxEmotionClassifier:
    """A model file made by `deescalate model train`: samples in, logits out, calibration inside.

    A turn longer than 8 s is cut into equal windows of at most 8 s. It counts as negative if any
    window is; as each is equally likely to be the one, its likelihood ratio is the mean of
    theirs. Arousal and valence are means too. `failures` counts turns that the model could not
    read; the first is logged.

    Raises:
        ModelFileError: the file is missing or damaged, or is not such a model.
    """

    def __init__(self, path: str | Path) -> None:
        model = read_model(path)
        if (found := model.card.get("format")) != FORMAT:
            raise ModelFileError(path, f"is of the format {found}, not {FORMAT}: train it again")
        try:
            self._session = open_session(model.content, fits_16_bits=True)
            metadata = self._session.get_modelmeta().custom_metadata_map
            self._outputs = [output.name for output in self._session.get_outputs()]
            self.calibration = Calibration.from_json(metadata["calibration"])
            self.name = metadata["name"]
            self._run(np.zeros(SAMPLE_RATE, np.float32))[LOGIT]
        except Exception as error:  # onnxruntime raises its own kinds, none of them public
            raise ModelFileError(path, "is not a model made by `deescalate model train`") from error
        self.failures = 0

    def classify(self, audio: NDArray[np.generic], sample_rate: int) -> EmotionReading:
        """Read one turn: mono, shape (samples,), float in [-1, 1] or int16, any rate from 8 kHz.

        Raises:
            SamplesError: this is not mono audio of such a type, scale and rate.
        """
        return _read(audio, sample_rate, self.name, self._infer)

    def logits(self, audio: NDArray[np.generic], sample_rate: int) -> list[float]:
        """The model's output for each window of a turn before calibration; empty if it was not run.

        Raises:
            SamplesError: as `classify`.
        """
        samples = resample(to_mono_float32(audio), sample_rate, SAMPLE_RATE)
        if _why_unknown(samples):
            return []
        return [float(self._run(part)[LOGIT][0]) for part in _windows(samples)]

    def _infer(self, samples: Samples) -> VoiceOutput | None:
        try:
            return self._combined([self._run(window) for window in _windows(samples)])
        except Exception as error:  # noqa: BLE001 - whatever the model does, the call goes on
            self._count_failure(error)
            return None

    def _combined(self, windows: list[_Outputs]) -> VoiceOutput:
        """One answer from those of a turn's windows. Raises ArithmeticError for infinite ones."""
        if not all(np.isfinite(values).all() for window in windows for values in window.values()):
            raise ArithmeticError("the model's output is not finite")
        ratios = [self.calibration.log_likelihood_ratio(float(w[LOGIT][0])) for w in windows]
        llr = float(np.logaddexp.reduce(ratios) - math.log(len(ratios)))
        arousal, valence = (_coordinate(windows, name) for name in AFFECT)
        frames = [window[FRAME_LOGITS] for window in windows if FRAME_LOGITS in window]
        logits = _logits_over_time(np.concatenate(frames)) if frames else []
        timeline = tuple(map(self.calibration.probability, logits))
        return VoiceOutput(1.0 / (1.0 + math.exp(-llr)), arousal, valence, timeline)

    def _run(self, window: Samples) -> _Outputs:
        values = self._session.run(self._outputs, {SAMPLES: window})
        return dict(zip(self._outputs, values, strict=True))

    def _count_failure(self, error: Exception) -> None:
        self.failures += 1
        if self.failures == 1:
            get_logger("voice").error(
                "voice model failed; its readings are unknown", error=type(error).__name__
            )


def _windows(samples: Samples) -> list[Samples]:
    return np.array_split(samples, math.ceil(len(samples) / (MAX_WINDOW_S * SAMPLE_RATE)))


def _coordinate(windows: list[_Outputs], name: str) -> float | None:
    found = [float(window[name][0]) for window in windows if name in window]
    return min(1.0, max(-1.0, math.fsum(found) / len(found))) if found else None


def _logits_over_time(frames: NDArray[np.float32]) -> list[float]:
    """The average logit of each window of the timeline; a short turn is one window."""
    step, length = (round(s / FRAME_S) for s in (TIMELINE_STEP_S, TIMELINE_WINDOW_S))
    starts = range(0, max(1, len(frames) - length + 1), step)
    ends = [start + length for start in starts[:-1]] + [len(frames)]
    return [float(frames[start:end].mean()) for start, end in zip(starts, ends, strict=True)]


def read_windows(
    audio: NDArray[np.generic],
    sample_rate: int,
    model: str,
    probability: Callable[[Samples], float | None],
) -> EmotionReading:
    """A reading by any model: `probability` takes the turn at 16 kHz and returns None if it fails.

    It is not called for turns that are too short or silent.

    Raises:
        SamplesError: this is not mono audio of a usable type, scale and rate.
    """

    def infer(samples: Samples) -> VoiceOutput | None:
        p_negative = probability(samples)
        return None if p_negative is None else VoiceOutput(p_negative)

    return _read(audio, sample_rate, model, infer)


def _read(
    audio: NDArray[np.generic],
    sample_rate: int,
    model: str,
    infer: Callable[[Samples], VoiceOutput | None],
) -> EmotionReading:
    started = time.perf_counter()
    samples = resample(to_mono_float32(audio), sample_rate, SAMPLE_RATE)
    unknown = _why_unknown(samples)
    output = None if unknown else infer(samples)
    if unknown is None and output is None:
        unknown = UnknownReason.MODEL_FAILED
    return EmotionReading(
        p_negative=output.p_negative if output else None,
        model=model,
        audio_s=len(samples) / SAMPLE_RATE,
        inference_ms=(time.perf_counter() - started) * 1000.0,
        reason=unknown,
        arousal=output.arousal if output else None,
        valence=output.valence if output else None,
        timeline=output.timeline if output else (),
    )


def _why_unknown(samples: Samples) -> UnknownReason | None:
    if len(samples) < MIN_AUDIO_S * SAMPLE_RATE:
        return UnknownReason.TOO_SHORT
    return UnknownReason.SILENT if np.ptp(samples) < 2 * SILENCE_PEAK else None


def load_classifier(path: str | Path | None = None) -> EmotionClassifier:
    """The bundled model, or one of your own; loaded once per process and shared by all calls.

    Raises:
        ModelFileError: the file is missing, damaged (its SHA-256 is checked) or of another kind.
    """
    return _load(Path(path) if path is not None else BUNDLED_VOICE)


@lru_cache(maxsize=4)
def _load(path: Path) -> OnnxEmotionClassifier:
    return OnnxEmotionClassifier(path)
