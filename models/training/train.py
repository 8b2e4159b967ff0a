"""One training run: from a folder of speech to a model file, the same again from the same seed.

The encoder is narrowed, and taught by the whole one to hear through a bad line. Clips pass the
telephone band, once as they are and some times changed, then that student; linear heads are fitted
on the averages. What the run says about itself comes from predictions of clips whose speakers, or
whose whole corpus, were left out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..audio import read_audio
from ..calibration import Calibration
from ..classifier import AFFECT, LOGIT, SAMPLES
from ..errors import DeescalateError, UnreadableInputError
from ..evaluation.metrics import roc_auc
from ..files import whole_file
from ..session import open_session
from ..types import SAMPLE_RATE, Samples
from .augment import changed, telephone
from .calibrating import calibrated, left_out_errors, probabilities
from .card import write_card
from .config import Recipe
from .data import (
    TRAIN_SPLIT,
    Clip,
    Progress,
    cached_rows,
    read_callers,
    read_manifest,
    read_noises,
    read_unlabelled,
)
from .encoder import CHANNELS, Encoder, find_base_model, read_encoder
from .export import int8_model, write_model
from .features import HOP, log_mel
from .graph import Head, pooled_graph
from .head import (
    Rows,
    fit_affect,
    fit_heads,
    fold_of_speaker,
    predict,
)
from .narrow import narrowed
from .sixteen_bits import in_16_bits
from .soft_labels import softened

MODEL_FILE = "voice.onnx"
PREDICTIONS_FILE = "out_of_fold.csv"
_PREPARATION = 2
"""Counts up when this module prepares audio differently, so that old cached features are left."""


class UnlearnableError(DeescalateError):
    """Clips that were left out came out the wrong way round; label more, or look at the labels."""


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """What a run made and what it says about itself.

    `left_out_corpus` and `left_out_speakers` are ROC-AUC by corpus; `int8_difference` the mean
    absolute difference of the logits from float32, in standard deviations of the logit;
    `alarms` the share of unlabelled turns over p = 0.5 and over 0.8 (None without such turns).
    `calibration_error` is that of clips whose speaker neither heads nor calibration met, `affect`
    the correlation of arousal and of valence with where the emotions are placed, while the corpus
    was left out; both by corpus.
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


@dataclass(frozen=True, slots=True)
class _Prepared:
    """The audio side of a run: how a clip becomes a copy, features and averages."""

    recipe: Recipe
    encoder: Encoder
    noises: Sequence[Samples]

    def copy(self, clip: Clip, index: int) -> Samples:
        """Return copy `index` of a clip (0: telephone band only) at a length the model takes."""
        samples = read_audio(clip.path)
        if index == 0:
            samples = telephone(samples)
        else:
            change = self.recipe.changes[index - 1]
            rng = np.random.default_rng([self.recipe.seed, clip.key])
            samples = changed(samples, change.kind, change.amount, self.noises, rng)
        return fitted(samples, self.recipe)


def fitted(samples: Samples, recipe: Recipe) -> Samples:
    """Return the first `longest_s` of a clip, with silence up to `shortest_s`."""
    shortest = round(recipe.shortest_s * SAMPLE_RATE)
    cut = samples[: round(recipe.longest_s * SAMPLE_RATE)]
    return np.pad(cut, (0, max(0, shortest + HOP - cut.size)))


