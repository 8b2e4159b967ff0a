"""LoRA training of audio language models: from a loaded model to a folder of weights and a card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from peft import LoraConfig, get_peft_model
from safetensors import SafetensorError

from ...errors import UnreadableInputError
from ...files import OutputError, whole_folder, write_json
from ...progress import Progress
from ..audio_lm import AudioLm
from ..audio_lm_files import ADAPTER_FILE, old_names
from ..datasets import Clip
from ..metrics import accuracy, roc_auc
from .checkpoint import CHECKPOINT_FILE, Checkpoint, TrainingError
from .lm_data import Turns, read_clips
from .lm_fit import LossOf, fit
from .lm_recipes import LmRecipe


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Metrics on held-out turns; NaN where a class is missing."""

    turns: int
    roc_auc: float
    accuracy: float


@dataclass(frozen=True, slots=True)
class LmResult:
    """The result of a run: a folder of LoRA weights with its processor, and its metadata.

    `first_loss` and `last_loss` are the means over the first and the last tenth of the steps.
    """

    folder: Path
    base: str
    recipe_sha256: str
    turns_sha256: str
    turns: int
    negative: int
    steps: int
    first_loss: float
    last_loss: float
    held_out: HeldOut | None


def load_with_lora(recipe: LmRecipe, *, download: bool, trust_remote_code: bool) -> AudioLm:
    """Load the recipe's model and add trainable LoRA weights; its own stay frozen.

    Raises:
        ModelFileError: the model cannot be loaded.
        UnreadableInputError: no layer's name matches the recipe's pattern.
    """
    lm = AudioLm(
        recipe.model,
        dtype=recipe.precision,
        download=download,
        trust_remote_code=trust_remote_code,
    )
    torch.manual_seed(recipe.seed)
    config = LoraConfig(
        r=recipe.lora.rank,
        lora_alpha=recipe.lora.alpha,
        lora_dropout=recipe.lora.dropout,
        target_modules=recipe.lora.targets,
        task_type="CAUSAL_LM",
    )
    with old_names():
        if recipe.recompute:
            lm.network.gradient_checkpointing_enable({"use_reentrant": False})
        try:
            lm.network = get_peft_model(lm.network, config)
        except ValueError as error:
            raise UnreadableInputError(
                "recipe", f"lora.targets: no layer name of {lm.name} matches"
            ) from error
    if Path(recipe.model).is_dir():  # a relative path would tie the weights to this folder
        lm.network.active_peft_config.base_model_name_or_path = str(Path(recipe.model).resolve())
    return lm


def train_lora(
    lm: AudioLm,
    loss_of: LossOf,
    recipe: LmRecipe,
    turns: Turns,
    *,
    folder: Path,
    progress: Progress,
    identity: Mapping[str, str],
) -> LmResult:
    """Train a model's LoRA weights into `folder`, with the card beside it; resumes if interrupted.

    Raises:
        CheckpointError, TrainingError: as `fit`.
        OutputError: a file cannot be written, or `folder` holds something else.
    """
    if folder.exists() and not (folder / ADAPTER_FILE).is_file():
        raise OutputError(folder, "exists but has no LoRA weights; choose another folder")
    folder.parent.mkdir(parents=True, exist_ok=True)
    same = {
        "model": lm.name,
        "recipe": recipe.sha256[:12],
        "turns": turns.sha256[:12],
        **identity,
    }
    checkpoint = Checkpoint(folder.parent / CHECKPOINT_FILE, same)
    losses = fit(lm.network, loss_of, recipe, turns, checkpoint=checkpoint, progress=progress)
    held_out = score_held_out(lm, turns.held_out, progress)
    save(lm, folder)
    tenth = max(1, len(losses) // 10)
    result = LmResult(
        folder=folder,
        base=lm.name,
        recipe_sha256=recipe.sha256,
        turns_sha256=turns.sha256,
        turns=len(turns.train),
        negative=int(turns.negative.sum()),
        steps=len(losses),
        first_loss=float(np.mean(losses[:tenth])),
        last_loss=float(np.mean(losses[-tenth:])),
        held_out=held_out,
    )
    write_json(folder.with_suffix(".json"), asdict(result) | {"folder": folder.name})
    checkpoint.path.unlink(missing_ok=True)
    return result


def p_negative_of(lm: AudioLm, clips: Sequence[Clip], progress: Progress) -> list[float]:
    """Return P(negative) of each clip.

    Raises:
        TrainingError: the model's output for a clip is not finite.
    """
    found = []
    for done, clip in enumerate(clips):
        progress("classifying", done, len(clips))
        (p,) = lm.p_negative(read_clips([clip]))
        if not np.isfinite(p):
            raise TrainingError(f"{clip.path}: the output of {lm.name} is not finite")
        found.append(p)
    progress("classifying", len(clips), len(clips))
    return found


def score_held_out(lm: AudioLm, clips: Sequence[Clip], progress: Progress) -> HeldOut | None:
    """Return a model's metrics on clips; None without clips."""
    if not clips:
        return None
    labels = [bool(clip.negative) for clip in clips]
    scores = p_negative_of(lm, clips, progress)
    return HeldOut(len(clips), roc_auc(labels, scores), accuracy(labels, scores))


def save(lm: AudioLm, folder: Path) -> None:
    """Write LoRA weights and the processor; the folder can then be loaded as a model.

    Raises:
        OutputError: it cannot be written; its old content stays.
    """
    with whole_folder(folder) as made:
        try:
            lm.network.save_pretrained(made)
        except SafetensorError as error:
            raise OutputError(folder, f"cannot be written: {error}") from error
        lm.processor.save_pretrained(made)
