"""Train the voice model: from a folder of speech to a model file, reproducible from the seed.

The encoder is pruned, and distilled from the full one on degraded audio. Clips pass the telephone
band, once unchanged and once per change, then that student; linear heads are fitted on the
embeddings. The run's own figures come from predictions of clips whose speakers, or whose whole
corpus, were left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...calibration import Calibration
from ...errors import UnreadableInputError
from ...files import whole_file
from ...onnx_session import open_session
from ...progress import Progress
from ...readings import Samples
from ...registry import write_model
from ...voice import AFFECT, LOGIT, SAMPLES
from ..datasets import (
    TRAIN_SPLIT,
    Clip,
    read_callers,
    read_manifest,
    read_noises,
    read_unlabelled,
)
from ..metrics import roc_auc
from .embeddings import Prepared, embed
from .encoder import find_base_model, read_encoder
from .export import described, int8_model
from .graph import Head
from .head_calibration import calibrated, left_out_errors, probabilities
from .lda_head import (
    Rows,
    UnlearnableError,
    fit_affect,
    fit_heads,
    fold_of_speaker,
    predict,
)
from .model_card import card
from .recipe import Recipe
from .soft_labels import softened

MODEL_FILE = "voice.onnx"
PREDICTIONS_FILE = "out_of_fold.csv"


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """The result of a run, and its figures.

    `left_out_corpus` and `left_out_speakers` are ROC-AUC by corpus. `int8_difference` is the mean
    absolute difference of the logits from float32, in standard deviations of the logit. `alarms`
    are the shares of unlabelled turns over p = 0.5 and over 0.8 (None without such turns).
    `calibration_error` is by corpus, with the clip's speaker left out of heads and calibration.
    `affect` is, by left-out corpus, the correlation of arousal and of valence with the emotions'
    places on the circumplex.
    """

    model: Path
    recipe_sha256: str
    clips: int
    left_out_corpus: dict[str, float]
    left_out_speakers: dict[str, float]
    int8_difference: float
    alarms: tuple[float, float] | None
    calibration: Calibration
    calibration_error: dict[str, float]
    affect: dict[str, dict[str, float]]

    def as_dict(self) -> dict[str, object]:
        """Return JSON-able values."""
        return asdict(self) | {"model": self.model.name}


def train_voice(
    recipe: Recipe, data: Path, out: Path, progress: Progress, cache: Path | None = None
) -> TrainingResult:
    """Train on `data` (speech/, and noise/ and unlabelled/ where the recipe uses them).

    Writes voice.onnx, its card voice.json and out_of_fold.csv into `out`. Later runs reuse the
    embeddings in `cache` (`out`/cache). Raises UnreadableInputError for missing data,
    UnlearnableError for clips that cannot train a head.
    """
    clips, turns = _training_clips(recipe, data), _calm_turns(recipe, data)
    noises = _noises(recipe, data)
    whole = Prepared(recipe, read_encoder(find_base_model(), recipe.layers), noises)
    drawn = whole.range_turns(clips)
    out.mkdir(parents=True, exist_ok=True)
    embedded = embed(whole, clips, turns, drawn, cache=cache or out / "cache", progress=progress)
    rows = embedded.rows
    progress("fitting", 0, 1)
    fit = _fit(recipe, rows, embedded.turns)
    progress("fitting", 1, 1)

    progress("exporting", 0, 1)
    heads = {LOGIT: fit.head} | fit_affect(rows, recipe)
    int8, exact = int8_model(embedded.encoder, recipe, heads, drawn)
    content = described(int8, recipe, fit.calibration)
    models = (int8.SerializeToString(), exact.SerializeToString())
    result = TrainingResult(
        model=out / MODEL_FILE,
        recipe_sha256=recipe.sha256,
        clips=len(clips),
        left_out_corpus=_auc(rows, fit.by_corpus),
        left_out_speakers=_auc(rows, fit.by_speaker),
        int8_difference=_difference(models, drawn),
        alarms=_false_alarms(fit),
        calibration=fit.calibration,
        calibration_error=fit.calibration_error,
        affect=_affect_left_out(recipe, rows),
    )
    with whole_file(out / PREDICTIONS_FILE) as file:  # appears together with the model
        file.write(_predictions(clips, fit).encode())
        file.flush()
        write_model(result.model, content, card(content, recipe, result.as_dict()))
    progress("exporting", 1, 1)
    return result


@dataclass(frozen=True, slots=True)
class _Fit:
    """A head, left-out logits of the clips, logits of the calm turns, and the calibration."""

    head: Head
    by_corpus: NDArray[np.float64]
    by_speaker: NDArray[np.float64]
    calm: NDArray[np.float64]
    calibration: Calibration
    calibration_error: dict[str, float]


def _fit(recipe: Recipe, rows: Rows, turns: NDArray[np.float32]) -> _Fit:
    folds = fold_of_speaker(rows.speaker, recipe.folds, recipe.seed)
    if not np.ptp(folds):
        raise UnlearnableError("clips of one speaker only: calibration must leave speakers out")
    try:
        head = fit_heads(softened(rows, recipe), recipe)
        by_corpus = _left_out(recipe, rows, rows.corpus)
        by_speaker = _left_out(recipe, rows, folds)
        calm = predict(head, turns)
        calibration = calibrated(rows, by_speaker, calm, recipe)
        errors = left_out_errors(rows, by_speaker, folds, calm, recipe)
    except ValueError as error:
        raise UnlearnableError(
            f"{len(rows.negative)} clips: left-out clips get the wrong sign; there are too few, or"
            " their labels contradict one another"
        ) from error
    return _Fit(head, by_corpus, by_speaker, calm, calibration, errors)


def _noises(recipe: Recipe, data: Path) -> list[Samples]:
    if not recipe.needs_noise:
        return []
    noises = read_noises(data / "noise")
    if not noises:
        raise UnreadableInputError(data / "noise", "has no recordings, but the recipe needs noise")
    return noises


def _calm_turns(recipe: Recipe, data: Path) -> list[Clip]:
    if recipe.unlabelled is None:
        return []
    kept_apart: frozenset[str] = frozenset()
    if recipe.evaluated_on_calls is not None:
        kept_apart = read_callers(data / recipe.evaluated_on_calls)
    manifest = data / "unlabelled" / "manifest.csv"
    turns = read_unlabelled(manifest, kept_apart)
    if not turns:
        raise UnreadableInputError(manifest, "has no turns, or only of callers in the evaluation")
    return turns


def _training_clips(recipe: Recipe, data: Path) -> list[Clip]:
    manifest = data / "speech" / "manifest.csv"
    clips = [c for c in read_manifest(manifest) if c.corpus in recipe.corpus_names]
    for corpus in recipe.corpus_names:
        if not any(c.corpus == corpus for c in clips):
            raise UnreadableInputError(manifest, f"has no clips of {corpus}")
    for clip in clips:
        if clip.split != TRAIN_SPLIT:
            raise UnreadableInputError(
                manifest, f"{clip.corpus} is in the {clip.split} split: it may not be trained on"
            )
    return clips


def _left_out(recipe: Recipe, rows: Rows, group: NDArray[np.generic]) -> NDArray[np.float64]:
    """Return the logits of the unchanged clips, each by a head that leaves its group out."""
    logits = np.full(len(group), np.nan)
    if len(np.unique(group)) < 2:
        return logits
    for value in np.unique(group):
        apart = group == value
        head = fit_heads(softened(rows.where(~apart), recipe), recipe)
        logits[apart] = predict(head, rows.inputs[apart])
    return logits


def _auc(rows: Rows, logits: NDArray[np.float64]) -> dict[str, float]:
    found = {}
    for corpus in np.unique(rows.corpus):
        member = (rows.corpus == corpus) & ~np.isnan(logits)
        if member.any():
            found[str(corpus)] = roc_auc(rows.negative[member], logits[member])
    return found


def _affect_left_out(recipe: Recipe, rows: Rows) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    placed = rows.where(np.array([emotion in recipe.circumplex for emotion in rows.emotion]))
    for corpus in np.unique(placed.corpus):
        apart = placed.where(placed.corpus == corpus)
        at = np.array([recipe.circumplex[emotion] for emotion in apart.emotion])
        found[str(corpus)] = {
            name: float(np.corrcoef(predict(head, apart.inputs), at[:, AFFECT.index(name)])[0, 1])
            for name, head in fit_affect(rows.where(rows.corpus != corpus), recipe).items()
            if np.ptp(at[:, AFFECT.index(name)])
        }
    return found


def _false_alarms(fit: _Fit) -> tuple[float, float] | None:
    if not fit.calm.size:
        return None
    p = probabilities(fit.calibration, fit.calm)
    return float(np.mean(p > 0.5)), float(np.mean(p > 0.8))


def _difference(models: tuple[bytes, bytes], turns: Sequence[Samples]) -> float:
    logits = np.array(
        [
            [float(session.run([LOGIT], {SAMPLES: turn})[0][0]) for turn in turns]
            for session in map(open_session, models)
        ]
    )
    return float(np.abs(logits[0] - logits[1]).mean() / (logits[1].std() + 1e-9))


def _predictions(clips: Sequence[Clip], fit: _Fit) -> str:
    """Return a table of each clip's predictions with its speaker, or its corpus, left out."""
    lines = ["path,corpus,speaker,negative,p_speaker_left_out,p_corpus_left_out"]
    for clip, *logits in zip(clips, fit.by_speaker, fit.by_corpus, strict=True):
        p = ["" if np.isnan(x) else f"{fit.calibration.probability(float(x)):.6f}" for x in logits]
        name = f"{clip.path.parent.name}/{clip.path.name}"
        lines.append(
            f"{name},{clip.corpus},{clip.speaker},{int(bool(clip.negative))},{p[0]},{p[1]}"
        )
    return "\n".join([*lines, ""])
