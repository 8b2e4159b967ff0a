"""Distilling a teacher: into a smaller audio language model, or into labels for our own student.

A student with a vocabulary of its own learns from the labels (cross-entropy) and from how the
teacher spreads its probability at each token of the answer (universal logit distillation). Our own
student has one output, so that it learns from the teacher's P(negative) instead: a manifest with
that in `soft_negative`, which `deescalate train voice` takes for the label.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from io import StringIO
from pathlib import Path

import torch
from torch import Tensor

from ...files import OutputError, whole_file
from ..audio_lm import AudioLm
from ..datasets import TRAIN_SPLIT, Progress, read_manifest, read_rows
from .lm_data import MANIFEST, Turns, class_weights, read_clips, read_turns
from .lm_fit import LossOf, answer_losses
from .lm_recipes import DistilRecipe
from .lora import LmResult, load_with_lora, read_all, train_lora
from .uld import uld_distance

STUDENT_FOLDER = "student"


def distil(
    recipe: DistilRecipe,
    teacher: AudioLm,
    data: Path,
    out: Path,
    progress: Progress,
    *,
    download: bool = False,
    trust_remote_code: bool = False,
) -> LmResult:
    """Train the recipe's student on the turns of `data` and on the teacher into `out`/student.

    Raises:
        AudioError, UnreadableInputError: a turn or the manifest cannot be used.
        ModelFileError: the student cannot be loaded.
        CheckpointError, OutputError, TrainingError: as `train_lora`.
    """
    turns = read_turns(data)
    student = load_with_lora(recipe, download=download, trust_remote_code=trust_remote_code)
    return train_lora(
        student,
        _loss(student, teacher, turns, recipe),
        recipe,
        turns,
        folder=out / STUDENT_FOLDER,
        progress=progress,
        identity={"teacher": teacher.name},
    )


def _loss(student: AudioLm, teacher: AudioLm, turns: Turns, recipe: DistilRecipe) -> LossOf:
    weights = class_weights(turns.negative, recipe.others_per_negative)

    def loss_of(batch: list[int], _done: float) -> Tensor:
        clips = [turns.train[index] for index in batch]
        heard, negative = read_clips(clips), [bool(clip.negative) for clip in clips]
        answers = [student.answer(label) for label in negative]
        ours = student.answer_logits(heard, answers)
        with torch.no_grad():
            theirs = teacher.answer_logits(heard, [teacher.answer(label) for label in negative])
        labels = answer_losses(ours, answers)
        distance = torch.stack(list(map(_distance, ours, theirs)))
        losses = labels + recipe.uld_weight * distance
        return (losses * losses.new_tensor([weights[index] for index in batch])).mean()

    return loss_of


def _distance(student: Tensor, teacher: Tensor) -> Tensor:
    """Return the mean distance over the tokens that both answers have, from the first on."""
    both = min(len(student), len(teacher))
    return uld_distance(student[:both], teacher[:both]).mean()


def write_soft_labels(teacher: AudioLm, data: Path, out: Path, progress: Progress) -> int:
    """Write the manifest of `data` again into `out`, soft_negative from the teacher.

    Only turns of the train split get it; the others stay as they are. The audio is named where it
    is. Returns the number of turns read.

    Raises:
        AudioError, UnreadableInputError: a turn or the manifest cannot be used.
        OutputError: the manifest cannot be written, or is the one that it is made from.
        TrainingError: the teacher gives no number for a turn.
    """
    source, target = data / MANIFEST, out / MANIFEST
    turns = read_turns(data)
    if target.resolve() == source.resolve():
        raise OutputError(target, "is the manifest that this one is made from")
    target.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(target) as file:
        read = read_all(teacher, turns.train, progress)
        file.write(_softened(source, target.parent, read).encode())
    return len(turns.train)


def _softened(source: Path, folder: Path, read: Sequence[float]) -> str:
    """Return a manifest for a folder, what was read as soft_negative of the train split."""
    rows, soft = read_rows(source), iter(read)
    table = StringIO()
    columns = list(dict.fromkeys([*rows[0], "soft_negative"]))
    writer = csv.DictWriter(table, columns, lineterminator="\n")
    writer.writeheader()
    for row, clip in zip(rows, read_manifest(source), strict=True):
        row["path"] = Path(os.path.relpath(clip.path, folder)).as_posix()
        if clip.split == TRAIN_SPLIT:
            row["soft_negative"] = f"{next(soft):.6f}"
        writer.writerow(row)
    return table.getvalue()
