"""A trained head and the encoder become one small int8 file that describes itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from ..calibration import Calibration
from ..features import SAMPLE_RATE
from ..files import whole_file
from ..session import open_session
from .config import Recipe
from .encoder import BASE_MODEL, Encoder
from .graph import Head, Range, voice_graph

FORMAT = "deescalate-voice/1"


def measure_ranges(
    model: onnx.ModelProto, tensors: Sequence[str], turns: Iterable[NDArray[np.float32]]
) -> dict[str, Range]:
    """Return the least and greatest value of each tensor over the turns' log-mel features."""
    names = list(dict.fromkeys(tensors))
    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    watched.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in names)
    session = open_session(watched.SerializeToString())
    low = np.full(len(names), np.inf)
    high = np.full(len(names), -np.inf)
    for log_mel in turns:
        values = session.run(names, {"log_mel": log_mel[None]})
        low = np.minimum(low, [value.min() for value in values])
        high = np.maximum(high, [value.max() for value in values])
    return {n: Range(float(a), float(b)) for n, a, b in zip(names, low, high, strict=True)}


def int8_model(
    encoder: Encoder,
    recipe: Recipe,
    heads: Mapping[str, Head],
    turns: Iterable[NDArray[np.float32]],
) -> tuple[onnx.ModelProto, onnx.ModelProto]:
    """Return the int8 graph and the float32 graph it was measured on."""
    exact, tensors = voice_graph(encoder, recipe.states, heads, recipe.every_nth, None)
    ranges = measure_ranges(exact, tensors, turns)
    small, _ = voice_graph(encoder, recipe.states, heads, recipe.every_nth, ranges)
    return small, exact


def write_model(
    path: Path, model: onnx.ModelProto, recipe: Recipe, calibration: Calibration
) -> None:
    """Write the model with what a reader needs to know, whole or not at all."""
    onnx.helper.set_model_props(
        model,
        {
            "format": FORMAT,
            "name": f"{recipe.name}-{recipe.version}",
            "version": recipe.version,
            "sample_rate": str(SAMPLE_RATE),
            "shortest_s": str(recipe.shortest_s),
            "longest_s": str(recipe.longest_s),
            "calibration": calibration.to_json(),
            "recipe_sha256": recipe.sha256,
            "training_corpora": ", ".join(recipe.corpus_names),
            "base_model": BASE_MODEL,
        },
    )
    content = model.SerializeToString(deterministic=True)
    with whole_file(path) as file:
        file.write(content)
