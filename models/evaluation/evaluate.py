"""A classifier meets the clips of a manifest.

Runs on the core install. Corpora that the model was trained on are judged by predictions made while
the clip's speaker was left out, where a training run kept such.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..audio import read_audio
from ..classifier import EmotionClassifier
from ..errors import UnreadableInputError
from ..files import write_json
from ..training.data import Clip, Progress, read_manifest
from ..types import SAMPLE_RATE, Samples
from .conditions import Condition, under
from .report import EvaluationReport, Role, ScoredClip, report

_ROLES = {"eval": Role.ZERO_SHOT, "train": Role.IN_TRAINING, "probe": Role.PROBE}


def evaluate(
    classifier: EmotionClassifier,
    manifest: Path,
    *,
    telephone: bool = True,
    robustness: bool = False,
    noises: Sequence[Samples] = (),
    out_of_fold: Path | None = None,
    progress: Progress = lambda _what, _done, _all: None,
) -> EvaluationReport:
    """Read every clip of a manifest and return the figures.

    With `telephone` each clip passes an 8 kHz line first. `robustness` reads the zero-shot clips
    under every condition (several times as long), in noise only where `noises` are given.
    `out_of_fold` is the file of that name from the training run of this very model; without it the
    training corpora are read by the model that has met them, and are marked so. Raises
    UnreadableInputError, AudioError.
    """
    clips = read_manifest(manifest)
    if not clips:
        raise UnreadableInputError(manifest, "lists no clips")
    kept = _out_of_fold(out_of_fold) if out_of_fold else {}
    plain = Condition.TELEPHONE if telephone else Condition.CLEAN
    others = [c for c in Condition if c is not Condition.NOISE or noises] if robustness else []
    scored: dict[Condition, list[ScoredClip]] = {c: [] for c in (plain, *others)}
    for index, clip in enumerate(clips):
        if index % 20 == 0:
            progress("evaluating", index, len(clips))
        role = _role(manifest, clip)
        # A training run writes folder and name, wherever the manifest lies.
        name = f"{clip.path.parent.name}/{clip.path.name}"
        if name in kept:
            scored[plain].append(_row(clip, Role.SPEAKERS_LEFT_OUT, kept[name]))
            continue
        samples = read_audio(clip.path)
        for condition in scored if role is Role.ZERO_SHOT else [plain]:
            heard = under(condition, samples, clip, noises)
            p_negative = classifier.classify(heard, SAMPLE_RATE).p_negative
            scored[condition].append(_row(clip, role, p_negative))
    progress("evaluating", len(clips), len(clips))
    zero_shot = {c: [row for row in scored[c] if row.role is Role.ZERO_SHOT] for c in others}
    return report(
        classifier.name,
        scored[plain],
        telephone=telephone,
        robustness={condition: rows for condition, rows in zero_shot.items() if rows},
    )


def _role(manifest: Path, clip: Clip) -> Role:
    if clip.split not in _ROLES:
        raise UnreadableInputError(manifest, f"{clip.corpus} has an unknown split {clip.split!r}")
    return _ROLES[clip.split]


def _row(clip: Clip, role: Role, p_negative: float | None) -> ScoredClip:
    return ScoredClip(
        path=str(clip.path),
        corpus=clip.corpus,
        role=role,
        speaker=clip.speaker,
        emotion=clip.emotion,
        negative=bool(clip.negative),
        p_negative=p_negative,
        group=clip.group,
        soft_negative=clip.soft_negative,
    )


def _out_of_fold(path: Path) -> Mapping[str, float]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return {
                row["path"]: float(row["p_speaker_left_out"])
                for row in csv.DictReader(file)
                if row["p_speaker_left_out"]
            }
    except OSError as error:
        raise UnreadableInputError(path, error.strerror or "cannot be read") from error
    except (KeyError, ValueError) as error:
        raise UnreadableInputError(path, f"not a file of predictions ({error})") from error


def add_evaluation(card: Path, report: EvaluationReport) -> None:
    """Put the figures of an evaluation run into the card. Raises UnreadableInputError."""
    try:
        values = json.loads(card.read_text("utf-8"))
        values["evaluation"] = report.as_dict()
    except OSError as error:
        raise UnreadableInputError(card, error.strerror or "cannot be read") from error
    except (ValueError, TypeError) as error:
        raise UnreadableInputError(card, f"not a model card ({error})") from error
    write_json(card, values)
