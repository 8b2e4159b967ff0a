"""The training loop of audio language models: accumulated steps, checkpoints, resumption."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own name for it
from torch import Tensor

from ...progress import Progress
from ..audio_lm import LabelAnswer
from .checkpoint import Checkpoint, TrainingError
from .lm_data import Turns, epoch_batches
from .lm_recipes import LmRecipe, Schedule

LossOf = Callable[[list[int], float], Tensor]
"""Takes the indices of a batch of turns and the progress of the run, 0 in its first step and 1 in
its last; returns the mean of their losses, with its gradient."""


def fit(
    network: Any,
    loss_of: LossOf,
    recipe: LmRecipe,
    turns: Turns,
    *,
    checkpoint: Checkpoint,
    progress: Progress,
) -> list[float]:
    """Train the trainable weights of a network; return the loss of each step.

    Resumes from the checkpoint if there is one, with the same result, and keeps it when done.

    Raises:
        CheckpointError: the checkpoint cannot be used.
        OutputError: the checkpoint cannot be written.
        TrainingError: the loss is not finite, or memory is full.
    """
    schedule = recipe.schedule
    steps = _steps(recipe, turns)
    weights = {name: w for name, w in network.named_parameters() if w.requires_grad}
    optimizer = torch.optim.AdamW(weights.values(), weight_decay=schedule.weight_decay)
    losses = checkpoint.restore(weights, optimizer)
    network.train()
    for step in range(len(losses), len(steps)):
        progress("training", step, len(steps))
        torch.manual_seed(recipe.seed + step)  # for dropout: a resumed run is the same
        for group in optimizer.param_groups:
            group["lr"] = schedule.learning_rate * _rate(step, len(steps), schedule)
        losses.append(_backward(loss_of, steps[step], step, len(steps)))
        torch.nn.utils.clip_grad_norm_(weights.values(), schedule.clip_norm)
        optimizer.step()
        optimizer.zero_grad()
        if (step + 1) % schedule.checkpoint_every == 0 or step + 1 == len(steps):
            checkpoint.save(weights, optimizer, losses)
    progress("training", len(steps), len(steps))
    network.eval()
    return losses


def answer_losses(logits: Sequence[Tensor], answers: Sequence[LabelAnswer]) -> Tensor:
    """Return the cross-entropy of each turn's answer, the mean over its tokens; (turns,)."""
    return torch.stack(
        [
            F.cross_entropy(row.float(), torch.tensor(answer.tokens, device=row.device))
            for row, answer in zip(logits, answers, strict=True)
        ]
    )


def _steps(recipe: LmRecipe, turns: Turns) -> list[list[list[int]]]:
    """Return the batches of each step of all epochs."""
    steps = []
    for epoch in range(recipe.schedule.epochs):
        batches = epoch_batches(
            turns.negative,
            recipe.others_per_negative,
            batch=recipe.schedule.batch,
            seed=recipe.seed,
            epoch=epoch,
        )
        size = recipe.schedule.accumulate
        steps += [batches[at : at + size] for at in range(0, len(batches), size)]
    return steps


def _rate(step: int, steps: int, schedule: Schedule) -> float:
    """Return the learning rate of a step, as a share of the maximum."""
    rising = math.ceil(schedule.warmup * steps)
    if step < rising:
        return (step + 1) / rising
    return 0.5 * (1 + math.cos(math.pi * (step - rising) / max(1, steps - rising)))


def _backward(loss_of: LossOf, batches: Sequence[list[int]], step: int, steps: int) -> float:
    """Accumulate the gradients of a step's batches; return the mean loss of its turns."""
    turns = sum(map(len, batches))
    done = step / (steps - 1) if steps > 1 else 1.0
    total = 0.0
    for batch in batches:
        try:
            loss = loss_of(batch, done) * (len(batch) / turns)
            loss.backward()
        except torch.OutOfMemoryError as error:
            raise TrainingError(
                f"step {step + 1}: memory is full; use a smaller batch, and a larger accumulate, in"
                " the recipe"
            ) from error
        total += loss.item()
    if not math.isfinite(total):
        raise TrainingError(f"step {step + 1}: the loss is not finite; lower the learning rate")
    return total
