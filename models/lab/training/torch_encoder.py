"""The encoder in torch, for training: batches of equal length, with gradients.

Computes the same as `graph.embedding_graph`. A linear map is a pair of tensors, named by the fields
of `Encoder`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - torch's own name for it
from numpy.typing import NDArray
from torch import Tensor

from .encoder import CHANNELS, HEADS, Encoder, Layer, Linear, Norm

Weights = dict[str, Tensor]


@dataclass(frozen=True, slots=True)
class States:
    """An encoder's states for a batch, (turns, frames, 384) each; frames of 20 ms.

    `added` is what the second of two layers adds to the first one's output, every nth frame only.
    """

    stem: Tensor
    first: Tensor
    added: Tensor

    def last(self, every_nth: int) -> Tensor:
        """Return the last layer's output at the frames that it computes."""
        return self.first[:, ::every_nth] + self.added

    def averages(self, states: tuple[int, ...]) -> Tensor:
        """Return the averages over time of some states (0 to 2), (turns, 384 a state)."""
        first = self.first.mean(1)
        every = (self.stem.mean(1), first, first + self.added.mean(1))
        return torch.cat([every[state] for state in states], 1)


def weights_of(encoder: Encoder) -> Weights:
    """Return an encoder's weights in float32; positions as in the exported file."""
    found: Weights = {"positions": torch.from_numpy(encoder.positions.astype("f2").astype("f4"))}
    for name, part in _parts(encoder).items():
        weight = part.dense.T.copy() if isinstance(part, Linear) else part.weight.copy()
        found[f"{name}.weight"] = torch.from_numpy(weight)
        found[f"{name}.bias"] = torch.from_numpy(part.bias.copy())
    return found


def encoder_of(weights: Mapping[str, Tensor]) -> Encoder:
    """Return the encoder of trained weights, its maps rounded to int8."""

    def array(name: str) -> NDArray[np.float32]:
        return np.asarray(weights[name].detach().numpy(), np.float32)

    def linear(name: str) -> Linear:
        return Linear.rounded(array(f"{name}.weight").T, array(f"{name}.bias"))

    def norm(name: str) -> Norm:
        return Norm(array(f"{name}.weight"), array(f"{name}.bias"))

    def layer(name: str) -> Layer:
        return Layer(
            norm(f"{name}.attention_norm"),
            linear(f"{name}.qkv"),
            linear(f"{name}.out"),
            norm(f"{name}.mlp_norm"),
            linear(f"{name}.fc1"),
            linear(f"{name}.fc2"),
        )

    layers = (layer("layers.0"), layer("layers.1"))
    return Encoder(linear("conv1"), linear("conv2"), array("positions"), layers)


def _parts(encoder: Encoder) -> dict[str, Linear | Norm]:
    found: dict[str, Linear | Norm] = {"conv1": encoder.conv1, "conv2": encoder.conv2}
    for index, layer in enumerate(encoder.layers):
        for field in fields(Layer):
            found[f"layers.{index}.{field.name}"] = getattr(layer, field.name)
    return found


def encode(weights: Weights, log_mel: Tensor, every_nth: int) -> States:
    """Run a two-layer encoder on features (turns, 80, frames) of equal length."""
    x = _convolved(weights, "conv1", log_mel.transpose(1, 2), 1)
    x = _convolved(weights, "conv2", x, 2)
    stem = x + weights["positions"][: x.shape[1]]
    first = stem + _addition(weights, "layers.0", stem, 1)
    return States(stem, first, _addition(weights, "layers.1", first, every_nth))


def _map(weights: Weights, name: str, x: Tensor) -> Tensor:
    return F.linear(x, weights[f"{name}.weight"], weights[f"{name}.bias"])


def _normed(weights: Weights, name: str, x: Tensor) -> Tensor:
    return F.layer_norm(x, (CHANNELS,), weights[f"{name}.weight"], weights[f"{name}.bias"], 1e-5)


def _convolved(weights: Weights, name: str, x: Tensor, stride: int) -> Tensor:
    frames = x.shape[1]
    padded = F.pad(x, (0, 0, 1, 1))
    taps = [padded[:, tap : tap + frames : stride] for tap in range(3)]
    return F.gelu(_map(weights, name, torch.cat(taps, 2)))


def _addition(weights: Weights, name: str, x: Tensor, every_nth: int) -> Tensor:
    """Return what a layer adds to every nth frame; it attends to all frames."""
    normed = _normed(weights, f"{name}.attention_norm", x)
    kernel, bias = weights[f"{name}.qkv.weight"], weights[f"{name}.qkv.bias"]
    query = F.linear(normed[:, ::every_nth], kernel[:CHANNELS], bias[:CHANNELS])
    key, value = F.linear(normed, kernel[CHANNELS:], bias[CHANNELS:]).split(CHANNELS, 2)
    split = (part.unflatten(2, (HEADS, -1)).transpose(1, 2) for part in (query, key, value))
    attended = F.scaled_dot_product_attention(*split).transpose(1, 2).flatten(2)
    added = _map(weights, f"{name}.out", attended)
    inner = _normed(weights, f"{name}.mlp_norm", x[:, ::every_nth] + added)
    return added + _map(weights, f"{name}.fc2", F.gelu(_map(weights, f"{name}.fc1", inner)))
