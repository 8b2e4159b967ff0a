"""`clips`, `train teacher` and `distill`: from labelled calls to a teacher and its students."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from ...models.lab.training.lm_recipes import LmRecipe, load_distil_recipe, load_teacher_recipe
from ..console import stages

if TYPE_CHECKING:
    from ...models.lab.training.lora import LmResult

_Recipe = TypeVar("_Recipe", bound=LmRecipe)


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
    """Cut the labelled turns of calls out as clips; return what was written.

    Raises:
        AudioError, CallsError: the calls, their audio or the labels cannot be used.
        OutputError: the clips cannot be written.
    """
    from ...models.lab.annotation.labels import read_labels  # noqa: PLC0415 - needs DuckDB
    from ...models.lab.annotation.validation import load_calls  # noqa: PLC0415 - needs DuckDB
    from ...models.lab.training.labelled_clips import agree, sample, write_clips  # noqa: PLC0415 - needs DuckDB

    said = agree(label for path in labels for label in read_labels(path))
    labelled = len(said)
    if others_per_negative is not None:
        said = sample(said, others_per_negative=others_per_negative, seed=seed, held_out=held_out)
    with load_calls(calls) as turns, stages() as progress:
        cut = write_clips(turns, said, out, corpus=corpus, held_out=held_out, progress=progress)
    return (
        f"{out / 'speech'}: {cut.train} turns to train on, {cut.held_out} held out; "
        f"{cut.negative} negative; left out: {cut.too_short} too short to be heard, "
        f"{labelled - len(said)} not drawn"
    )


def run_teacher(
    *, data: Path, out: Path, recipe: Path | None, model: str | None, trust_remote_code: bool
) -> str:
    """Fine-tune a teacher; return what came out. A model that is named is fetched.

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
    return _told(made)


def run_distillation(
    *,
    teacher: str,
    data: Path,
    out: Path,
    recipe: Path | None,
    student: str | None,
    trust_remote_code: bool,
) -> str:
    """Distil a teacher into another audio language model; return what came out.

    A student that is named is fetched, and so is a teacher that is no folder.

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
    return _told(made)


def run_soft_labels(*, teacher: str, data: Path, out: Path, trust_remote_code: bool) -> str:
    """Let a teacher label turns for our own student; return what was written.

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


def _told(made: LmResult) -> str:
    loss = f"loss {made.first_loss:.3f} to {made.last_loss:.3f} in {made.steps} steps"
    if made.held_out is None:
        return f"{made.folder}: {loss}; no turns held out to measure on"
    return (
        f"{made.folder}: {loss}; {made.held_out.turns} turns held out: "
        f"ROC-AUC {made.held_out.roc_auc:.3f}"
    )
