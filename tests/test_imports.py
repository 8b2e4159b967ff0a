"""The house rules that a linter does not know: who may import whom, and what an import costs."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import pipecat_deescalate

PACKAGE = Path(pipecat_deescalate.__file__).parent
FOLDERS = ("models", "policies", "processors", "agent")
MODULES = sorted(
    path
    for path in PACKAGE.rglob("*.py")
    if path.parent == PACKAGE or path.relative_to(PACKAGE).parts[0] in FOLDERS
)
MAY_IMPORT = {
    "models": set[str](),
    "policies": {"models.readings", "models.errors", "models.logs"},
    "processors": {"models", "policies"},
    "agent": {"models", "policies", "processors"},
}
HEAVY = {"torch", "transformers", "peft", "sklearn", "scipy", "onnx"}
HEAVY_ROOMS = ("models/lab/", "models/voice_hf.py", "models/text/text_hf.py")
PIPECAT_ROOMS = ("processors/", "agent/")


def imported(path: Path) -> Iterator[str]:
    """Dotted names that a module imports; ours as paths inside the package."""
    inside = path.relative_to(PACKAGE).parts
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level:
            base = inside[: len(inside) - node.level]
            yield "ours:" + ".".join((*base, *(node.module or "").split(".")))
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def test_the_package_is_not_empty() -> None:
    """The rules below must have something to hold for."""
    assert len(MODULES) > 15


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_imports_point_one_way(path: Path) -> None:
    """An import against the direction would tangle the four folders."""
    folder = path.relative_to(PACKAGE).parts[0]
    if folder not in MAY_IMPORT:
        return
    for name in imported(path):
        assert not name.startswith("pipecat_deescalate"), f"{name}: import it relatively"
        if not name.startswith("ours:"):
            continue
        target = name.removeprefix("ours:").rstrip(".")
        if target == folder or target.startswith(f"{folder}."):
            continue
        allowed = MAY_IMPORT[folder]
        assert target in allowed or target.split(".")[0] in allowed, f"{folder} imports {target}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_heavy_packages_stay_in_their_rooms(path: Path) -> None:
    """Torch in the core path would break every install without it; Pipecat has its adapters."""
    place = path.relative_to(PACKAGE).as_posix()
    roots = {name.split(".")[0] for name in imported(path) if not name.startswith("ours:")}
    if not place.startswith(HEAVY_ROOMS):
        assert not roots & HEAVY
    if not place.startswith(PIPECAT_ROOMS):
        assert "pipecat" not in roots


def test_importing_loads_neither_pipecat_nor_a_model() -> None:
    """The root import must stay light: no Pipecat, no onnxruntime, no network."""
    code = (
        "import socket, sys\n"
        "def refuse(*args, **kwargs): raise AssertionError('network')\n"
        "socket.socket.connect = refuse\n"
        "socket.getaddrinfo = refuse\n"
        "import pipecat_deescalate\n"
        "assert not {'pipecat', 'onnxruntime', 'torch', 'soundfile'} & set(sys.modules)\n"
        "pipecat_deescalate.load_classifier()\n"
        "assert not {'pipecat', 'torch'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=PACKAGE.parent)  # noqa: S603 - our own code


def test_every_public_name_is_there() -> None:
    """A name in __all__ that does not load would only be noticed by a user."""
    assert (
        pipecat_deescalate.__all__ == sorted(pipecat_deescalate.__all__) == dir(pipecat_deescalate)
    )
    for name in pipecat_deescalate.__all__:
        assert getattr(pipecat_deescalate, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = pipecat_deescalate.nothing
