"""A classifier meets the clips of a manifest: figures by corpus, and their mean over corpora.

Runs on the core install. The mean is over the corpora that the model never met; those it was
trained on are reported apart, by predictions made while the clip's speaker was left out where a
training run kept such, and the probe corpus is reported apart too.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import cast

import numpy as np

from ..audio import read_audio
from ..classifier import EmotionClassifier
from ..errors import UnreadableInputError
from ..features import SAMPLE_RATE
from ..files import finite, write_json
from ..training.augment import telephone as telephone_band
from ..training.data import Clip, Progress, read_manifest
from .metrics import (
    ClassFigures,
    Interval,
    accuracy,
    bootstrap,
    calibration_error,
    class_figures,
    roc_auc,
)


class Role(StrEnum):
    """What a corpus is to the model."""

    ZERO_SHOT = "zero-shot"
    SPEAKERS_LEFT_OUT = "in training, speakers left out"
    IN_TRAINING = "in training"
    PROBE = "probe"


_ROLES = {"eval": Role.ZERO_SHOT, "train": Role.IN_TRAINING, "probe": Role.PROBE}


@dataclass(frozen=True, slots=True)
class ScoredClip:
    """One clip and what was read; `p_negative` is None when nothing could be heard."""

    path: str
    corpus: str
    role: Role
    speaker: str
    emotion: str
    negative: bool
    p_negative: float | None


@dataclass(frozen=True, slots=True)
class CorpusFigures:
    """Figures of one corpus over the clips that could be read, at threshold p = 0.5.

    `unknown` clips are counted and left out; `roc_auc_interval` holds 95 % of bootstrap draws.
    """

    corpus: str
    role: Role
    clips: int
    unknown: int
    negatives: int
    roc_auc: float
    roc_auc_interval: Interval
    accuracy: float
    negative: ClassFigures
    not_negative: ClassFigures
    calibration_error: float


@dataclass(frozen=True, slots=True)
class MeanFigures:
    """The unweighted mean over the zero-shot corpora."""

    corpora: tuple[str, ...]
    roc_auc: float
    accuracy: float
    negative: ClassFigures
    not_negative: ClassFigures
    calibration_error: float


@dataclass(frozen=True, slots=True)
class EvaluationReport:
    """All figures of one run and the rows that they come from."""

    model: str
    telephone: bool
    corpora: tuple[CorpusFigures, ...]
    mean: MeanFigures | None
    rows: tuple[ScoredClip, ...]

    def as_dict(self, *, rows: bool = False) -> dict[str, object]:
        """Return JSON-able values, with every clip only where asked for."""
        values = asdict(self)
        if not rows:
            del values["rows"]
        return cast(dict[str, object], finite(values))


def evaluate(
    classifier: EmotionClassifier,
    manifest: Path,
    *,
    telephone: bool = True,
    out_of_fold: Path | None = None,
    progress: Progress = lambda _what, _done, _all: None,
) -> EvaluationReport:
    """Read every clip of a manifest and return the figures.

    With `telephone` each clip passes an 8 kHz line first. `out_of_fold` is the file of that name
    from the training run of this very model; without it the training corpora are read by the
    model that has met them, and are marked so. Raises UnreadableInputError, AudioError.
    """
    clips = read_manifest(manifest)
    if not clips:
        raise UnreadableInputError(manifest, "lists no clips")
    kept = _out_of_fold(out_of_fold) if out_of_fold else {}
    rows = []
    for index, clip in enumerate(clips):
        if index % 20 == 0:
            progress("evaluating", index, len(clips))
        name = clip.path.relative_to(manifest.parent).as_posix()
        if name in kept:
            rows.append(_row(clip, name, Role.SPEAKERS_LEFT_OUT, kept[name]))
            continue
        samples = read_audio(clip.path)
        reading = classifier.classify(
            telephone_band(samples) if telephone else samples, SAMPLE_RATE
        )
        rows.append(_row(clip, name, _role(manifest, clip), reading.p_negative))
    progress("evaluating", len(clips), len(clips))
    return report(classifier.name, rows, telephone=telephone)


def report(model: str, rows: Sequence[ScoredClip], *, telephone: bool) -> EvaluationReport:
    """Return the figures of rows that are already scored."""
    groups = sorted({(row.role, row.corpus) for row in rows}, key=_order)
    corpora = tuple(_figures([r for r in rows if (r.role, r.corpus) == group]) for group in groups)
    return EvaluationReport(model, telephone, corpora, _mean(corpora), tuple(rows))


def _order(group: tuple[Role, str]) -> tuple[int, str]:
    return list(Role).index(group[0]), group[1]


def _role(manifest: Path, clip: Clip) -> Role:
    if clip.split not in _ROLES:
        raise UnreadableInputError(manifest, f"{clip.corpus} has an unknown split {clip.split!r}")
    return _ROLES[clip.split]


def _row(clip: Clip, name: str, role: Role, p_negative: float | None) -> ScoredClip:
    label = bool(clip.negative)
    return ScoredClip(name, clip.corpus, role, clip.speaker, clip.emotion, label, p_negative)


def _out_of_fold(path: Path) -> Mapping[str, float]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return {
                row["path"]: float(row["p_speaker_left_out"])
                for row in csv.DictReader(file)
                if row["p_speaker_left_out"]
            }
    except (OSError, UnicodeDecodeError, KeyError, ValueError) as error:
        raise UnreadableInputError(path, f"not a file of predictions ({error})") from error


def _figures(rows: Sequence[ScoredClip]) -> CorpusFigures:
    read = [(r.negative, r.p_negative) for r in rows if r.p_negative is not None]
    truth = np.array([label for label, _ in read], bool)
    p = np.array([value for _, value in read], np.float64)
    if not read:
        raise UnreadableInputError(rows[0].path, f"nothing of {rows[0].corpus} could be read")
    negative, not_negative = class_figures(truth, p)
    return CorpusFigures(
        corpus=rows[0].corpus,
        role=rows[0].role,
        clips=len(rows),
        unknown=len(rows) - len(read),
        negatives=int(truth.sum()),
        roc_auc=roc_auc(truth, p),
        roc_auc_interval=bootstrap(truth, p),
        accuracy=accuracy(truth, p),
        negative=negative,
        not_negative=not_negative,
        calibration_error=calibration_error(truth, p),
    )


def _mean(corpora: Sequence[CorpusFigures]) -> MeanFigures | None:
    met = [c for c in corpora if c.role is Role.ZERO_SHOT]
    if not met:
        return None

    def mean(values: Sequence[float]) -> float:
        return float(np.mean(values))

    def both(figures: Sequence[ClassFigures]) -> ClassFigures:
        return ClassFigures(mean([f.precision for f in figures]), mean([f.recall for f in figures]))

    return MeanFigures(
        corpora=tuple(c.corpus for c in met),
        roc_auc=mean([c.roc_auc for c in met]),
        accuracy=mean([c.accuracy for c in met]),
        negative=both([c.negative for c in met]),
        not_negative=both([c.not_negative for c in met]),
        calibration_error=mean([c.calibration_error for c in met]),
    )


def add_evaluation(card: Path, report: EvaluationReport) -> None:
    """Put the figures of an evaluation run into the card. Raises UnreadableInputError."""
    try:
        values = json.loads(card.read_text("utf-8"))
        values["evaluation"] = report.as_dict()
    except (OSError, ValueError, TypeError) as error:
        raise UnreadableInputError(card, f"not a model card ({error})") from error
    write_json(card, values)
