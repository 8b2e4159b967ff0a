"""Avoid int8 saturation on AVX2: weights whose pairwise products fit 16 bits.

AVX2 without VNNI adds the products of two neighbouring inputs (uint8) and weights (int8) in 16
bits, saturating (what `reduce_range` of ONNX Runtime's quantizer avoids with 7-bit weights).
255 * 128 fits, so two neighbouring weights may sum to 128. An output's scale is made as coarse as
its greatest pair needs; later weights compensate each rounding error as far as they can on real
speech (Frantar et al., GPTQ, 2022), and the bias compensates the rest of its mean.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from .activation_stats import ActivationStats, measure_activations
from .encoder import Encoder, Linear

PAIR = 128
_LARGEST = 127
_BLOCK = 32
"""Rows whose errors are passed on together: fewer, larger products."""
_DAMPING = 0.01
"""As a share of the inputs' mean variance."""


def avoid_saturation(encoder: Encoder, turns: Iterable[NDArray[np.float32]]) -> Encoder:
    """Return the encoder with such weights in every product that the export makes int8.

    `turns` are log-mel features of speech, (80, frames) each.
    """
    stats = measure_activations(encoder, turns)

    def fit(name: str, linear: Linear) -> Linear:
        return requantised(linear, stats[name])

    layers = tuple(
        replace(
            layer,
            qkv=fit(f"layer{index}.attention_norm", layer.qkv),
            out=fit(f"layer{index}.heads", layer.out),
            fc1=fit(f"layer{index}.mlp_norm", layer.fc1),
            fc2=fit(f"layer{index}.gelu", layer.fc2),
        )
        for index, layer in enumerate(encoder.layers)
    )
    conv1, conv2 = fit("conv1.taps", encoder.conv1), fit("conv2.taps", encoder.conv2)
    return replace(encoder, conv1=conv1, conv2=conv2, layers=layers)


def requantised(linear: Linear, stats: ActivationStats) -> Linear:
    """Return a map with nearly the same outputs whose neighbouring weights sum to at most PAIR."""
    size = len(stats.mean)
    damped = stats.covariance + _DAMPING * np.trace(stats.covariance) / size * np.eye(size)
    feedback = np.linalg.cholesky(np.linalg.inv(damped)).T
    weight = linear.weight.astype(np.float64)
    greatest = np.abs(weight[::2] + weight[1::2]).max(axis=0)
    scale = (linear.scale * np.maximum(greatest / PAIR, 1)).astype(np.float32)
    wanted = weight * linear.scale / scale
    found = np.zeros_like(wanted)
    for start in range(0, size, _BLOCK):
        stop = min(start + _BLOCK, size)
        errors = np.zeros((stop - start, len(scale)))
        for row in range(start, stop):
            neighbour = found[row - 1] if row % 2 else np.zeros_like(scale)
            low = np.maximum(-_LARGEST, -PAIR - neighbour)
            high = np.minimum(_LARGEST, PAIR - neighbour)
            found[row] = np.clip(np.round(wanted[row]), low, high)
            errors[row - start] = (wanted[row] - found[row]) / feedback[row, row]
            wanted[row + 1 : stop] -= np.outer(feedback[row, row + 1 : stop], errors[row - start])
        wanted[stop:] -= feedback[start:stop, stop:].T @ errors
    bias = linear.bias + stats.mean @ (weight * linear.scale - found * scale)
    return Linear(found.astype(np.int8), scale, bias.astype(np.float32))
