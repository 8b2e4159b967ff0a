"""The lock in requirements/ covers what pyproject.toml asks for, else installs would be broken."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
OURS = PROJECT["project"]["name"]
EXTRAS: dict[str, list[str]] = PROJECT["project"]["optional-dependencies"]
FILES = {
    "build": (),
    "core": (),
    "dev": ("dev",),
    "docs": ("docs",),
    "train": ("dev", "distill", "train"),
}
"""The extras of which each file has the dependencies, besides those of the core."""


@cache
def locked(name: str) -> list[Requirement]:
    """The pinned releases of a file, hashes left out."""
    text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    lines = text.replace("\\\n", "").splitlines()
    pins = [line.split("--hash")[0].strip() for line in lines if not line.startswith("#")]
    return [Requirement(pin) for pin in pins if pin]


def asked_for(names: list[str]) -> Iterator[Requirement]:
    """Requirements, with ours of another extra replaced by that extra's."""
    for requirement in map(Requirement, names):
        if requirement.name == OURS:
            for extra in requirement.extras:
                yield from asked_for(EXTRAS[extra])
        else:
            yield requirement


def covered(requirement: Requirement, pins: list[Requirement]) -> bool:
    """Whether every pin of the package is a release, and has the extras, that is asked for."""
    found = [p for p in pins if canonicalize_name(p.name) == canonicalize_name(requirement.name)]
    return bool(found) and all(
        requirement.extras <= pin.extras and requirement.specifier.contains(version(pin))
        for pin in found
    )


def version(pin: Requirement) -> str:
    """The release that a pin names."""
    (only,) = pin.specifier
    assert only.operator == "=="
    return only.version


@pytest.mark.parametrize("name", FILES)
def test_the_lock_covers_what_is_asked_for(name: str) -> None:
    """A dependency without a pin would be missing: the lock is installed without a resolver."""
    if name == "build":
        needed = PROJECT["build-system"]["requires"]
    else:
        extras = [line for extra in FILES[name] for line in EXTRAS[extra]]
        needed = PROJECT["project"]["dependencies"] + extras
    pins = locked(name)
    missing = [
        str(requirement)
        for requirement in asked_for(needed)
        if requirement.name != "torch" and not covered(requirement, pins)
    ]
    assert not missing, f"requirements/{name}.txt lacks {missing}: run `make lock`"


def test_every_extra_is_locked() -> None:
    """An extra that no file has would be installed by nobody before a release."""
    reached = {extra for extras in FILES.values() for extra in extras}
    waiting = list(reached)
    while waiting:
        for requirement in map(Requirement, EXTRAS[waiting.pop()]):
            new = (requirement.extras if requirement.name == OURS else set()) - reached
            reached |= new
            waiting += new
    assert reached == set(EXTRAS)


def test_the_files_agree() -> None:
    """Two files with two releases of a package would change the one environment back and forth."""
    pins: dict[tuple[str, str], set[str]] = {}
    for name in FILES:
        for pin in locked(name):
            key = (canonicalize_name(pin.name), str(pin.marker))
            pins.setdefault(key, set()).add(version(pin))
    assert not {key: found for key, found in pins.items() if len(found) > 1}


@pytest.mark.parametrize(("small", "large"), [("core", "dev"), ("core", "docs"), ("dev", "train")])
def test_a_larger_file_has_all_of_a_smaller_one(small: str, large: str) -> None:
    """Each target installs on top of the one before it and takes nothing away."""
    here = {canonicalize_name(pin.name) for pin in locked(small)}
    assert here <= {canonicalize_name(pin.name) for pin in locked(large)}


def test_torch_has_a_pin_of_its_own() -> None:
    """Torch in the lock would bring several GB for GPUs; its own pin must be what `hf` accepts."""
    pins = locked("torch")
    assert [pin.name for pin in pins] == ["torch"]
    wanted = [need for need in asked_for(EXTRAS["hf"]) if need.name == "torch"]
    assert wanted
    assert all(covered(need, pins) for need in wanted)
    names = {pin.name for name in FILES for pin in locked(name)}
    assert not {name for name in names if re.match(r"torch$|triton|nvidia-|cuda-", name)}


@pytest.mark.parametrize("name", FILES)
def test_every_pin_has_hashes_and_no_address(name: str) -> None:
    """A pin without a hash fails the install, one with an address works in one network alone."""
    text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    lines = [line for line in text.replace("\\\n", "").splitlines() if not line.startswith("#")]
    assert lines
    assert all("--hash=sha256:" in line for line in lines)
    assert "://" not in text
    assert "index" not in " ".join(line.split("--hash")[0] for line in lines if line[0] == "-")