def train(
    recipe: Recipe, data: Path, out: Path, progress: Progress, cache: Path | None = None
) -> TrainingResult:
    """Train on `data` (speech/, and noise/ and unlabelled/ where the recipe uses them).

    Writes voice.onnx, its card voice.json and out_of_fold.csv into `out`; pooled features are kept
    in `cache` (`out`/cache) and read back by a later run. Raises UnreadableInputError for missing
    data, UnlearnableError for clips from which nothing can be learnt.
    """
    clips = _training_clips(recipe, data)
    noises = read_noises(data / "noise") if recipe.needs_noise else []
    turns = _calm_turns(recipe, data)
    whole = _Prepared(recipe, read_encoder(find_base_model(), recipe.layers), noises)
    drawn = _range_turns(whole, clips)
    features = [log_mel(turn) for turn in drawn]
    out.mkdir(parents=True, exist_ok=True)
    kept = cache or out / "cache"
    progress("narrowing", 0, 1)
    small = narrowed(whole.encoder, recipe.hidden_units, features)
    progress("narrowing", 1, 1)
    every = [*clips, *turns]
    averages = np.zeros((len(every), 0), np.float32)
    if recipe.student is not None or recipe.soft_labels:
        everything = replace(whole, recipe=recipe.model_copy(update={"every_nth": 1}))
        averages = _pooled(everything, every, 0, kept, progress)
    if recipe.student is not None:
        small = _taught(
            whole, small, averages, features, clips=every, cache=kept, progress=progress
        )
    progress("rounding", 0, 1)
    prepared = replace(whole, encoder=in_16_bits(small, features))
    progress("rounding", 1, 1)
    copies = [_pooled(prepared, clips, i, kept, progress) for i in range(len(recipe.changes) + 1)]
    heard = _pooled(prepared, turns, 0, kept, progress)

    progress("fitting", 0, 1)
    rows = _rows(clips, copies, averages[: len(clips)])
    fit = _fit(recipe, rows, heard)
    progress("fitting", 1, 1)

    progress("exporting", 0, 1)
    heads = {LOGIT: fit.head} | fit_affect(rows, recipe)
    int8, exact = int8_model(prepared.encoder, recipe, heads, drawn)
    write_model(out / MODEL_FILE, int8, recipe, fit.calibration)
    _write_predictions(out / PREDICTIONS_FILE, clips, fit)
    models = (int8.SerializeToString(), exact.SerializeToString())
    result = TrainingResult(
        model=out / MODEL_FILE,
        recipe_sha256=recipe.sha256,
        clips=len(clips),
        left_out_corpus=_auc(rows, fit.by_corpus),
        left_out_speakers=_auc(rows, fit.by_speaker),
        int8_difference=_difference(models, drawn),
        alarms=_alarms(fit),
        calibration=fit.calibration,
        calibration_error=fit.calibration_error,
        affect=_affect_left_out(recipe, rows),
    )
    write_card(result.model, recipe, result.as_dict())
    progress("exporting", 1, 1)
    return result


@dataclass(frozen=True, slots=True)
class _Fit:
    """A head, what heads like it say of clips they never met, and of the calm turns."""

    head: Head
    by_corpus: NDArray[np.float64]
    by_speaker: NDArray[np.float64]
    calm: NDArray[np.float64]
    calibration: Calibration
    calibration_error: dict[str, float]


def _fit(recipe: Recipe, rows: Rows, turns: NDArray[np.float32]) -> _Fit:
    folds = fold_of_speaker(rows.speaker, recipe.folds, recipe.seed)
    try:
        head = fit_heads(softened(rows, recipe), recipe)
        by_corpus = _left_out(recipe, rows, rows.corpus)
        by_speaker = _left_out(recipe, rows, folds)
        calm = predict(head, turns)
        calibration = calibrated(rows, by_speaker, calm, recipe)
        errors = left_out_errors(rows, by_speaker, folds, calm, recipe)
    except ValueError as error:
        raise UnlearnableError(
            f"{len(rows.negative)} clips: those left out come out the wrong way round; there are"
            " too few, or their labels contradict one another"
        ) from error
    return _Fit(head, by_corpus, by_speaker, calm, calibration, errors)


def _taught(
    whole: _Prepared,
    start: Encoder,
    averages: NDArray[np.float32],
    features: Sequence[NDArray[np.float32]],
    *,
    clips: Sequence[Clip],
    cache: Path,
    progress: Progress,
) -> Encoder:
    """Return what `start` becomes when the whole encoder teaches it on the clips; no labels.

    `averages` are the whole encoder's of the clips, `features` those of some of them.
    """
    from .checkpoint import Checkpoint  # noqa: PLC0415 - torch
    from .student import Lessons, teach  # noqa: PLC0415 - torch
    from .voice_teacher import voice_teacher  # noqa: PLC0415 - torch

    recipe = whole.recipe
    assert recipe.student is not None
    teacher = voice_teacher(whole.encoder, recipe.states, averages, features)
    turns = [fitted(read_audio(clip.path), recipe).astype(np.float16) for clip in clips]
    lessons = Lessons(turns, whole.noises, recipe.student, recipe.seed)
    checkpoint = Checkpoint(cache / _student_file(recipe, start, turns), {})
    return teach(
        start,
        teacher,
        lessons,
        every_nth=recipe.every_nth,
        checkpoint=checkpoint,
        progress=progress,
    )


def _student_file(recipe: Recipe, start: Encoder, turns: Sequence[NDArray[np.float16]]) -> str:
    """Return a name for the checkpoint that tells of all that a student depends on."""
    digest = hashlib.sha256(f"{recipe.student} {recipe.seed} {recipe.states}".encode())
    digest.update(f"{recipe.every_nth} {start.fingerprint}".encode())
    for turn in turns:
        digest.update(turn.tobytes())
    return f"student-{digest.hexdigest()[:32]}.pt"


