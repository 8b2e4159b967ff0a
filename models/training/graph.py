"""ONNX graphs of the encoder, for any number of frames: one to train on, one to ship.

Both have the input `log_mel` (1, 80, frames) and share every step; they differ in how a linear map
is computed (float32, or int8 with ranges measured on training audio) and in how they end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from .encoder import CHANNELS, HEADS, Encoder, Layer, Linear, Norm

OPSET = 17
_FUSED = "com.microsoft"
_LAST = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True)
class Range:
    """Least and greatest value that a tensor takes; what lies outside is clipped."""

    low: float
    high: float

    @property
    def scale(self) -> float:
        """Return the step of the uint8 grid that covers the range and zero."""
        return max(max(self.high, 0.0) - min(self.low, 0.0), 1e-6) / 255

    @property
    def zero(self) -> int:
        """Return the uint8 value that stands for 0.0."""
        return round(-min(self.low, 0.0) / self.scale)


Ranges = Mapping[str, Range]
Attribute = int | float | list[int]


@dataclass(frozen=True, slots=True)
class Head:
    """logit = pooled @ weights + bias; weights float64, (inputs,), on unscaled inputs."""

    weights: NDArray[np.float64]
    bias: float


@dataclass(slots=True)
class GraphBuilder:
    """Collects nodes and constants; `ranges` (by tensor name) switches linear maps to int8."""

    ranges: Ranges | None = None
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: dict[str, onnx.TensorProto] = field(default_factory=dict)
    products: list[str] = field(default_factory=list)

    def constant(self, name: str, value: NDArray[np.generic] | np.generic) -> str:
        """Store an array once and return its name."""
        self.constants[name] = numpy_helper.from_array(np.asarray(value), name)
        return name

    def ints(self, *values: int) -> str:
        """Store int64 values, as shapes and slices want them."""
        return self.constant("i_" + "_".join(map(str, values)), np.array(values, np.int64))

    def add(
        self, op: str, inputs: list[str], name: str, domain: str = "", **attributes: Attribute
    ) -> str:
        """Append a node with one output, which is named like the node."""
        node = helper.make_node(op, inputs, [name], name, domain=domain)
        node.attribute.extend(helper.make_attribute(k, v) for k, v in attributes.items())
        self.nodes.append(node)
        return name

    def norm(self, x: str, norm: Norm, name: str) -> str:
        """Append a layer normalisation."""
        weight = self.constant(f"{name}.weight", norm.weight)
        bias = self.constant(f"{name}.bias", norm.bias)
        return self.add("LayerNormalization", [x, weight, bias], name, axis=-1, epsilon=1e-5)

    def quantised(self, x: str) -> tuple[str, Range | None]:
        """Return x as uint8 with its range, or x itself in a float graph."""
        self.products.append(x)
        if self.ranges is None:
            return x, None
        grid = self.ranges[x]
        scale = self.constant(f"{x}.scale", np.float32(grid.scale))
        zero = self.constant(f"{x}.zero", np.uint8(grid.zero))
        return self.add("QuantizeLinear", [x, scale, zero], f"{x}.u8"), grid

    def linear(self, x: str, linear: Linear, name: str) -> str:
        """Append y = x @ weight + bias."""
        source, grid = self.quantised(x)
        return self.product(source, grid, x, linear, name)

    def product(self, source: str, grid: Range | None, x: str, linear: Linear, name: str) -> str:
        """Append the product of an already quantised input; `x` names its scale and zero."""
        bias = self.constant(f"{name}.bias", linear.bias)
        if grid is None:
            weight = self.constant(f"{name}.weight", linear.dense)
            return self.add(
                "Add", [self.add("MatMul", [source, weight], f"{name}.mul"), bias], name
            )
        weight = self.constant(f"{name}.weight", linear.weight)
        scale = self.constant(f"{name}.scale", linear.scale)
        zero = self.constant(f"{name}.zero", np.zeros(linear.scale.shape, np.int8))
        inputs = [source, weight, f"{x}.scale", scale, f"{x}.zero", zero, bias]
        return self.add("MatMulIntegerToFloat", inputs, name, _FUSED)

    def convolution(self, x: str, linear: Linear, stride: int, name: str) -> str:
        """Append a convolution over three frames as one product; x is (1, frames, channels)."""
        source, grid = self.quantised(x)
        fill = np.float32(0) if grid is None else np.uint8(grid.zero)
        pads = self.ints(0, 1, 0, 0, 1, 0)
        padded = self.add("Pad", [source, pads, self.constant(f"{x}.fill", fill)], f"{name}.pad")
        taps = [
            self.add(
                "Slice",
                [
                    padded,
                    self.ints(tap),
                    self.ints(tap - 2 or _LAST),
                    self.ints(1),
                    self.ints(stride),
                ],
                f"{name}.tap{tap}",
            )
            for tap in range(3)
        ]
        joined = self.add("Concat", taps, f"{name}.taps", axis=2)
        return self.gelu(self.product(joined, grid, x, linear, name), f"{name}.gelu")

    def gelu(self, x: str, name: str) -> str:
        """Append the exact Gaussian error linear unit."""
        return self.add("Gelu", [x], name, _FUSED)


def stem(builder: GraphBuilder, encoder: Encoder) -> str:
    """Append the stem: (1, 80, frames) to (1, ceil(frames / 2), 384), positions added."""
    frames_first = builder.add("Transpose", ["log_mel"], "frames", perm=[0, 2, 1])
    first = builder.convolution(frames_first, encoder.conv1, 1, "conv1")
    second = builder.convolution(first, encoder.conv2, 2, "conv2")
    shape = builder.add("Shape", [second], "stem.shape")
    length = builder.add("Slice", [shape, builder.ints(1), builder.ints(2)], "stem.length")
    table = builder.constant("positions", encoder.positions)
    positions = builder.add(
        "Slice", [table, builder.ints(0), length, builder.ints(0)], "stem.positions"
    )
    return builder.add("Add", [second, positions], "stem")


def attention(builder: GraphBuilder, x: str, layer: Layer, name: str) -> str:
    """Append the self-attention of a layer with its residual."""
    normed = builder.norm(x, layer.attention_norm, f"{name}.attention_norm")
    qkv = builder.linear(normed, layer.qkv, f"{name}.qkv")
    parts = [f"{name}.{part}" for part in "qkv"]
    builder.nodes.append(
        helper.make_node(
            "Split", [qkv, builder.ints(*[CHANNELS] * 3)], parts, f"{name}.split", axis=2
        )
    )
    heads = builder.add("MultiHeadAttention", parts, f"{name}.heads", _FUSED, num_heads=HEADS)
    out = builder.linear(heads, layer.out, f"{name}.out")
    return builder.add("Add", [x, out], f"{name}.attended")


def hidden(builder: GraphBuilder, x: str, layer: Layer, name: str) -> str:
    """Append norm, first product and activation of a layer's second half."""
    normed = builder.norm(x, layer.mlp_norm, f"{name}.mlp_norm")
    return builder.gelu(builder.linear(normed, layer.fc1, f"{name}.fc1"), f"{name}.gelu")


