"""The command's groups, its version, and the old names that still work."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import typer

import pipecat_deescalate
from pipecat_deescalate.agent.cli import app
from pipecat_deescalate.agent.cli.deprecated import COMMANDS, OPTIONS

from ..commands import deescalate

ROOT: Any = typer.main.get_command(app)


@pytest.fixture(autouse=True)
def _narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


def leaves() -> list[tuple[str, ...]]:
    """Every command, as the words that name it."""
    found: list[tuple[str, ...]] = []
    for name, command in ROOT.commands.items():
        inner = getattr(command, "commands", None)
        found += [(name,)] if inner is None else [(name, one) for one in inner]
    return found


def test_help_shows_each_command_on_one_line_and_no_old_name() -> None:
    """A newcomer reads this first; a name of yesterday would only mislead."""
    for words in ((), ("calls",), ("label",), ("model",)):
        shown = deescalate(*words, "--help").stdout
        rows = [line.strip("│ ").split()[0] for line in shown.splitlines() if line[:1] == "│"]
        names = [row for row in rows if not row.startswith("--")]
        group = ROOT if not words else ROOT.commands[words[0]]
        assert names == list(group.commands)
        assert not set(names) & set(COMMANDS) or words


def test_no_option_has_a_second_meaning_by_accident() -> None:
    """Typer adds --no-clean to a plain --clean; nobody asked for that."""
    for words in [(), *leaves()]:
        assert "--no-" not in deescalate(*words, "--help").stdout, words


@pytest.mark.parametrize("old", COMMANDS)
def test_an_old_name_of_a_command_says_the_new_one_and_does_the_same(old: str) -> None:
    """Scripts of the last release must go on, and their authors learn what to change."""
    run = deescalate(old, "--help")
    current = COMMANDS[old]
    assert run.stderr == f"deescalate: `{old}` is deprecated; use `deescalate {current}`\n"
    assert run.returncode == 0
    expected = deescalate(*current.split(), "--help").stdout
    assert run.stdout.split("\n\n")[1:] == expected.split("\n\n")[1:]  # all but the usage


@pytest.mark.parametrize(("command", "old"), OPTIONS)
def test_an_old_option_says_the_new_one(command: str, old: str) -> None:
    """Either way of giving the value; the help shows the new name only."""
    (words,) = (one for one in leaves() if one[-1] == command)
    current = OPTIONS[command, old]
    warning = f"deescalate: `{old}` is deprecated; use `{current}`\n"
    shown = deescalate(*words, "--help").stdout
    assert f"{current} " in shown
    assert f"{old} " not in shown
    assert deescalate(*words, old, "1", "--help").stderr == warning
    assert deescalate(*words, f"{old}=1", "--help").stderr == warning
    assert deescalate(*words, "--", old, "--help").stderr.count("deprecated") == 0


def test_an_old_command_takes_its_old_options_to_the_same_place(tmp_path: Path) -> None:
    """`assemble --data --calls` of the last release is `calls synthesize --manifest --count`."""
    missing = tmp_path / "missing.csv"
    old = deescalate("assemble", "--data", missing, "--calls", "3", "--out", tmp_path / "a")
    new = deescalate(
        *("calls", "synthesize", "--manifest", missing, "--count", "3", "--out", tmp_path / "b")
    )
    *warnings, error = old.stderr.splitlines()
    assert new.stderr == f"{error}\n"
    assert error.startswith(f"deescalate: {missing}: ")
    assert [line.split("`")[1] for line in warnings] == ["assemble", "--data", "--calls"]


def test_the_version_is_that_of_the_distribution(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug report starts with it; a source tree that is not installed has none."""
    from importlib import metadata  # noqa: PLC0415 - only here

    monkeypatch.delitem(vars(pipecat_deescalate), "__version__", raising=False)
    monkeypatch.setattr(metadata, "version", lambda _name: "7.8.9")
    assert deescalate("--version").stdout == "deescalate 7.8.9\n"

    def not_installed(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.delitem(vars(pipecat_deescalate), "__version__")
    monkeypatch.setattr(metadata, "version", not_installed)
    assert pipecat_deescalate.__version__ == "0+unknown"
    monkeypatch.delitem(vars(pipecat_deescalate), "__version__")
