"""Width pruning: a narrower encoder with nearly the same output, without labels.

An MLP keeps the hidden units that change its output most, and its second product is refitted to
compensate for the others on real speech (least squares, as in Luo et al., ThiNet, 2017). Attention
depends on queries and keys through their products only, so both are shortened to the axes on which
those vary most on real speech (a truncated singular value decomposition, optimal for its rank:
Eckart and Young, 1936).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ...onnx_session import open_session
from .activation_stats import ActivationStats, measure_activations
from .encoder import HEADS, Encoder, Layer, Linear
from .graph import inputs_graph

_ACTIVATIONS = "layer0.gelu"
_FRAMES_EACH = 200
_PENALTY = 1e-3
"""As a share of the mean variance of the units that stay."""
_LEAST = 1e-9
"""The least variance of an axis, as a share of the greatest one's."""


def prune_width(encoder: Encoder, units: int, turns: Iterable[NDArray[np.float32]]) -> Encoder:
    """Return the encoder with `units` hidden units left in its first layer's MLP.

    `turns` are log-mel features of speech, (80, frames) each. A smaller MLP does not change.
    """
    first, *others = encoder.layers
    if units >= first.fc1.bias.size:
        return encoder
    activations = _activations(encoder, turns)
    mean = activations.mean(axis=0)
    centred = activations - mean
    dense = first.fc2.dense.astype(np.float64)
    moved = centred.std(axis=0) * np.linalg.norm(dense, axis=1)
    kept = np.sort(np.argsort(-moved, kind="stable")[:units])
    inputs = centred[:, kept]
    gram = inputs.T @ inputs
    gram[np.diag_indices(units)] += _PENALTY * np.trace(gram) / units
    weight = np.linalg.solve(gram, inputs.T @ (centred @ dense))
    bias = first.fc2.bias + mean @ dense - mean[kept] @ weight
    fc1 = Linear(first.fc1.weight[:, kept], first.fc1.scale[kept], first.fc1.bias[kept])
    layer = replace(first, fc1=fc1, fc2=Linear.rounded(weight, bias))
    return replace(encoder, layers=(layer, *others))


def _activations(encoder: Encoder, turns: Iterable[NDArray[np.float32]]) -> NDArray[np.float64]:
    """Return the activations at evenly spaced frames of every turn, (frames, units)."""
    session = open_session(inputs_graph(encoder).SerializeToString())
    rows = []
    for log_mel in turns:
        values = session.run([_ACTIVATIONS], {"log_mel": log_mel[None]})[0][0]
        chosen = np.linspace(0, len(values) - 1, min(_FRAMES_EACH, len(values))).astype(int)
        rows.append(values[chosen])
    return np.concatenate(rows).astype(np.float64)


def shorten_keys(
    encoder: Encoder, sizes: Sequence[int], turns: Iterable[NDArray[np.float32]]
) -> Encoder:
    """Return the encoder with queries and keys of fewer than 64 dimensions per head.

    `sizes` has one per layer; if empty, the encoder does not change. `turns` are log-mel features
    of speech, (80, frames) each.
    """
    if not sizes:
        return encoder
    stats = measure_activations(encoder, turns)
    layers = tuple(
        replace(layer, qkv=_shortened(layer, size, stats[f"layer{index}.attention_norm"]))
        for index, (layer, size) in enumerate(zip(encoder.layers, sizes, strict=True))
    )
    return replace(encoder, layers=layers)


def _shortened(layer: Layer, size: int, stats: ActivationStats) -> Linear:
    """Return a layer's projections, with queries and keys of `size` dimensions per head.

    A constant added to all keys of a turn does not change attention, so their bias is dropped and
    only the covariance of their inputs counts. For queries the mean counts too, and an input of 1
    carries the bias.
    """
    query, key, value = layer.projections
    mean = np.append(stats.mean, 1.0)
    of_queries = np.pad(stats.covariance, (0, 1)) + np.outer(mean, mean)
    root, back = _square_root(of_queries)
    key_root, key_back = _square_root(stats.covariance)
    queries, keys = [], []
    every = np.vstack([query.dense, query.bias])
    heads = (np.split(part, HEADS, axis=1) for part in (every, key.dense))
    for own_query, own_key in zip(*heads, strict=True):
        left, spread, right = np.linalg.svd(root @ own_query @ own_key.T @ key_root)
        share = np.sqrt(spread[:size])
        queries.append(back @ left[:, :size] * share)
        keys.append(key_back @ right[:size].T * share)
    short = np.concatenate(queries, axis=1)
    weight = np.concatenate([short[:-1], *keys, value.dense], axis=1)
    bias = np.concatenate([short[-1], np.zeros(HEADS * size), value.bias])
    return Linear.rounded(weight, bias)


def _square_root(
    covariance: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the square root of a matrix, and its inverse."""
    values, axes = np.linalg.eigh(covariance)
    spread = np.sqrt(np.maximum(values, _LEAST * values[-1]))
    return axes * spread @ axes.T, axes / spread @ axes.T
