"""The only place that creates onnxruntime sessions."""

from __future__ import annotations

from pathlib import Path

import onnxruntime as ort

from .errors import ModelFileError, first_line


def open_session(model: Path | bytes, *, fits_16_bits: bool = False) -> ort.InferenceSession:
    """Open a model on one CPU thread that sleeps, not spins, between turns.

    Takes a file or its bytes. `fits_16_bits` promises that no sum of two neighbouring int8
    products overflows 16 bits, which allows faster ones. Raises ModelFileError when onnxruntime
    cannot load it.
    """
    options = ort.SessionOptions()
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if not fits_16_bits:
        # Without this, int8 products overflow on processors that have AVX2 but not VNNI.
        options.add_session_config_entry("session.x64quantprecision", "1")
    options.log_severity_level = 3
    source = model if isinstance(model, bytes) else str(model)
    try:
        return ort.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        name = "model" if isinstance(model, bytes) else model
        raise ModelFileError(name, f"onnxruntime cannot load it ({first_line(error)})") from error
