"""ONNX graphs of the encoder, for any number of frames: one for training, one to ship.

The first takes features, `log_mel` (1, 80, frames), the second a turn's samples. They share every
step of the encoder; they differ in how linear maps are computed (float32, or int8 with ranges
measured on training audio) and in their outputs. The last layer's addition is computed for every
nth frame only, from all frames: neighbouring frames give nearly the same result, so the average
over time hardly changes, at a fraction of the cost.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto

from ...voice import FRAME_LOGITS, SAMPLES
from .encoder import CHANNELS, HEAD_SIZE, HEADS, Encoder, Layer
from .features import MEL_BANDS
from .front_end import front_end
from .onnx_builder import FUSED, LAST, GraphBuilder, Ranges, Shapes, finish

_FEATURES: Shapes = {"log_mel": [1, MEL_BANDS, "frames"]}


@dataclass(frozen=True, slots=True)
class Head:
    """logit = pooled @ weights + bias; weights float64, (inputs,), on unscaled inputs."""

    weights: NDArray[np.float64]
    bias: float


def given_features(builder: GraphBuilder) -> str:
    """Append the transposition of features computed in training."""
    return builder.add("Transpose", ["log_mel"], "frames", perm=[0, 2, 1])


def stem(builder: GraphBuilder, encoder: Encoder, features: str) -> str:
    """Append the stem: (1, frames, 80) to (1, ceil(frames / 2), 384), positions added."""
    first = builder.convolution(features, encoder.conv1, 1, "conv1")
    second = builder.convolution(first, encoder.conv2, 2, "conv2")
    shape = builder.add("Shape", [second], "stem.shape")
    length = builder.add("Slice", [shape, builder.ints(1), builder.ints(2)], "stem.length")
    stored = builder.constant("positions.half", encoder.positions.astype(np.float16))
    table = builder.add("Cast", [stored], "positions", to=TensorProto.FLOAT)
    positions = builder.add(
        "Slice", [table, builder.ints(0), length, builder.ints(0)], "stem.positions"
    )
    return builder.add("Add", [second, positions], "stem")


def thinned(builder: GraphBuilder, x: str, every_nth: int, name: str) -> str:
    """Append the selection of every nth frame, starting with the first."""
    if every_nth == 1:
        return x
    first, step = builder.ints(0), builder.ints(every_nth)
    return builder.add("Slice", [x, first, builder.ints(LAST), builder.ints(1), step], name)


def attention(builder: GraphBuilder, x: str, layer: Layer, name: str, every_nth: int = 1) -> str:
    """Append what a layer's self-attention over all frames adds to every nth frame."""
    normed = builder.norm(x, layer.attention_norm, f"{name}.attention_norm")
    source, grid = builder.quantised(normed)
    asking = thinned(builder, source, every_nth, f"{name}.asking")
    query, key, value = layer.projections
    parts = [
        builder.product(asking, grid, normed, query, f"{name}.q"),
        builder.product(source, grid, normed, key, f"{name}.k"),
        builder.product(source, grid, normed, value, f"{name}.v"),
    ]
    heads = builder.add(
        "MultiHeadAttention",
        parts,
        f"{name}.heads",
        FUSED,
        num_heads=HEADS,
        scale=HEAD_SIZE**-0.5,
    )
    return builder.linear(heads, layer.out, f"{name}.out")


def attended(builder: GraphBuilder, x: str, added: str, every_nth: int = 1) -> str:
    """Append the sum of every nth frame of a layer's input and what its attention added."""
    entered = thinned(builder, x, every_nth, f"{added}.entered")
    return builder.add("Add", [entered, added], f"{added}.sum")


def hidden(builder: GraphBuilder, x: str, layer: Layer, name: str) -> str:
    """Append norm, first product and activation of a layer's second half."""
    normed = builder.norm(x, layer.mlp_norm, f"{name}.mlp_norm")
    return builder.gelu(builder.linear(normed, layer.fc1, f"{name}.fc1"), f"{name}.gelu")


def addition(builder: GraphBuilder, x: str, layer: Layer, name: str, every_nth: int = 1) -> str:
    """Append everything that a layer adds to every nth frame."""
    added = attention(builder, x, layer, name, every_nth)
    activated = hidden(builder, attended(builder, x, added, every_nth), layer, name)
    out = builder.linear(activated, layer.fc2, f"{name}.fc2")
    return builder.add("Add", [added, out], f"{name}.addition")


def transformer_layer(builder: GraphBuilder, x: str, layer: Layer, name: str) -> str:
    """Append one whole layer."""
    return builder.add("Add", [x, addition(builder, x, layer, name)], name)


def average(builder: GraphBuilder, x: str) -> str:
    """Append the average over time of x (1, frames, values): (1, values)."""
    return builder.add("ReduceMean", [x], f"{x}.average", axes=[1], keepdims=0)


