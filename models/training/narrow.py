"""A narrower MLP that answers like the wide one: no label is needed for that.

The hidden units that move the output most stay, and the second product is fitted again, so that it
makes up for what the others did on real speech (least squares, as in Luo et al., ThiNet, 2017).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..session import open_session
from .encoder import Encoder, Linear
from .graph import activations_graph

_FRAMES_EACH = 200
_PENALTY = 1e-3
"""Of the mean variance of the units that stay."""


def narrowed(encoder: Encoder, units: int, turns: Iterable[NDArray[np.float32]]) -> Encoder:
    """Return the encoder with `units` hidden units left in its first layer's MLP.

    `turns` are log-mel features of speech, (80, frames) each. An MLP of no more units stays as it
    is.
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
    """Return activations of evenly spaced frames of every turn, (frames, units)."""
    session = open_session(activations_graph(encoder).SerializeToString())
    rows = []
    for log_mel in turns:
        values = session.run(None, {"log_mel": log_mel[None]})[0][0]
        chosen = np.linspace(0, len(values) - 1, min(_FRAMES_EACH, len(values))).astype(int)
        rows.append(values[chosen])
    return np.concatenate(rows).astype(np.float64)
