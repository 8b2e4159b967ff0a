"""Score a classifier on the clips of a manifest.

Runs on the core install. Training corpora are scored by the training run's predictions with the
clip's speaker left out, where there are any.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ...audio.recording import CallerChannel, open_call, read_audio
from ...errors import AudioError, UnreadableInputError
from ...files import write_json
from ...progress import Progress
from ...readings import SAMPLE_RATE, Samples
from ...registry import read_model
from ...voice import EmotionClassifier
from ..datasets import Clip, read_manifest, read_rows
from .conditions import Condition, under
from .evaluation_report import EvaluationReport, Role, ScoredClip, report

EVAL_SPLIT = "eval"
_ROLES = {EVAL_SPLIT: Role.ZERO_SHOT, "train": Role.IN_TRAINING, "probe": Role.PROBE}


def evaluate_manifest(
    classifier: EmotionClassifier,
    manifest: Path,
    *,
    telephone: bool = True,
    robustness: bool = False,
    noises: Sequence[Samples] = (),
    out_of_fold: Path | None = None,
    progress: Progress = lambda _what, _done, _all: None,
) -> EvaluationReport:
    """Classify every clip of a manifest and return the figures.

    With `telephone` each clip passes an 8 kHz line first. `robustness` adds the zero-shot clips
    under every condition (several times as long), in noise only if `noises` are given.
    `out_of_fold` is the file of that name from this model's training run; without it the model
    scores its own training corpora, and the report marks them so. A clip that cannot be read is
    unknown, and the report names it. Raises UnreadableInputError.
    """
    clips = _clips(manifest)
    kept = _out_of_fold(out_of_fold) if out_of_fold else {}
    plain = Condition.TELEPHONE if telephone else Condition.CLEAN
    others = [c for c in Condition if c is not Condition.NOISE or noises] if robustness else []
    scored: dict[Condition, list[ScoredClip]] = {c: [] for c in (plain, *others)}
    failed: list[str] = []
    for index, clip in enumerate(clips):
        if index % 20 == 0:
            progress("evaluating", index, len(clips))
        role = _ROLES[clip.split]
        # A training run writes folder and name, wherever the manifest is.
        name = f"{clip.path.parent.name}/{clip.path.name}"
        if name in kept:
            scored[plain].append(_row(clip, Role.SPEAKERS_LEFT_OUT, kept[name]))
            continue
        conditions = tuple(scored) if role is Role.ZERO_SHOT else (plain,)
        read: Mapping[Condition, float | None] = dict.fromkeys(conditions)
        try:
            read = _read(classifier, clip, conditions, noises)
        except AudioError as error:
            failed.append(str(error))
        for condition, p_negative in read.items():
            scored[condition].append(_row(clip, role, p_negative))
    progress("evaluating", len(clips), len(clips))
    _check_scored(manifest, scored[plain], failed)
    zero_shot = {c: [row for row in scored[c] if row.role is Role.ZERO_SHOT] for c in others}
    return report(
        classifier.name,
        scored[plain],
        telephone=telephone,
        robustness={condition: rows for condition, rows in zero_shot.items() if rows},
        failed=failed,
    )


def _clips(manifest: Path) -> list[Clip]:
    """Read and check a whole manifest, so that an error in its last row shows before the work."""
    clips = read_manifest(manifest)
    if not clips:
        raise UnreadableInputError(manifest, "lists no clips")
    seen: set[tuple[str, Path]] = set()
    for number, clip in enumerate(clips, start=1):
        if clip.split not in _ROLES:
            raise UnreadableInputError(manifest, f"row {number}: unknown split {clip.split!r}")
        if (clip.corpus, clip.path) in seen:
            raise UnreadableInputError(
                manifest, f"row {number}: {clip.path.name} of {clip.corpus} is listed twice"
            )
        seen.add((clip.corpus, clip.path))
    return clips


def _check_scored(manifest: Path, rows: Sequence[ScoredClip], failed: Sequence[str]) -> None:
    if all(row.p_negative is None for row in rows):
        reason = failed[0] if failed else "all are silent or too short"
        raise UnreadableInputError(manifest, f"none of its clips could be classified; {reason}")


def _read(
    classifier: EmotionClassifier,
    clip: Clip,
    conditions: Sequence[Condition],
    noises: Sequence[Samples],
) -> dict[Condition, float | None]:
    samples = _samples(clip.path)
    return {
        condition: classifier.classify(
            under(condition, samples, clip, noises), SAMPLE_RATE
        ).p_negative
        for condition in conditions
    }


def _samples(path: Path) -> Samples:
    """Read a clip; of a stereo one the mean, because both sides hold the same speaker."""
    with open_call(path, caller_channel=CallerChannel.LEFT) as call:
        left = np.concatenate(list(call))
        if call.channels == 1:
            return left
    return np.asarray((left + read_audio(path, caller_channel=CallerChannel.RIGHT)) / 2)


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
    kept = {}
    for row in read_rows(path, "path", "p_speaker_left_out"):
        if said := row["p_speaker_left_out"]:
            try:
                kept[row["path"]] = float(said)
            except ValueError:
                kept[row["path"]] = math.nan
            if not 0 <= kept[row["path"]] <= 1:
                raise UnreadableInputError(path, f"{row['path']}: {said!r} is not a probability")
    if not kept:
        raise UnreadableInputError(path, "has no predictions")
    return kept


def check_card(card: Path, model: Path) -> None:
    """Raise UnreadableInputError if a card does not belong to a model file."""
    if _read_card(card).get("sha256") != read_model(model).card["sha256"]:
        raise UnreadableInputError(card, f"is not the card of {model.name}")


def add_evaluation(card: Path, report: EvaluationReport) -> None:
    """Put the figures of an evaluation into the card. Raises UnreadableInputError."""
    write_json(card, _read_card(card) | {"evaluation": report.as_dict()})


def _read_card(card: Path) -> dict[str, object]:
    try:
        values = json.loads(card.read_text("utf-8"))
    except OSError as error:
        raise UnreadableInputError(card, error.strerror or "cannot be read") from error
    except ValueError as error:
        raise UnreadableInputError(card, f"not a model card ({error})") from error
    if not isinstance(values, dict):
        raise UnreadableInputError(card, "not a model card")
    return values