def transformer_layer(builder: GraphBuilder, x: str, layer: Layer, name: str) -> str:
    """Append one whole layer."""
    attended = attention(builder, x, layer, name)
    activated = hidden(builder, attended, layer, name)
    out = builder.linear(activated, layer.fc2, f"{name}.fc2")
    return builder.add("Add", [attended, out], name)


def averages(builder: GraphBuilder, states: list[str], name: str) -> str:
    """Append the averages over time of all states, side by side: (1, channels)."""
    parts = [
        builder.add("ReduceMean", [state], f"{state}.average", axes=[1], keepdims=0)
        for state in states
    ]
    return builder.add("Concat", parts, name, axis=1)


def pooled_graph(encoder: Encoder) -> onnx.ModelProto:
    """Return the float32 graph whose output `pooled` holds every state's average, side by side.

    State 0 is the stem, state n the n-th layer; the output's shape is (1, 384 * (1 + layers)).
    """
    builder = GraphBuilder()
    names = [stem(builder, encoder)]
    for index, layer in enumerate(encoder.layers):
        names.append(transformer_layer(builder, names[-1], layer, f"layer{index}"))
    averages(builder, names, "pooled")
    return finish(builder, "pooled", [1, CHANNELS * len(names)])


def voice_graph(
    encoder: Encoder, states: tuple[int, ...], head: Head, ranges: Ranges | None
) -> tuple[onnx.ModelProto, list[str]]:
    """Return the graph whose output `logit` has shape (1,), and the inputs of its products.

    The last layer's second product and the head are one, and the head comes before the average
    over time: all three are linear. With `ranges` (by tensor name) the products are int8, without
    they are float32.
    """
    builder = GraphBuilder(ranges)
    names = [stem(builder, encoder)]
    for index, layer in enumerate(encoder.layers[:-1]):
        names.append(transformer_layer(builder, names[-1], layer, f"layer{index}"))
    last, layer = len(encoder.layers), encoder.layers[-1]
    weights = dict(zip(states, np.split(head.weights, len(states)), strict=True))
    bias = head.bias
    pooled = {names[state]: weights[state] for state in states if state < last}
    if last in weights:
        attended = attention(builder, names[-1], layer, f"layer{last - 1}")
        activated = hidden(builder, attended, layer, f"layer{last - 1}")
        pooled[attended] = weights[last]
        pooled[activated] = layer.fc2.dense @ weights[last]
        bias += float(layer.fc2.bias @ weights[last])
    frames = [
        builder.add(
            "MatMul",
            [name, builder.constant(f"{name}.head", w.astype("f4")[:, None])],
            f"{name}.part",
        )
        for name, w in pooled.items()
    ]
    total = builder.add("Sum", frames, "head.frames") if len(frames) > 1 else frames[0]
    average = builder.add("ReduceMean", [total], "head.average", axes=[1], keepdims=0)
    logit = builder.add("Add", [average, builder.constant("head.bias", np.float32(bias))], "head")
    builder.add("Reshape", [logit, builder.ints(1)], "logit")
    return finish(builder, "logit", [1]), builder.products


def finish(builder: GraphBuilder, output: str, shape: list[int]) -> onnx.ModelProto:
    """Return the checked model of all nodes so far."""
    graph = helper.make_graph(
        builder.nodes,
        "voice",
        [helper.make_tensor_value_info("log_mel", TensorProto.FLOAT, [1, 80, "frames"])],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, shape)],
        list(builder.constants.values()),
    )
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(_FUSED, 1)]
    model = helper.make_model(graph, opset_imports=opsets, producer_name="pipecat-deescalate")
    model.ir_version = 9
    onnx.checker.check_model(model)
    return model
