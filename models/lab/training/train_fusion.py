"""Fusion weights of voice, words and cues, fitted on turns that no part was trained on.

No corpus has real angry voices with their words, so the turns are synthetic: a voice reading of a
clip whose whole corpus was left out of training, and a held-out text, both with the same label. A
logistic regression on the parts' log-likelihood ratios gives the weights (without intercept: the
parts are calibrated at even odds).
"""

from __future__ import annotations

import csv
import hashlib
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from ...errors import UnreadableInputError
from ...files import write_json
from ...fusion import FusionWeights, fuse
from ...readings import Cue, EmotionReading, WordReading
from ...registry import WEIGHTS
from ...text.sentiment import load_word_classifier
from ..metrics import roc_auc
from ..text_corpora import half_spoken, read_cucom, read_goemotions, read_text_recipe

FUSION_FILE = WEIGHTS / "fusion.json"
TURNS = 40_000
SEED = 2026
MISSING = 0.2
"""Share of turns without words, and of turns without a voice reading."""
SHRINKAGE = 50.0
MIN_TURNS_WITH_CUE = 30

FITTED = (Cue.PROFANITY, Cue.COMPLAINT_ABOUT_SYSTEM)
"""Cues that mean the same in a forum as in a call; the others need a bot to talk to."""
ASSUMED: dict[Cue, float] = {
    Cue.ASKS_FOR_HUMAN: 0.0,
    Cue.REPEATS_REQUEST: 0.5,
    Cue.NOT_UNDERSTOOD: 0.7,
    Cue.COMPLAINT_ABOUT_SYSTEM: 1.0,
    Cue.PROFANITY: 1.0,
    Cue.THREATENS_TO_LEAVE: 1.0,
    Cue.WAITING: 0.5,
    Cue.REPROMPTED: 0.3,
    Cue.BARGES_IN: 0.2,
    Cue.SHORTER_AND_LOUDER: 0.7,
}
"""Cautious nats for cues that held-out turns cannot measure; the file names them as assumed.

Asking for a human is not evidence of anger; policies act on the request itself.
"""


@dataclass(frozen=True, slots=True)
class FusionReport:
    """The weights, the names of the assumed ones, and ROC-AUC on held-out synthetic turns."""

    voice: float
    words: float
    cues: dict[str, float]
    assumed: list[str]
    roc_auc_voice: float
    roc_auc_words: float
    roc_auc_fused: float


@dataclass(frozen=True, slots=True)
class _Turn:
    voice: EmotionReading | None
    words: WordReading | None
    negative: bool


def train_fusion(data: Path, predictions: Path, out: Path = FUSION_FILE) -> FusionReport:
    """Fit the weights on the texts under `data` and the out-of-fold `predictions` of a voice run.

    Raises:
        UnreadableInputError: a corpus or the predictions cannot be read.
    """
    rng = random.Random(SEED)  # noqa: S311 - a draw of turns, not security
    turns = _synthetic_turns(_voices(predictions), _texts(data, rng), rng)
    half = len(turns) // 2
    weights, assumed = _fit(turns[:half])
    report = _report(weights, assumed, turns[half:])
    content = {
        "weights": {key: asdict(report)[key] for key in ("voice", "words", "cues")},
        "assumed": report.assumed,
        "roc_auc": {
            "voice": report.roc_auc_voice,
            "words": report.roc_auc_words,
            "fused": report.roc_auc_fused,
        },
        "fitted_on": {
            "voice": "clips of EmoDB and BanglaSER, whole corpus left out",
            "words": "GoEmotions (dev) and CuCom (held-out conversations), half as spoken",
            "turns": half,
            "predictions_sha256": hashlib.sha256(predictions.read_bytes()).hexdigest(),
        },
    }
    write_json(out, content)
    return report


def _voices(predictions: Path) -> dict[bool, list[EmotionReading]]:
    found: dict[bool, list[EmotionReading]] = {False: [], True: []}
    try:
        with predictions.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                p = float(row["p_corpus_left_out"])
                found[row["negative"] == "1"].append(EmotionReading(p, "", 0.0, 0.0))
    except (OSError, UnicodeDecodeError, KeyError, ValueError) as error:
        raise UnreadableInputError(predictions, f"not a file of predictions ({error})") from error
    return found


def _texts(data: Path, rng: random.Random) -> dict[bool, list[WordReading]]:
    recipe = read_text_recipe()
    classifier = load_word_classifier()
    found: dict[bool, list[WordReading]] = {False: [], True: []}
    dev = read_goemotions(data / "text", "dev", recipe.negative_labels)
    held_out = read_cucom(data / "text", recipe)[1]
    for corpus in (dev, held_out):
        for text, negative in zip(corpus.texts, corpus.negative, strict=True):
            found[bool(negative)].append(classifier.classify(half_spoken(text, rng)))
    return found


def _synthetic_turns(
    voices: dict[bool, list[EmotionReading]],
    texts: dict[bool, list[WordReading]],
    rng: random.Random,
) -> list[_Turn]:
    turns = []
    for index in range(TURNS):
        negative = index % 2 == 1
        voice = rng.choice(voices[negative]) if rng.random() >= MISSING else None
        words = rng.choice(texts[negative]) if voice is None or rng.random() >= MISSING else None
        turns.append(_Turn(voice, words, negative))
    return turns


def _fit(turns: Sequence[_Turn]) -> tuple[FusionWeights, list[Cue]]:
    counts = {
        cue: sum(turn.words is not None and cue in dict(turn.words.cues) for turn in turns)
        for cue in FITTED
    }
    fitted = [cue for cue in FITTED if counts[cue] >= MIN_TURNS_WITH_CUE]
    inputs = np.array([_inputs(turn, fitted) for turn in turns])
    labels = np.array([turn.negative for turn in turns])
    model = LogisticRegression(C=1.0 / SHRINKAGE, fit_intercept=False).fit(inputs, labels)
    # No part counts for more than its own calibration, and no complaint is evidence of calm.
    voice, words, *nats = (round(max(0.0, float(weight)), 3) for weight in model.coef_[0])
    voice, words = min(1.0, voice), min(1.0, words)
    cues = ASSUMED | dict(zip(fitted, nats, strict=True))
    return FusionWeights(voice, words, cues), [cue for cue in Cue if cue not in fitted]


def _inputs(turn: _Turn, cues: Sequence[Cue]) -> list[float]:
    said = dict(turn.words.cues) if turn.words is not None else {}
    voice = turn.voice.log_likelihood_ratio if turn.voice is not None else None
    words = turn.words.log_likelihood_ratio if turn.words is not None else None
    return [voice or 0.0, words or 0.0, *(float(cue in said) for cue in cues)]


def _report(weights: FusionWeights, assumed: list[Cue], turns: Sequence[_Turn]) -> FusionReport:
    both = [turn for turn in turns if turn.voice is not None and turn.words is not None]
    labels = np.array([turn.negative for turn in both])

    def auc(voice: bool, words: bool) -> float:
        scores: NDArray[np.float64] = np.array(
            [
                fuse(turn.voice if voice else None, turn.words if words else None, (), weights)
                for turn in both
            ],
            dtype=np.float64,
        )
        return round(roc_auc(labels, scores), 4)

    return FusionReport(
        voice=weights.voice,
        words=weights.words,
        cues={cue.name.lower(): nats for cue, nats in weights.cues.items()},
        assumed=[cue.name.lower() for cue in assumed],
        roc_auc_voice=auc(True, False),
        roc_auc_words=auc(False, True),
        roc_auc_fused=auc(True, True),
    )
