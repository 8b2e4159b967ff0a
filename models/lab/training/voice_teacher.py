"""The teacher of our own student: the full encoder on clean turns.

Its states are the target for a student that gets the degraded turn. The loss has two parts: the
error per frame, and the error of the average over the turn, in a metric that weighs all directions
a ridge head can use equally. The second is the error of the logits of all such heads at once,
whatever they are fitted to. So no labels are needed, and later figures on left-out clips cannot
have learnt from theirs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .encoder import Encoder
from .torch_encoder import States, Weights, encode, weights_of

_RIDGE = 0.2
"""In units of the standardised averages' variance, like the heads' penalty."""


@dataclass(frozen=True, slots=True)
class Miss:
    """A student's error; 1.0 is the difference between two turns."""

    frames: Tensor
    averages: Tensor

    @property
    def total(self) -> Tensor:
        """Return the loss."""
        return self.frames + self.averages


@dataclass(frozen=True, slots=True)
class VoiceTeacher:
    """An encoder's weights, and the scales of the loss.

    `states` are those that the heads take. `precision` is one over the variance of each state's
    channels, (3, 384); `metric` maps averages, square with 384 per state, to units of their spread.
    """

    weights: Weights
    states: tuple[int, ...]
    precision: Tensor
    metric: Tensor

    def miss(self, clean: Tensor, student: States, every_nth: int) -> Miss:
        """Compare a student's states of degraded turns with the teacher's for clean features."""
        with torch.no_grad():
            states = encode(self.weights, clean, 1)
            target = states.averages(self.states)
        pairs = (
            (student.stem, states.stem),
            (student.first, states.first),
            (student.last(every_nth), states.last(1)[:, ::every_nth]),
        )
        squares = [
            ((own - aim).square() * precision).mean()
            for (own, aim), precision in zip(pairs, self.precision, strict=True)
        ]
        difference = student.averages(self.states) - target
        return Miss(
            torch.stack(squares).mean(),
            (difference @ self.metric).square().sum(1).mean(),
        )


def voice_teacher(
    encoder: Encoder,
    states: tuple[int, ...],
    averages: NDArray[np.float32],
    turns: Sequence[NDArray[np.float32]],
) -> VoiceTeacher:
    """Return the teacher with this two-layer encoder.

    `averages` are those of these states over clean turns, (turns, 384 per state), `turns` the
    features of a sample of them, (80, frames) each.
    """
    weights = weights_of(encoder)
    with torch.no_grad():
        encoded = [encode(weights, torch.from_numpy(turn[None]), 1) for turn in turns]
        every = (
            torch.cat([s.stem[0] for s in encoded]),
            torch.cat([s.first[0] for s in encoded]),
            torch.cat([s.last(1)[0] for s in encoded]),
        )
        precision = torch.stack([1 / (state.var(0) + 1e-6) for state in every])
    return VoiceTeacher(
        weights,
        states,
        precision,
        torch.from_numpy(_metric(averages.astype(np.float64)).astype(np.float32)),
    )


def _metric(averages: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the map into the space where all directions of a ridge head have equal weight."""
    spread = averages.std(0) + 1e-6
    standard = (averages - averages.mean(0)) / spread
    values, axes = np.linalg.eigh(standard.T @ standard / len(standard))
    values = np.maximum(values, 0)
    counted = (values / (values + _RIDGE)).sum()
    scaled: NDArray[np.float64] = axes / np.sqrt((values + _RIDGE) * counted) / spread[:, None]
    return scaled
