"""The `model manifest` command: list the labelled clips of corpora on disk."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from ...models.errors import DeescalateError
from ...models.lab.corpora import CORPORA, build_manifest


class CorpusArgumentError(DeescalateError):
    """A corpus was not given as NAME=FOLDER."""


class ClipsLeftOutError(DeescalateError):
    """The manifest was written without recordings that cannot be read; download those again."""


def run_manifest(corpora: Sequence[str], out: Path) -> str:
    """Write the manifest of some corpora, each NAME=FOLDER, and return a line about it.

    Raises:
        CorpusArgumentError: an argument is not of this form, or names a corpus again.
        UnreadableInputError: a corpus is unknown, or a folder does not hold it.
        ClipsLeftOutError: some recordings could not be read; the others are written.
    """
    folders: dict[str, Path] = {}
    for corpus in corpora:
        name, equals, folder = corpus.partition("=")
        if not equals or not folder or name in folders:
            raise CorpusArgumentError(f"{corpus}: name each corpus once, as NAME=FOLDER")
        folders[name] = Path(folder)
    built = build_manifest(folders, out)
    line = f"{out}: " + ", ".join(f"{count} clips of {name}" for name, count in built.clips.items())
    if built.failed:
        raise ClipsLeftOutError(f"{line}; {len(built.failed)} left out, such as {built.failed[0]}")
    return line


def print_corpora(console: Console) -> None:
    """Print the supported corpora with their licences and sources."""
    for corpus in CORPORA.values():
        for line in (
            f"{corpus.name:<10}{corpus.title}; licence: {corpus.licence}",
            f"{'':<10}{corpus.source}",
        ):
            console.print(line, markup=False, soft_wrap=True)
