"""Export encoder and heads to one small int8 file with its metadata."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import onnx

from ...calibration import Calibration
from ...onnx_session import open_session
from ...readings import SAMPLE_RATE, Samples
from ...voice import FORMAT, SAMPLES
from .encoder import BASE_MODEL, Encoder
from .graph import Head, voice_graph
from .onnx_builder import Range
from .recipe import Recipe


def measure_ranges(
    model: onnx.ModelProto, tensors: Sequence[str], turns: Iterable[Samples]
) -> dict[str, Range]:
    """Return the least and greatest value of each tensor over the turns."""
    names = list(dict.fromkeys(tensors))
    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    watched.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in names)
    session = open_session(watched.SerializeToString())
    low = np.full(len(names), np.inf)
    high = np.full(len(names), -np.inf)
    for turn in turns:
        values = session.run(names, {SAMPLES: turn})
        low = np.minimum(low, [value.min() for value in values])
        high = np.maximum(high, [value.max() for value in values])
    return {n: Range(float(a), float(b)) for n, a, b in zip(names, low, high, strict=True)}


def int8_model(
    encoder: Encoder,
    recipe: Recipe,
    heads: Mapping[str, Head],
    turns: Iterable[Samples],
) -> tuple[onnx.ModelProto, onnx.ModelProto]:
    """Return the int8 graph, and the float32 graph that its ranges were measured on."""
    exact, tensors = voice_graph(encoder, recipe.states, heads, recipe.every_nth, None)
    ranges = measure_ranges(exact, tensors, turns)
    small, _ = voice_graph(encoder, recipe.states, heads, recipe.every_nth, ranges)
    return small, exact


def described(model: onnx.ModelProto, recipe: Recipe, calibration: Calibration) -> bytes:
    """Return the content of the model file: the graph with its metadata."""
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
    content: bytes = model.SerializeToString(deterministic=True)
    return content
