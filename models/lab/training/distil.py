"""Distil a teacher into a smaller audio language model, or into labels for our own student.

A student with another vocabulary learns from the labels (cross-entropy) and from the teacher's
distribution at each token of the answer (universal logit distillation). Our own student has one
output and learns from the teacher's P(negative): `model train voice` takes `soft_negative` of the
manifest as the label.
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
from ...progress import Progress
from ..audio_lm import AudioLm
from ..datasets import TRAIN_SPLIT, read_manifest, read_rows
from .lm_data import MANIFEST, Turns, class_weights, read_clips, read_turns
from .lm_fit import LossOf, answer_losses
from .lm_recipes import DistilRecipe
from .lora import LmResult, load_with_lora, p_negative_of, train_lora
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
    """Train the recipe's student on the turns of `data` and the teacher; write `out`/student.

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
        audio, negative = read_clips(clips), [bool(clip.negative) for clip in clips]
        answers = [student.answer(label) for label in negative]
        ours = student.answer_logits(audio, answers)
        with torch.no_grad():
            theirs = teacher.answer_logits(audio, [teacher.answer(label) for label in negative])
        labels = answer_losses(ours, answers)
        distance = torch.stack(list(map(_distance, ours, theirs)))
        losses = labels + recipe.uld_weight * distance
        return (losses * losses.new_tensor([weights[index] for index in batch])).mean()

    return loss_of


def _distance(student: Tensor, teacher: Tensor) -> Tensor:
    """Return the mean distance over the leading tokens that both answers have."""
    both = min(len(student), len(teacher))
    return uld_distance(student[:both], teacher[:both]).mean()


def write_soft_labels(teacher: AudioLm, data: Path, out: Path, progress: Progress) -> int:
    """Copy the manifest of `data` to `out` with the teacher's P(negative) as soft_negative.

    Only turns of the train split get it. The audio stays where it is. Returns the number of turns
    that the teacher labelled.

    Raises:
        AudioError, UnreadableInputError: a turn or the manifest cannot be used.
        OutputError: the manifest cannot be written, or would overwrite its source.
        TrainingError: the teacher's output for a turn is not finite.
    """
    source, target = data / MANIFEST, out / MANIFEST
    turns = read_turns(data)
    if target.resolve() == source.resolve():
        raise OutputError(target, "would overwrite the source manifest")
    target.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(target) as file:
        soft = p_negative_of(teacher, turns.train, progress)
        file.write(_with_soft_labels(source, target.parent, soft).encode())
    return len(turns.train)


def _with_soft_labels(source: Path, folder: Path, p_negative: Sequence[float]) -> str:
    """Return the manifest for a folder, with P(negative) as soft_negative of the train split."""
    rows, soft = read_rows(source), iter(p_negative)
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
