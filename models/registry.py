"""Where model files are, and whether they match their cards."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from .errors import ModelFileError
from .files import as_json, whole_file

WEIGHTS = Path(str(resources.files(__package__) / "weights"))
BUNDLED_VOICE = WEIGHTS / "voice.onnx"


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model's bytes, checked against the SHA-256 in the card beside it, and that card."""

    path: Path
    content: bytes
    card: dict[str, Any]


def read_model(path: str | Path) -> ModelFile:
    """Read a model file and check it against its card, `<name>.json` in the same folder.

    Raises:
        ModelFileError: the model or its card is missing, unreadable, or they do not match.
    """
    path = Path(path)
    card_path = path.with_suffix(".json")
    content = _read(path)
    if not card_path.exists():
        raise ModelFileError(path, f"has no card beside it: {card_path.name} is missing")
    try:
        card = json.loads(_read(card_path))
        expected = card["sha256"]
    except (ValueError, KeyError, TypeError) as error:
        raise ModelFileError(card_path, "is not a model card with a sha256") from error
    if hashlib.sha256(content).hexdigest() != expected:
        raise ModelFileError(path, f"does not match the SHA-256 in {card_path.name}: damaged")
    return ModelFile(path, content, card)


def read_arrays(path: str | Path, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Any]:
    """The arrays of an .npz file with a card, by name; those of shape () as floats.

    Raises:
        ModelFileError: as `read_model`, or an array is missing or of another shape.
    """
    model = read_model(path)
    try:
        with np.load(BytesIO(model.content), allow_pickle=False) as file:
            arrays = {name: file[name] for name in shapes}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelFileError(path, f"is not a model of the kind needed ({error})") from error
    for name, shape in shapes.items():
        if arrays[name].shape != shape:
            found = arrays[name].shape
            raise ModelFileError(path, f"is not of this version: {name} is {found}, not {shape}")
    return {name: array if shapes[name] else float(array) for name, array in arrays.items()}


def write_model(path: Path, content: bytes, card: Mapping[str, Any]) -> None:
    """Write a model, and beside it its card with the SHA-256 that `read_model` asks for.

    Neither is moved into place before both are on the disk, so that an older model stays whole.

    Raises:
        OutputError: one of them cannot be written.
    """
    described = {**card, "sha256": hashlib.sha256(content).hexdigest()}
    with whole_file(path.with_suffix(".json")) as beside, whole_file(path) as file:
        file.write(content)
        beside.write(as_json(described).encode())
        file.flush()
        beside.flush()


def shipped_with_pipecat(name: str) -> Path:
    """A file in the installed pipecat-ai, found without importing it.

    Raises:
        ModelFileError: that release of pipecat-ai does not hold the file.
    """
    spec = find_spec("pipecat")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder) / name
        if path.is_file():
            return path
    raise ModelFileError(name, "is not in the installed pipecat-ai; install release 1.14 or later")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelFileError(path, error.strerror or "cannot be read") from error
