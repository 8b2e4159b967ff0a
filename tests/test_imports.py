"""The house rules that a linter does not know: who may import whom, and what an import costs."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import pipecat_deescalate

PACKAGE = Path(pipecat_deescalate.__file__).resolve().parent
FOLDERS = ("models", "policies", "processors", "agent")
LAB = "models.lab"
LAB_ROOMS = (f"{LAB}.training", f"{LAB}.evaluation", f"{LAB}.annotation")
HEAVY = {"torch", "transformers", "peft", "sklearn", "scipy", "onnx"}
HEAVY_ROOMS = (LAB, "models.voice_hf", "models.text.text_hf")
FRAMEWORKS = {"pipecat", "livekit"}
FRAMEWORK_ROOMS = ("processors", "agent")
OUTSIDE_THE_WHEEL = {"pipecat_deescalate", "benchmarks", "tests", "docs", "examples"}
REPEATED_FILES = {"__init__", "__main__", "command"}


@dataclass(frozen=True, slots=True)
class Wall:
    """Modules of `room`, but not of `exempt`, import nothing of `target` but `allowed`."""

    room: str
    target: str
    exempt: tuple[str, ...] = ()
    allowed: tuple[str, ...] = ()


WALLS = (
    # The four floors, lowest first.
    Wall("models", "", allowed=("models",)),
    Wall(
        "policies",
        "",
        allowed=("policies", "models.readings", "models.errors", "models.logs", "models.http"),
    ),
    Wall("processors", "", allowed=("processors", "models", "policies")),
    # A call's state needs no framework, so its adapters stand above it.
    Wall("processors.session", "processors", allowed=("processors.session",)),
    # Offline work: three rooms that know nothing of one another, on a ground floor that knows none.
    *(Wall(LAB, room, exempt=(room,)) for room in LAB_ROOMS),
    Wall("", LAB, exempt=(LAB, "agent.lab", "agent.cli", "agent.replay")),
    Wall("agent.cli", LAB, allowed=(f"{LAB}.annotation",)),  # what its options are called
    Wall("agent.replay", LAB, allowed=(f"{LAB}.audio_lm",)),  # `analyze --audio-lm`
    # What assembles a call, and what works on recorded ones, under the commands.
    Wall("", "agent.cli", exempt=("agent.cli", "agent.__main__")),
    Wall("agent.console", "agent"),
    Wall("agent.deescalator", "agent"),
    Wall("agent.replay", "agent", allowed=("agent.replay", "agent.console")),
    Wall("agent.lab", "agent", allowed=("agent.lab", "agent.replay", "agent.console")),
    Wall(
        "agent.demo",
        "agent",
        allowed=("agent.demo", "agent.deescalator", "agent.replay", "agent.console"),
    ),
)


def module_name(path: Path) -> str:
    """A module's dotted name inside the package; a package's is that of its folder."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


PATHS = [
    *PACKAGE.glob("*.py"),
    *(path for folder in FOLDERS for path in sorted((PACKAGE / folder).rglob("*.py"))),
]
MODULES = {module_name(path): ast.parse(path.read_text(encoding="utf-8")) for path in PATHS}
PACKAGES = {module_name(path) for path in PATHS if path.stem == "__init__"}


def within(name: str, rooms: str | tuple[str, ...]) -> bool:
    """Whether a module is one of these rooms or inside one; "" is the package itself."""
    rooms = (rooms,) if isinstance(rooms, str) else rooms
    return any(name == room or name.startswith(f"{room}.") for room in rooms)


def imported(name: str) -> Iterator[tuple[bool, str]]:
    """What a module imports: whether it is ours, and its dotted name (ours: in the package)."""
    parts = name.split(".") if name else []
    package = parts if name in PACKAGES else parts[:-1]
    for node in ast.walk(MODULES[name]):
        if isinstance(node, ast.Import):
            yield from ((False, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1]
            source = ".".join([*base, *filter(None, [node.module])])
            for alias in node.names:
                inner = f"{source}.{alias.name}".removeprefix(".")
                yield True, inner if inner in MODULES else source
        elif isinstance(node, ast.ImportFrom):
            yield False, node.module or ""


def ours(name: str) -> set[str]:
    """The modules of the package that a module imports, at its top or later."""
    return {target for own, target in imported(name) if own}


def test_the_package_is_not_empty() -> None:
    """The rules below must have something to hold for."""
    assert len(MODULES) > 15
    for wall in WALLS:
        assert any(within(name, wall.room) or not wall.room for name in MODULES), wall
        assert all(target in MODULES for target in wall.allowed), wall


@pytest.mark.parametrize("name", MODULES)
def test_imports_point_one_way(name: str) -> None:
    """An import against the direction would tangle the rooms."""
    for wall in WALLS:
        if (wall.room and not within(name, wall.room)) or within(name, wall.exempt):
            continue
        for target in ours(name):
            behind = not wall.target or within(target, wall.target)
            assert not behind or within(target, wall.allowed), f"{name} imports {target}: {wall}"


def test_no_module_imports_itself_in_a_circle() -> None:
    """Two modules that need each other are one, or lack a third."""
    try:
        TopologicalSorter({name: ours(name) - {name} for name in MODULES}).prepare()
    except CycleError as error:
        pytest.fail(" <- ".join(error.args[1]))


@pytest.mark.parametrize("name", MODULES)
def test_packages_stay_in_their_rooms(name: str) -> None:
    """Torch in the core path would break every install without it; frameworks have adapters."""
    roots = {target.split(".")[0] for own, target in imported(name) if not own}
    assert not roots & OUTSIDE_THE_WHEEL, "imports are relative, and nothing of them is installed"
    if not within(name, HEAVY_ROOMS):
        assert not roots & HEAVY
    if not within(name, FRAMEWORK_ROOMS) or within(name, "processors.session"):
        assert not roots & FRAMEWORKS


def test_a_name_is_in_one_place() -> None:
    """Two files or two public things of one name: a reader opens the wrong one."""
    found: dict[str, list[str]] = defaultdict(list)
    for name, tree in MODULES.items():
        if (last := name.rsplit(".", 1)[-1]) not in REPEATED_FILES and name not in PACKAGES:
            found[f"{last}.py"].append(name)
        for node in tree.body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                found[node.name].append(name)
    assert not {
        name: places
        for name, places in found.items()
        if len(places) > 1 and not name.startswith("_")
    }


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
