"""Times single inferences in a process of its own, of the package in any folder.

So this module imports nothing of the package until a function is called.
"""

from __future__ import annotations

import sys
import time
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipecat_deescalate import EmotionClassifier


def import_from(folder: Path | None) -> None:
    """Import `pipecat_deescalate` from this folder; None for the installed one."""
    if folder is not None:
        sys.path.insert(0, str(folder))


def voice_ms(turn: Any, sample_rate: int) -> float:
    """Milliseconds to classify the voice of a turn."""
    classifier = _voice()
    started = time.perf_counter()
    classifier.classify(turn, sample_rate)
    return (time.perf_counter() - started) * 1000.0


def text_ms(text: str) -> float:
    """Milliseconds to classify the text of a turn."""
    classifier = _text()
    started = time.perf_counter()
    classifier.classify(text)
    return (time.perf_counter() - started) * 1000.0


@cache
def _voice() -> EmotionClassifier:
    from pipecat_deescalate import load_classifier  # noqa: PLC0415 - see above

    return load_classifier()


@cache
def _text() -> Any:
    from pipecat_deescalate import load_word_classifier  # noqa: PLC0415 - see above

    return load_word_classifier()
