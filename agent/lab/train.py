"""The `label clips`, `model train` and `model distill` commands.

What needs an extra is imported where it is used: each command has an extra of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from ...models.lab import text_corpora
from ...models.lab.training.lm_recipes import LmRecipe, load_distil_recipe, load_teacher_recipe
from ...models.lab.training.recipe import load_recipe
from ...models.progress import Progress
from ...models.text.sentiment import WEIGHTS
from ..console import require_extra, stages

if TYPE_CHECKING:
    from ...models.lab.training.lora import LmResult

_Recipe = TypeVar("_Recipe", bound=LmRecipe)


def run_training(what: str, *, data: Path, out: Path, recipe: Path | None) -> str:
    """Train one of the small models, or their fusion weights; return a line about the result.

    Fusion reads the predictions of the voice run from `out`. For the request classifier, `recipe`
    is the file of sentences.
    """
    out.mkdir(parents=True, exist_ok=True)
    train = {
        "voice": _voice,
        "wording": _text,
        "requests": _requests,
        "fusion": _fusion,
        "speakers": _speakers,
    }[what]
    with stages() as progress:
        return train(data, out, recipe, progress)


def _voice(data: Path, out: Path, recipe: Path | None, progress: Progress) -> str:
    from ...models.lab.training.train_voice import train_voice  # noqa: PLC0415 - needs onnx

    loaded = load_recipe(recipe)
    if loaded.student is not None:
        require_extra("distill", "torch")
    voice = train_voice(loaded, data, out, progress)
    left_out, found = "corpus", voice.left_out_corpus
    if not found:  # there is only one corpus
        left_out, found = "speakers", voice.left_out_speakers
    scores = ", ".join(f"{name} {auc:.3f}" for name, auc in found.items())
    return f"{voice.model}: ROC-AUC with the {left_out} left out: {scores}"


def _text(data: Path, out: Path, recipe: Path | None, progress: Progress) -> str:
    from ...models.lab.training.train_text import train_text_model  # noqa: PLC0415 - needs sklearn

    made = out / WEIGHTS.name
    report = train_text_model(data / "text", made, recipe or text_corpora.RECIPE, progress)
    return f"{made}: ROC-AUC GoEmotions {report.goemotions_test:.3f}"


def _requests(data: Path, out: Path, recipe: Path | None, progress: Progress) -> str:
    from ...models.lab.training.train_requests import (  # noqa: PLC0415 - needs sklearn
        OUT_FILE,
        SENTENCES,
        train_request_classifier,
    )

    made = out / OUT_FILE
    report = train_request_classifier(data / "text", made, recipe or SENTENCES, progress)
    return f"{made}: sets left out: precision {report.precision:.3f}, recall {report.recall:.3f}"


def _fusion(data: Path, out: Path, _recipe: Path | None, _progress: Progress) -> str:
    from ...models.lab.training.train_fusion import FUSION_FILE, train_fusion  # noqa: PLC0415 - needs sklearn
    from ...models.lab.training.train_voice import PREDICTIONS_FILE  # noqa: PLC0415 - needs onnx

    made = out / FUSION_FILE.name
    report = train_fusion(data, out / PREDICTIONS_FILE, made)
    return (
        f"{made}: ROC-AUC of held-out turns: voice {report.roc_auc_voice:.3f}, "
        f"words {report.roc_auc_words:.3f}, both {report.roc_auc_fused:.3f}"
    )


def _speakers(data: Path, out: Path, _recipe: Path | None, progress: Progress) -> str:
    from ...models.audio.two_voices import WEIGHTS as SPEAKERS  # noqa: PLC0415 - beside its training
    from ...models.lab.training.train_speakers import train_speakers  # noqa: PLC0415 - needs scipy

    made = out / SPEAKERS.name
    report = train_speakers(data, made, progress)
    return f"{made}: from {report.calls} calls and {report.speakers} speakers"


def run_clips(
    calls: Sequence[Path],
    *,
    labels: Sequence[Path],
    out: Path,
    corpus: str,
    held_out: float,
    others_per_negative: float | None,
    seed: int,
) -> str:
    """Cut the labelled turns of calls out as clips; return a line about what was written.

    Raises:
        AudioError, CallsError: the calls, their audio or the labels cannot be used.
        OutputError: the clips cannot be written.
    """
    from ...models.lab.annotation.labelled_clips import agree, sample, write_clips  # noqa: PLC0415 - needs DuckDB
    from ...models.lab.annotation.labels import read_labels  # noqa: PLC0415 - needs DuckDB
    from ...models.lab.annotation.validation import load_calls  # noqa: PLC0415 - needs DuckDB

    agreed = agree(label for path in labels for label in read_labels(path))
    labelled = len(agreed)
    if others_per_negative is not None:
        agreed = sample(
            agreed, others_per_negative=others_per_negative, seed=seed, held_out=held_out
        )
    with load_calls(calls) as turns, stages() as progress:
        cut = write_clips(turns, agreed, out, corpus=corpus, held_out=held_out, progress=progress)
    return (
        f"{out / 'speech'}: {cut.train} turns to train on, {cut.held_out} held out; "
        f"{cut.negative} negative; left out: {cut.too_short} too short to be heard, "
        f"{labelled - len(agreed)} not drawn"
    )


def run_teacher(
    *, data: Path, out: Path, recipe: Path | None, model: str | None, trust_remote_code: bool
) -> str:
    """Fine-tune a teacher; return a line about the result. A model given by name is downloaded.

    Raises:
        DeescalateError: the recipe, the data, the model or a checkpoint cannot be used.
    """
    from ...models.lab.training.teacher import train_teacher  # noqa: PLC0415 - needs torch

    chosen = _with(load_teacher_recipe(recipe), model)
    with stages() as progress:
        made = train_teacher(
            chosen,
            data,
            out,
            progress,
            download=model is not None,
            trust_remote_code=trust_remote_code,
        )
    return _summary(made)


def run_distillation(
    *,
    teacher: str,
    data: Path,
    out: Path,
    recipe: Path | None,
    student: str | None,
    trust_remote_code: bool,
) -> str:
    """Distil a teacher into another audio language model; return a line about the result.

    A student given by name is downloaded, and so is a teacher that is not a folder.

    Raises:
        DeescalateError: the recipe, the data, a model or a checkpoint cannot be used.
    """
    from ...models.lab.audio_lm import AudioLm  # noqa: PLC0415 - needs torch
    from ...models.lab.training.distil import distil  # noqa: PLC0415 - needs torch

    chosen = _with(load_distil_recipe(recipe), student)
    with stages() as progress:
        made = distil(
            chosen,
            AudioLm(
                teacher,
                dtype=chosen.precision,
                download=True,
                trust_remote_code=trust_remote_code,
            ),
            data,
            out,
            progress,
            download=student is not None,
            trust_remote_code=trust_remote_code,
        )
    return _summary(made)


def run_soft_labels(*, teacher: str, data: Path, out: Path, trust_remote_code: bool) -> str:
    """Let a teacher label turns for our own student; return a line about what was written.

    Raises:
        DeescalateError: the data or the teacher cannot be used.
    """
    from ...models.lab.audio_lm import AudioLm  # noqa: PLC0415 - needs torch
    from ...models.lab.training.distil import write_soft_labels  # noqa: PLC0415 - needs torch
    from ...models.lab.training.lm_data import MANIFEST  # noqa: PLC0415 - needs torch

    lm = AudioLm(teacher, download=True, trust_remote_code=trust_remote_code)
    with stages() as progress:
        turns = write_soft_labels(lm, data, out, progress)
    return f"{out / MANIFEST}: {turns} turns with the teacher's probability"


def _with(recipe: _Recipe, model: str | None) -> _Recipe:
    return recipe if model is None else recipe.model_copy(update={"model": model})


def _summary(made: LmResult) -> str:
    loss = f"loss {made.first_loss:.3f} to {made.last_loss:.3f} in {made.steps} steps"
    if made.held_out is None:
        return f"{made.folder}: {loss}; no turns held out to measure on"
    return (
        f"{made.folder}: {loss}; {made.held_out.turns} turns held out: "
        f"ROC-AUC {made.held_out.roc_auc:.3f}"
    )