def embedding_graph(encoder: Encoder, every_nth: int) -> onnx.ModelProto:
    """Return the float32 graph whose output `pooled` is the average of every state, concatenated.

    State 0 is the stem, state n the n-th layer; the output's shape is (1, 384 * (1 + layers)). The
    last state is the average of the state before plus that of the last layer's additions to every
    nth frame.
    """
    builder = GraphBuilder()
    names = [stem(builder, encoder, given_features(builder))]
    for index, layer in enumerate(encoder.layers[:-1]):
        names.append(transformer_layer(builder, names[-1], layer, f"layer{index}"))
    states = [average(builder, name) for name in names]
    last = f"layer{len(encoder.layers) - 1}"
    added = addition(builder, names[-1], encoder.layers[-1], last, every_nth)
    states.append(builder.add("Add", [states[-1], average(builder, added)], f"{last}.average"))
    builder.add("Concat", states, "pooled", axis=1)
    return finish(builder, _FEATURES, {"pooled": [1, CHANNELS * len(states)]})


def inputs_graph(encoder: Encoder) -> onnx.ModelProto:
    """Return the float32 graph whose outputs are the inputs of its products, (1, rows, values)."""
    builder = GraphBuilder()
    x = stem(builder, encoder, given_features(builder))
    for index, layer in enumerate(encoder.layers):
        x = transformer_layer(builder, x, layer, f"layer{index}")
    given = ["conv1.taps", "conv2.taps"]
    for index in range(len(encoder.layers)):
        given += [f"layer{index}.{of}" for of in ("attention_norm", "heads", "mlp_norm", "gelu")]
    return finish(builder, _FEATURES, {name: [1, "rows", "values"] for name in given})


def voice_graph(
    encoder: Encoder,
    states: tuple[int, ...],
    heads: Mapping[str, Head],
    every_nth: int,
    ranges: Ranges | None,
) -> tuple[onnx.ModelProto, list[str]]:
    """Return the graph of all heads, and the inputs of its products.

    There is an output of shape (1,) for each head, which has its name, and FRAME_LOGITS, (frames,):
    the first head's logit for every frame of 20 ms; the average of them is its logit. The last
    layer's second product and the heads are one, and the heads come before the average over
    time: all three are linear. With `ranges` (by tensor name) the products are int8, without they
    are float32.
    """
    builder = GraphBuilder(ranges)
    names = [stem(builder, encoder, front_end(builder, "frames"))]
    for index, layer in enumerate(encoder.layers[:-1]):
        names.append(transformer_layer(builder, names[-1], layer, f"layer{index}"))
    every = np.stack([head.weights for head in heads.values()], axis=1)
    weights = dict(zip(states, np.split(every, len(states)), strict=True))
    bias = np.array([head.bias for head in heads.values()])
    last, layer = len(encoder.layers), encoder.layers[-1]
    of_last = weights.pop(last, None)
    each = {names[state]: by for state, by in weights.items()}
    nth: dict[str, NDArray[np.float64]] = {}
    if of_last is not None:
        each[names[-1]] = each.get(names[-1], 0) + of_last
        name = f"layer{last - 1}"
        added = attention(builder, names[-1], layer, name, every_nth)
        entered = attended(builder, names[-1], added, every_nth)
        activated = hidden(builder, entered, layer, name)
        nth = {added: of_last, activated: layer.fc2.dense @ of_last}
        bias = bias + layer.fc2.bias @ of_last
    parts = [_read(builder, group, name) for name, group in (("each", each), ("nth", nth)) if group]
    answers(builder, tuple(heads), parts, bias)
    course(builder, parts, every_nth, bias[0])
    outputs: dict[str, list[int | str]] = {name: [1] for name in heads}
    outputs[FRAME_LOGITS] = ["positions"]
    return finish(builder, {SAMPLES: ["samples"]}, outputs), builder.products


def _read(builder: GraphBuilder, group: Mapping[str, NDArray[np.float64]], name: str) -> str:
    """Append the heads' outputs for tensors of one frame rate: (1, frames, heads)."""
    read = [
        builder.add(
            "MatMul", [x, builder.constant(f"{x}.reading", by.astype("f4"))], f"{x}.read_{name}"
        )
        for x, by in group.items()
    ]
    return builder.add("Sum", read, name)


def answers(
    builder: GraphBuilder, heads: tuple[str, ...], parts: list[str], bias: NDArray[np.float64]
) -> None:
    """Append the average of `parts` over time, one output per head."""
    total = builder.constant("heads.bias", bias.astype(np.float32))
    averages = [average(builder, part) for part in parts]
    together = builder.add("Sum", [*averages, total], "answers")
    for index, name in enumerate(heads):
        column = [builder.ints(index), builder.ints(index + 1), builder.ints(1)]
        own = builder.add("Slice", [together, *column], f"{name}.column")
        builder.add("Reshape", [own, builder.ints(1)], name)


def course(builder: GraphBuilder, parts: list[str], every_nth: int, bias: float) -> None:
    """Append the first head's output per frame; the value of every nth frame is held for n."""
    column = [builder.ints(0), builder.ints(1), builder.ints(2)]
    firsts = [builder.add("Slice", [part, *column], f"{part}.first") for part in parts]
    flat = [builder.add("Reshape", [first, builder.ints(-1)], f"{first}.flat") for first in firsts]
    if len(parts) == 2:
        length = builder.add("Shape", [flat[0]], "course.length")
        repeated = builder.add("Tile", [firsts[1], builder.ints(1, 1, every_nth)], "course.tiled")
        held = builder.add("Reshape", [repeated, builder.ints(-1)], "course.held")
        flat[1] = builder.add("Slice", [held, builder.ints(0), length], "course.added")
    builder.add("Sum", [*flat, builder.constant("course.bias", np.float32(bias))], FRAME_LOGITS)
