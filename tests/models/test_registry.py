"""A model and its card are written together."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest

from pipecat_deescalate.models.files import OutputError
from pipecat_deescalate.models.registry import read_model, write_model


def test_a_full_disk_leaves_an_older_model_usable(tmp_path: Path) -> None:
    """A new model beside the older one's card would be refused as damaged, and the older lost."""
    path = tmp_path / "voice.onnx"
    write_model(path, b"older", {"limits": []})
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4_000, before[1]))
    try:
        for content, limits in ((b"x", ["l" * 5_000]), (b"x" * 5_000, [])):
            with pytest.raises(OutputError, match="cannot be written"):
                write_model(path, content, {"limits": limits})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert read_model(path).content == b"older"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["voice.json", "voice.onnx"]
