"""The student: a smaller encoder learns to match, on degraded audio, the teacher on clean audio.

It starts from the teacher's pruned weights. Its input is turns with noise, a room, codecs and lost
packets, its target the teacher's states for the same turns unchanged, so unlabelled turns train it
too. The final weights are a moving average over the steps.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...progress import Progress
from ...readings import SAMPLE_RATE, Samples
from ..channel_effects import on_a_line, telephone
from .checkpoint import Checkpoint, TrainingError
from .encoder import Encoder
from .features import HOP, log_mel
from .recipe import StudentConfig
from .torch_encoder import encode, encoder_of, weights_of
from .voice_teacher import VoiceTeacher

_WARM_UP = 100
_CLIP_NORM = 1.0
_AVERAGED_STEPS = 100
_SHORTEST_S = 0.32
_ALIGNED = 16 * HOP
"""Keeps the number of lengths small: torch caches its preparations for each."""


@dataclass(frozen=True, slots=True)
class Lessons:
    """The student's training data: turns and noises at 16 kHz, and how they are drawn."""

    turns: Sequence[NDArray[np.float16]]
    noises: Sequence[Samples]
    config: StudentConfig
    seed: int

    def batches(self) -> list[NDArray[np.int64]]:
        """Return the turns of every step, of similar length; epochs use each turn once."""
        lengths = np.array([turn.size for turn in self.turns])
        found: list[NDArray[np.int64]] = []
        epoch = 0
        while len(found) < self.config.steps:
            rng = np.random.default_rng([self.seed, epoch])
            order = np.argsort(lengths * np.exp(rng.normal(0, 0.1, len(lengths))), kind="stable")
            batches = self._cut(order, lengths)
            found += [batches[index] for index in rng.permutation(len(batches))]
            epoch += 1
        return found[: self.config.steps]

    def _cut(self, order: NDArray[np.int64], lengths: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        longest = round(self.config.piece_s[1] * SAMPLE_RATE)
        batches, start = [], 0
        while start < len(order):
            frames = min(max(int(lengths[order[start]]), 4800), longest) // HOP
            stop = start + max(1, self.config.frames // frames)
            batches.append(order[start:stop])
            start = stop
        return batches

    def draw(self, step: int, batch: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        """Return features of pieces of turns, clean and degraded, both (turns, 80, frames)."""
        rng = np.random.default_rng([self.seed, 1_000_000 + step])
        drawn = round(rng.uniform(*self.config.piece_s) * SAMPLE_RATE)
        longest = min(drawn, *(self.turns[index].size for index in batch))
        length = max(longest, round(_SHORTEST_S * SAMPLE_RATE)) // _ALIGNED * _ALIGNED
        clean, changed = [], []
        for index in batch:
            turn = self.turns[index].astype(np.float32)
            turn = np.pad(turn, (0, max(0, length - turn.size)))
            start = int(rng.integers(turn.size - length + 1))
            piece = turn[start : start + length]
            clean.append(log_mel(telephone(piece)))
            changed.append(log_mel(on_a_line(piece, self.config.line, self.noises, rng)))
        return torch.from_numpy(np.stack(clean)), torch.from_numpy(np.stack(changed))


def teach(
    start: Encoder,
    teacher: VoiceTeacher,
    lessons: Lessons,
    *,
    every_nth: int,
    checkpoint: Checkpoint,
    progress: Progress,
) -> Encoder:
    """Train the student from `start`; return it with its maps rounded to int8.

    Resumes from the checkpoint if there is one, with the same result. The checkpoint stays, so a
    later run loads the finished student from it.

    Raises:
        CheckpointError: the checkpoint cannot be used.
        OutputError: it cannot be written.
        TrainingError: the loss is not finite.
    """
    steps = lessons.config.steps
    student, averaged = weights_of(start), weights_of(start)
    positions = averaged.pop("positions")
    learnt = [student[name].requires_grad_() for name in averaged]
    optimizer = torch.optim.AdamW(learnt, betas=(0.9, 0.98), weight_decay=0.0)
    kept = {f"student.{name}": student[name] for name in averaged}
    kept |= {f"averaged.{name}": weight for name, weight in averaged.items()}
    losses = checkpoint.restore(kept, optimizer)
    batches = lessons.batches()
    with ThreadPoolExecutor(1) as ahead:
        upcoming = ahead.submit(lessons.draw, len(losses), batches[min(len(losses), steps - 1)])
        for step in range(len(losses), steps):
            progress("student", step, steps)
            clean, changed = upcoming.result()
            following = min(step + 1, steps - 1)
            upcoming = ahead.submit(lessons.draw, following, batches[following])
            for group in optimizer.param_groups:
                group["lr"] = lessons.config.learning_rate * _schedule(step, steps)
            miss = teacher.miss(clean, encode(student, changed, every_nth), every_nth)
            losses.append(miss.total.item())
            if not math.isfinite(losses[-1]):
                raise TrainingError("the student's loss is not finite; lower the learning rate")
            optimizer.zero_grad()
            miss.total.backward()
            torch.nn.utils.clip_grad_norm_(learnt, _CLIP_NORM)
            optimizer.step()
            _follow(averaged, student, step)
            if (step + 1) % lessons.config.checkpoint_every == 0 or step + 1 == steps:
                checkpoint.save(kept, optimizer, losses)
    progress("student", steps, steps)
    return encoder_of(averaged | {"positions": positions})


def _schedule(step: int, steps: int) -> float:
    """Return the share of the learning rate: a linear rise, times a falling cosine."""
    return min(1.0, (step + 1) / _WARM_UP) * (0.5 + 0.5 * math.cos(math.pi * step / steps))


def _follow(averaged: dict[str, Tensor], student: dict[str, Tensor], step: int) -> None:
    """Move the average towards the student; early steps lose their weight quickly."""
    share = max(1 / _AVERAGED_STEPS, 9 / (10 + step))
    with torch.no_grad():
        for name, weight in averaged.items():
            weight.lerp_(student[name], share)
