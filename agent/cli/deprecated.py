"""Old names of commands and options: they work for one more release, with a line on stderr."""

from __future__ import annotations

import sys
from typing import Any

from typer.core import TyperGroup

COMMANDS = {
    "import": "calls import",
    "assemble": "calls synthesize",
    "select": "label select",
    "annotate": "label annotate",
    "agreement": "label agreement",
    "clips": "label clips",
    "train": "model train",
    "distill": "model distill",
    "evaluate": "model evaluate",
    "calibrate": "model calibrate",
    "manifest": "model manifest",
}
OPTIONS = {
    ("analyze", "--transcript"): "--transcripts",
    ("synthesize", "--data"): "--manifest",
    ("synthesize", "--calls"): "--count",
    ("evaluate", "--data"): "--manifest",
    ("evaluate", "--words"): "--transcripts",
}
"""By the command's new name and the option's old one."""


class CommandGroup(TyperGroup):
    """A group whose commands also take the old names of their options."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command that the first argument names, and give it the others."""
        name, command, rest = super().resolve_command(ctx, args)
        end = rest.index("--") if "--" in rest else len(rest)
        return name, command, [_current(args[0], text) for text in rest[:end]] + rest[end:]


class RootGroup(CommandGroup):
    """The command `deescalate`, which also takes the old names of commands."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command that the first argument names, by its old name too."""
        current = COMMANDS.get(args[0])
        if current is None:
            return super().resolve_command(ctx, args)
        _warn(args[0], f"deescalate {current}")
        group, command = current.split()
        return self.commands[group].resolve_command(ctx, [command, *args[1:]])  # type: ignore[attr-defined] # a group of ours


def _current(command: str, argument: str) -> str:
    option, equals, value = argument.partition("=")
    current = OPTIONS.get((command, option))
    if current is None:
        return argument
    _warn(option, current)
    return f"{current}{equals}{value}"


def _warn(old: str, current: str) -> None:
    print(f"deescalate: `{old}` is deprecated; use `{current}`", file=sys.stderr)
