"""Activation statistics: mean and covariance of the inputs of an encoder's products on speech."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...onnx_session import open_session
from .encoder import Encoder
from .graph import inputs_graph

_Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ActivationStats:
    """Mean (inputs,) and covariance (inputs, inputs) of a product's inputs."""

    mean: _Floats
    covariance: _Floats


def measure_activations(
    encoder: Encoder, turns: Iterable[NDArray[np.float32]]
) -> dict[str, ActivationStats]:
    """Return the statistics of the inputs of every product, by name in the graph.

    `turns` are log-mel features of speech, (80, frames) each.
    """
    session = open_session(inputs_graph(encoder).SerializeToString())
    names = [output.name for output in session.get_outputs()]
    sums: dict[str, tuple[int, _Floats, _Floats]] = {}
    for features in turns:
        for name, value in zip(names, session.run(names, {"log_mel": features[None]}), strict=True):
            rows = value[0].astype(np.float64)
            count, total, squares = sums.get(name, (0, 0.0, 0.0))
            sums[name] = count + len(rows), total + rows.sum(axis=0), squares + rows.T @ rows
    return {
        name: ActivationStats(total / count, squares / count - np.outer(total, total) / count**2)
        for name, (count, total, squares) in sums.items()
    }
