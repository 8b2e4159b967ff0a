"""Build ONNX graphs from nodes and constants, with products in float32 or int8."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from .encoder import Linear, Norm

OPSET = 17
FUSED = "com.microsoft"
LAST = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True)
class Range:
    """Least and greatest value of a tensor; values outside are clipped."""

    low: float
    high: float

    @property
    def scale(self) -> float:
        """Return the step of the uint8 grid that covers the range and zero."""
        return max(max(self.high, 0.0) - min(self.low, 0.0), 1e-6) / 255

    @property
    def zero(self) -> int:
        """Return the uint8 value of 0.0."""
        return round(-min(self.low, 0.0) / self.scale)


Ranges = Mapping[str, Range]
Shapes = Mapping[str, Sequence[int | str]]
Attribute = int | float | str | list[int]


@dataclass(slots=True)
class GraphBuilder:
    """Collects nodes and constants; `ranges` (by tensor name) switches linear maps to int8."""

    ranges: Ranges | None = None
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: dict[str, onnx.TensorProto] = field(default_factory=dict)
    products: list[str] = field(default_factory=list)

    def constant(self, name: str, value: NDArray[np.generic] | np.generic) -> str:
        """Store an array and return its name."""
        self.constants[name] = numpy_helper.from_array(np.asarray(value), name)
        return name

    def ints(self, *values: int) -> str:
        """Store int64 values, as shapes and slices need them."""
        return self.constant("i_" + "_".join(map(str, values)), np.array(values, np.int64))

    def add(
        self, op: str, inputs: list[str], name: str, domain: str = "", **attributes: Attribute
    ) -> str:
        """Append a node whose one output has the node's name."""
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
        return self.add("MatMulIntegerToFloat", inputs, name, FUSED)

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
                    self.ints(tap - 2 or LAST),
                    self.ints(1),
                    self.ints(stride),
                ],
                f"{name}.tap{tap}",
            )
            for tap in range(3)
        ]
        joined = self.add("Concat", taps, f"{name}.taps", axis=2)
        return self.gelu(self.product(joined, grid, x, linear, name), f"{name}.gelu")

    def split(self, x: str, axis: int, sizes: tuple[int, ...], names: list[str]) -> list[str]:
        """Append a split into parts of these sizes and return their names."""
        node = helper.make_node("Split", [x, self.ints(*sizes)], names, f"{x}.split", axis=axis)
        self.nodes.append(node)
        return names

    def gelu(self, x: str, name: str) -> str:
        """Append GELU; in int8 graphs the faster tanh approximation, within 0.0005."""
        return self.add("Gelu" if self.ranges is None else "FastGelu", [x], name, FUSED)


def finish(builder: GraphBuilder, inputs: Shapes, outputs: Shapes) -> onnx.ModelProto:
    """Return the checked model of all nodes so far; its inputs and outputs are float32."""
    graph = helper.make_graph(
        builder.nodes,
        "voice",
        _values(inputs),
        _values(outputs),
        list(builder.constants.values()),
    )
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(FUSED, 1)]
    model = helper.make_model(graph, opset_imports=opsets, producer_name="pipecat-deescalate")
    model.ir_version = 9
    onnx.checker.check_model(model)
    return model


def _values(shapes: Shapes) -> list[onnx.ValueInfoProto]:
    return [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in shapes.items()]