def _range_turns(prepared: _Prepared, clips: Sequence[Clip]) -> list[Samples]:
    """Return some clips, unchanged and changed ones, to measure int8 ranges on."""
    recipe = prepared.recipe
    drawn = np.random.default_rng(recipe.seed).permutation(len(clips))[: recipe.range_clips]
    copies = len(recipe.changes) + 1
    return [prepared.copy(clips[i], int(i) % copies) for i in sorted(drawn)]


def _calm_turns(recipe: Recipe, data: Path) -> list[Clip]:
    if recipe.unlabelled is None:
        return []
    kept_apart: frozenset[str] = frozenset()
    if recipe.evaluated_on_calls is not None:
        kept_apart = read_callers(data / recipe.evaluated_on_calls)
    return read_unlabelled(data / "unlabelled" / "manifest.csv", kept_apart)


def _training_clips(recipe: Recipe, data: Path) -> list[Clip]:
    manifest = data / "speech" / "manifest.csv"
    clips = [c for c in read_manifest(manifest) if c.corpus in recipe.corpus_names]
    for corpus in recipe.corpus_names:
        if not any(c.corpus == corpus for c in clips):
            raise UnreadableInputError(manifest, f"has no clips of {corpus}")
    for clip in clips:
        if clip.split != TRAIN_SPLIT:
            raise UnreadableInputError(
                manifest, f"{clip.corpus} is of the {clip.split} split: it may not be trained on"
            )
    return clips


def _pooled(
    prepared: _Prepared, clips: Sequence[Clip], index: int, cache: Path, progress: Progress
) -> NDArray[np.float32]:
    """Return the averages of the recipe's states, (clips, 384 * states); all states are cached."""
    recipe = prepared.recipe
    graph = pooled_graph(prepared.encoder, recipe.every_nth)
    content = graph.SerializeToString(deterministic=True)
    session = open_session(content)

    def compute(clip: Clip) -> NDArray[np.float32]:
        features = log_mel(prepared.copy(clip, index))[None]
        averages: NDArray[np.float32] = session.run(None, {"log_mel": features})[0].reshape(-1)
        return averages

    encoder = hashlib.sha256(content).hexdigest()
    depends: tuple[object, ...] = (encoder, recipe.shortest_s, recipe.longest_s)
    what = "unchanged"
    if index:
        change = recipe.changes[index - 1]
        what = change.kind.value
        depends = (*depends, recipe.seed, change.amount)
    every = cached_rows(cache, f"{what} {_PREPARATION} {depends}", clips, compute, progress)
    states = every.reshape(len(clips), recipe.layers + 1, CHANNELS)[:, list(recipe.states)]
    return states.reshape(len(clips), CHANNELS * len(recipe.states))


def _rows(
    clips: Sequence[Clip], copies: Sequence[NDArray[np.float32]], whole: NDArray[np.float32]
) -> Rows:
    changed_copies = [copy - copies[0] for copy in copies[1:]]
    return Rows(
        copies[0],
        np.stack(changed_copies, axis=1)
        if changed_copies
        else np.zeros((len(clips), 0, copies[0].shape[1]), np.float32),
        whole,
        np.array([float(bool(c.negative)) for c in clips]),
        np.array([float(bool(c.negative)) if (p := c.soft_negative) is None else p for c in clips]),
        np.array([c.corpus for c in clips]),
        np.array([f"{c.corpus}/{c.speaker}" for c in clips]),
        np.array([c.emotion for c in clips]),
    )


def _left_out(recipe: Recipe, rows: Rows, group: NDArray[np.generic]) -> NDArray[np.float64]:
    """Return the logits of the unchanged clips, each by a head that never met its group."""
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


def _alarms(fit: _Fit) -> tuple[float, float] | None:
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


def _write_predictions(path: Path, clips: Sequence[Clip], fit: _Fit) -> None:
    """Write what was predicted for each clip while its speaker or its corpus was left out."""
    lines = ["path,corpus,speaker,negative,p_speaker_left_out,p_corpus_left_out"]
    for clip, *logits in zip(clips, fit.by_speaker, fit.by_corpus, strict=True):
        p = ["" if np.isnan(x) else f"{fit.calibration.probability(float(x)):.6f}" for x in logits]
        name = f"{clip.path.parent.name}/{clip.path.name}"
        lines.append(
            f"{name},{clip.corpus},{clip.speaker},{int(bool(clip.negative))},{p[0]},{p[1]}"
        )
    content = "\n".join([*lines, ""]).encode()
    with whole_file(path) as file:
        file.write(content)
