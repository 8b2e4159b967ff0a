"""Silero VAD over recorded audio: the model that Pipecat ships, run the way Pipecat runs it.

Pipecat's own analyzer takes bytes and runs in an event loop; at a hundred times real time that
overhead costs as much as the model. A test compares the two.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import onnxruntime as ort

from ...models.onnx_session import open_session
from ...models.readings import Samples
from ...models.registry import shipped_with_pipecat

SAMPLE_RATE = 16_000
WINDOW_MS = 32
WINDOW = SAMPLE_RATE * WINDOW_MS // 1000
_CONTEXT = 64
_RESET_AFTER_WINDOWS = 63  # the first window count of 2 s or more
_RESET_BELOW = 0.1
_RESET_LOW_WINDOWS = 5


class SileroVad:
    """Scores consecutive windows of `WINDOW_MS`: the confidence that each is speech.

    Raises:
        ModelFileError: the installed pipecat-ai does not hold the model.
    """

    def __init__(self) -> None:
        self._session = _shared_session()
        self._state = np.zeros((2, 1, 128), np.float32)
        self._windows = self._low_windows = 0
        self._rate = np.array(SAMPLE_RATE, np.int64)
        self._input = np.zeros((1, _CONTEXT + WINDOW), np.float32)

    def confidence(self, window: Samples, *, quiet: bool) -> float:
        """Score the next window, shape (512,) at 16 kHz; `quiet` if nobody is speaking.

        Non-speech slowly desensitises the recurrent model, so its state is reset about every two
        seconds while it is quiet and the last windows were clearly not speech (as Pipecat does).
        """
        self._input[0, :_CONTEXT] = self._input[0, -_CONTEXT:]
        self._input[0, _CONTEXT:] = window
        output, self._state = self._session.run(
            None, {"input": self._input, "state": self._state, "sr": self._rate}
        )
        confidence: float = output.item()
        self._windows += 1
        self._low_windows = self._low_windows + 1 if confidence < _RESET_BELOW else 0
        due = self._windows >= _RESET_AFTER_WINDOWS and self._low_windows >= _RESET_LOW_WINDOWS
        if due and quiet:
            self._reset()
        return confidence

    def _reset(self) -> None:
        self._state = np.zeros_like(self._state)
        self._input[:] = 0.0
        self._windows = 0


@cache
def _shared_session() -> ort.InferenceSession:
    """One session per process: opening it takes as long as half a minute of audio."""
    return open_session(shipped_with_pipecat("audio/vad/data/silero_vad.onnx"))
