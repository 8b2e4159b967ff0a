"""The teacher: an audio language model fine-tuned by LoRA on labelled turns of calls.

It learns to answer the prompt of `lab.audio_lm`; the loss covers the answer alone. With `reasoning`
in the recipe, answers begin by describing the turn's sound; these descriptions are phased out.
"""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from ...progress import Progress
from ..audio_lm import AudioLm
from .lm_data import Turns, class_weights, read_clips, read_turns
from .lm_fit import LossOf, answer_losses
from .lm_recipes import TeacherRecipe
from .lora import LmResult, load_with_lora, train_lora
from .reasoning import Reasoning, reason

TEACHER_FOLDER = "teacher"


def train_teacher(
    recipe: TeacherRecipe,
    data: Path,
    out: Path,
    progress: Progress,
    *,
    download: bool = False,
    trust_remote_code: bool = False,
) -> LmResult:
    """Train on the labelled turns of `data` (speech/manifest.csv); write `out`/teacher.

    Raises:
        AudioError, UnreadableInputError: a turn or the manifest cannot be used.
        ModelFileError: the recipe's model cannot be loaded.
        CheckpointError, OutputError, TrainingError: as `train_lora`.
    """
    turns = read_turns(data)
    reasoning = (
        None
        if recipe.reasoning is None
        else reason(turns.train, recipe.reasoning, recipe.seed, progress)
    )
    lm = load_with_lora(recipe, download=download, trust_remote_code=trust_remote_code)
    return train_lora(
        lm,
        _loss(lm, turns, recipe, reasoning),
        recipe,
        turns,
        folder=out / TEACHER_FOLDER,
        progress=progress,
        identity={},
    )


def _loss(lm: AudioLm, turns: Turns, recipe: TeacherRecipe, reasoning: Reasoning | None) -> LossOf:
    weights = class_weights(turns.negative, recipe.others_per_negative)

    def loss_of(batch: list[int], done: float) -> Tensor:
        clips = [turns.train[index] for index in batch]
        answers = [
            lm.answer(bool(clip.negative), reasoning.said(index, done) if reasoning else None)
            for index, clip in zip(batch, clips, strict=True)
        ]
        losses = answer_losses(lm.answer_logits(read_clips(clips), answers), answers)
        return (losses * losses.new_tensor([weights[index] for index in batch])).mean()

    return loss_of
