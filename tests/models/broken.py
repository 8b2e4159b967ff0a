"""Model files that claim to be ours."""

from __future__ import annotations

import json
from pathlib import Path

from pipecat_deescalate.models.registry import BUNDLED_VOICE, write_model


def model_of(operator: str, path: Path, *, takes: str = "samples", gives: str = "logit") -> Path:
    """Write a model with the bundled one's card and description that holds one operator."""
    import onnx  # noqa: PLC0415 - extra

    operation = onnx.helper.make_node(operator, [takes], ["between"])
    mean = onnx.helper.make_node("ReduceMean", ["between"], [gives], keepdims=1)
    number = onnx.TensorProto.FLOAT
    graph = onnx.helper.make_graph(
        [operation, mean],
        "model",
        [onnx.helper.make_tensor_value_info(takes, number, ["samples"])],
        [onnx.helper.make_tensor_value_info(gives, number, [1])],
    )
    bundled = onnx.load(BUNDLED_VOICE)
    opset = onnx.helper.make_opsetid("", 17)
    model = onnx.helper.make_model(graph, opset_imports=[opset], ir_version=8)
    model.metadata_props.extend(bundled.metadata_props)
    card = json.loads(BUNDLED_VOICE.with_suffix(".json").read_text())
    write_model(path, model.SerializeToString(), card)
    return path
