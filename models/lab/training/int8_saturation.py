"""Weights whose int8 products fit 16 bits, so that no processor needs wider and slower ones.

AVX2 without VNNI adds the products of two neighbouring inputs (uint8) and weights (int8) in 16
bits. 255 * 128 fits, so the weights of neighbours may come to 128 together. The scale of an output
is made as coarse as its greatest pair needs, and every rounding's error is made up for by the
weights after it, as far as they can on real speech (Frantar et al., GPTQ, 2022), the rest of its
mean by the bias.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from .activation_stats import Moments, moments_of_inputs
from .encoder import Encoder, Linear

PAIR = 128
_LARGEST = 127
_BLOCK = 32
"""Rows whose errors go to the later ones together: fewer, larger products."""
_DAMPING = 0.01
"""Of the mean variance of the inputs."""


def within_int16(encoder: Encoder, turns: Iterable[NDArray[np.float32]]) -> Encoder:
    """Return the encoder with such weights in every product that is exported as int8.

    `turns` are log-mel features of speech, (80, frames) each.
    """
    moments = moments_of_inputs(encoder, turns)

    def fit(name: str, linear: Linear) -> Linear:
        return fitting(linear, moments[name])

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


def fitting(linear: Linear, moments: Moments) -> Linear:
    """Return a map of like outputs in which no two neighbouring weights exceed PAIR."""
    size = len(moments.mean)
    damped = moments.covariance + _DAMPING * np.trace(moments.covariance) / size * np.eye(size)
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
    bias = linear.bias + moments.mean @ (weight * linear.scale - found * scale)
    return Linear(found.astype(np.int8), scale, bias.astype(np.float32))
