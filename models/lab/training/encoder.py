"""The pretrained encoder: the convolution stem and first layers of Smart Turn v3.2.

pipecat-ai ships that model (BSD-2-Clause) as int8 ONNX; its encoder is Whisper-tiny's (MIT) after
training on turn ends. The int8 weights are used unchanged, so a graph built from them needs no
second rounding.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from itertools import chain, pairwise
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from ...errors import ModelFileError
from ...registry import shipped_with_pipecat

BASE_MODEL = "smart-turn-v3.2-cpu.onnx"
HEADS = 6
CHANNELS = 384
HEAD_SIZE = CHANNELS // HEADS

_Arrays = dict[str, NDArray[np.float32] | NDArray[np.int8]]


@dataclass(frozen=True, slots=True)
class Linear:
    """y = x @ (weight * scale) + bias; weight int8 (inputs, outputs), scale and bias (outputs,)."""

    weight: NDArray[np.int8]
    scale: NDArray[np.float32]
    bias: NDArray[np.float32]

    @classmethod
    def rounded(cls, weight: NDArray[np.floating], bias: NDArray[np.floating]) -> Linear:
        """Return a map rounded to int8, one scale per output; weight (inputs, outputs)."""
        scale = np.abs(weight).max(axis=0) / 127 + 1e-12
        whole = np.round(weight / scale).astype(np.int8)
        return cls(whole, scale.astype(np.float32), bias.astype(np.float32))

    @property
    def dense(self) -> NDArray[np.float32]:
        """Return the weight in float32, shape (inputs, outputs)."""
        return self.weight.astype(np.float32) * self.scale

    def outputs(self, start: int, stop: int) -> Linear:
        """Return the map to a slice of the outputs."""
        return Linear(
            np.ascontiguousarray(self.weight[:, start:stop]),
            self.scale[start:stop],
            self.bias[start:stop],
        )


@dataclass(frozen=True, slots=True)
class Norm:
    """Layer normalisation over the channels."""

    weight: NDArray[np.float32]
    bias: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Layer:
    """One pre-norm transformer layer; `qkv` holds the three projections side by side.

    Queries and keys may be shorter than values (`width_pruning.shorten_keys`); their products are
    still divided by the square root of HEAD_SIZE.
    """

    attention_norm: Norm
    qkv: Linear
    out: Linear
    mlp_norm: Norm
    fc1: Linear
    fc2: Linear

    @property
    def projections(self) -> tuple[Linear, Linear, Linear]:
        """Return the maps to queries, keys and values, heads side by side in each."""
        keys = (self.qkv.bias.size - CHANNELS) // 2
        ends = (0, keys, 2 * keys, self.qkv.bias.size)
        query, key, value = (self.qkv.outputs(*span) for span in pairwise(ends))
        return query, key, value


@dataclass(frozen=True, slots=True)
class Encoder:
    """Stem and layers.

    The convolutions (kernel 3, strides 1 and 2) are products over three neighbouring frames, with
    rows ordered by tap, then channel. `positions` has shape (400, 384).
    """

    conv1: Linear
    conv2: Linear
    positions: NDArray[np.float32]
    layers: tuple[Layer, ...]

    @property
    def fingerprint(self) -> str:
        """Return a digest of all weights."""
        digest = hashlib.sha256()
        for linear in self.products:
            for array in (linear.weight, linear.scale, linear.bias):
                digest.update(array.tobytes())
        for layer in self.layers:
            for norm in (layer.attention_norm, layer.mlp_norm):
                digest.update(norm.weight.tobytes())
                digest.update(norm.bias.tobytes())
        digest.update(self.positions.tobytes())
        return digest.hexdigest()

    @property
    def products(self) -> tuple[Linear, ...]:
        """Return all linear maps, in the order of use."""
        of_layers = ((each.qkv, each.out, each.fc1, each.fc2) for each in self.layers)
        return (self.conv1, self.conv2, *chain.from_iterable(of_layers))


def find_base_model() -> Path:
    """Return the Smart Turn file of the installed pipecat-ai. Raises ModelFileError without it."""
    return shipped_with_pipecat(f"audio/turn/smart_turn/data/{BASE_MODEL}")


def read_encoder(path: Path, layers: int) -> Encoder:
    """Read stem and the first `layers` layers. Raises ModelFileError for any other graph."""
    try:
        graph = onnx.load(path).graph
        arrays: _Arrays = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
        products = _products(graph)
        return Encoder(
            conv1=_convolution(arrays, "conv1"),
            conv2=_convolution(arrays, "conv2"),
            positions=arrays["inner.encoder.embed_positions.weight"].astype(np.float32),
            layers=tuple(_layer(arrays, i, products[6 * i : 6 * i + 6]) for i in range(layers)),
        )
    except Exception as error:
        raise ModelFileError(path, f"not the Smart Turn v3.2 graph ({error})") from error


def _products(graph: onnx.GraphProto) -> list[str]:
    """Return the weights' names in the order of use: k, q, v, out, fc1, fc2 of each layer."""
    suffix = "_DequantizeLinear_Output"
    names = {t.name for t in graph.initializer}
    used = (n.input[1].removesuffix(suffix) for n in graph.node if n.op_type == "MatMul")
    return [name for name in used if f"{name}_quantized" in names]


def _linear(arrays: _Arrays, name: str, bias: NDArray[np.float32]) -> Linear:
    if np.any(arrays[f"{name}_zero_point"]):
        raise ValueError(f"{name} is not quantised symmetrically")
    return Linear(
        arrays[f"{name}_quantized"].astype(np.int8),
        arrays[f"{name}_scale"].astype(np.float32),
        bias,
    )


def _convolution(arrays: _Arrays, name: str) -> Linear:
    prefix = f"inner.encoder.{name}"
    bias = arrays[f"{prefix}.bias_quantized"] * arrays[f"{prefix}.bias_quantized_scale"]
    kernel = arrays[f"{prefix}.weight_quantized"].astype(np.int8)
    weight = kernel.transpose(2, 1, 0).reshape(-1, kernel.shape[0])
    return Linear(weight, arrays[f"{prefix}.weight_scale"].astype(np.float32), bias.astype("f4"))


def _layer(arrays: _Arrays, index: int, products: list[str]) -> Layer:
    prefix = f"inner.encoder.layers.{index}."

    def array(name: str) -> NDArray[np.float32]:
        return arrays[prefix + name].astype(np.float32)

    key, query, value, out, fc1, fc2 = products
    k = _linear(arrays, key, np.zeros(CHANNELS, np.float32))
    q = _linear(arrays, query, array("self_attn.q_proj.bias"))
    v = _linear(arrays, value, array("self_attn.v_proj.bias"))
    return Layer(
        Norm(array("self_attn_layer_norm.weight"), array("self_attn_layer_norm.bias")),
        Linear(
            np.concatenate([q.weight, k.weight, v.weight], axis=1),
            np.concatenate([q.scale, k.scale, v.scale]),
            np.concatenate([q.bias, k.bias, v.bias]),
        ),
        _linear(arrays, out, array("self_attn.out_proj.bias")),
        Norm(array("final_layer_norm.weight"), array("final_layer_norm.bias")),
        _linear(arrays, fc1, array("fc1.bias")),
        _linear(arrays, fc2, array("fc2.bias")),
    )
