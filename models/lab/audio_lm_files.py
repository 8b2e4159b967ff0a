"""Load audio language models by name or folder, with or without LoRA weights."""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from transformers import (
    AutoModelForMultimodalLM,
    AutoProcessor,
    PreTrainedConfig,
    Qwen2AudioConfig,
    Qwen2AudioForConditionalGeneration,
    Qwen2AudioProcessor,
)
from transformers.utils import logging as transformers_logging

from ..errors import ModelFileError
from ..hugging_face import LOADING_FAULTS

if not sys.stderr.isatty():
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # theirs

ADAPTER_FILE = "adapter_config.json"
_AERO = "aero"
_AERO_KEYS = {r"^audio_modal_projector\.": "model.multi_modal_projector."}


@contextmanager
def old_names() -> Iterator[None]:
    """Silence the warnings that peft uses names which version 6 of transformers drops."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*will be removed in v6", FutureWarning)
        yield


def load_processor(model: str | Path, **options: Any) -> Any:
    """Load what turns text and audio into inputs; `options` go to transformers.

    Raises:
        ModelFileError: it is missing, or takes no audio.
    """
    try:
        if _is_aero(model, options):
            return Qwen2AudioProcessor.from_pretrained(model, **options)
        processor = AutoProcessor.from_pretrained(model, **options)  # type: ignore[no-untyped-call]  # theirs
    except LOADING_FAULTS as error:
        raise _unloadable(model, options, error) from error
    if not hasattr(processor, "feature_extractor"):
        raise ModelFileError(model, "is not an audio language model: its processor takes no audio")
    return processor


def load_network(model: str | Path, *, dtype: str, **options: Any) -> Any:
    """Load a network, with the LoRA weights if `model` is a folder of them.

    Raises:
        ModelFileError: it, or the model that the LoRA weights belong to, cannot be loaded.
    """
    adapter = Path(model) / ADAPTER_FILE
    if not adapter.is_file():
        return _network(model, dtype, options)
    try:
        base = json.loads(adapter.read_text(encoding="utf-8"))["base_model_name_or_path"]
        from peft import PeftModel  # noqa: PLC0415 - needed for LoRA weights alone

        network = _network(base, dtype, options)
        with old_names():
            return PeftModel.from_pretrained(network, str(model))
    except LOADING_FAULTS as error:
        raise ModelFileError(model, f"LoRA weights cannot be loaded ({error})") from error


def _network(model: str | Path, dtype: str, options: dict[str, Any]) -> Any:
    try:
        if _is_aero(model, options):
            return _aero(model, dtype, options)
        return AutoModelForMultimodalLM.from_pretrained(model, dtype=dtype, **options)
    except LOADING_FAULTS as error:
        raise _unloadable(model, options, error) from error


def _unloadable(model: str | Path, options: dict[str, Any], error: Exception) -> ModelFileError:
    if options["local_files_only"] and not Path(model).exists():
        reason = "cannot be loaded: it is not on this machine; name it as an option to fetch it"
        return ModelFileError(model, reason)
    return ModelFileError(model, f"cannot be loaded ({error})")


def _is_aero(model: str | Path, options: dict[str, Any]) -> bool:
    """Whether a model is of the Aero-1-Audio kind and must load without its own code."""
    if options["trust_remote_code"] or (Path(model) / ADAPTER_FILE).is_file():
        return False
    values, _ = PreTrainedConfig.get_config_dict(
        model, local_files_only=options["local_files_only"]
    )
    return bool(values.get("model_type") == _AERO)


def _aero(model: str | Path, dtype: str, options: dict[str, Any]) -> Any:
    """Load Aero-1-Audio as a Qwen2-Audio, from which only the name of one layer differs.

    Its own code needs version 4 of transformers.
    """
    values, _ = PreTrainedConfig.get_config_dict(
        model, local_files_only=options["local_files_only"]
    )
    config = Qwen2AudioConfig(
        audio_config=values["audio_config"],
        text_config=values["text_config"],
        audio_token_index=values["audio_token_index"],
    )
    network, found = Qwen2AudioForConditionalGeneration.from_pretrained(
        model,
        config=config,
        dtype=dtype,
        key_mapping=_AERO_KEYS,
        output_loading_info=True,
        local_files_only=options["local_files_only"],
    )
    if missing := sorted(found["missing_keys"]):
        raise ValueError(f"has no weights {missing[0]}")
    return network
