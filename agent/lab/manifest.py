"""The `manifest` command: a corpus on disk becomes a list of labelled clips."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from ...models.errors import DeescalateError
from ...models.lab.corpora import CORPORA, build_manifest


class CorpusArgumentError(DeescalateError):
    """A corpus was not named as NAME=FOLDER."""


class ClipsLeftOutError(DeescalateError):
    """The manifest was written, but without recordings that cannot be read; get those again."""


def run_manifest(corpora: Sequence[str], out: Path) -> str:
    """Write the manifest of some corpora, each NAME=FOLDER, and return what it holds.

    Raises:
        CorpusArgumentError: one of them is not of this form, or is named twice.
        UnreadableInputError: an unknown corpus, or a folder that is not one of its kind.
        ClipsLeftOutError: some recordings could not be read; all else is written.
    """
    folders: dict[str, Path] = {}
    for corpus in corpora:
        name, equals, folder = corpus.partition("=")
        if not equals or not folder or name in folders:
            raise CorpusArgumentError(f"{corpus}: name each corpus once, as NAME=FOLDER")
        folders[name] = Path(folder)
    built = build_manifest(folders, out)
    told = f"{out}: " + ", ".join(f"{count} clips of {name}" for name, count in built.clips.items())
    if built.failed:
        raise ClipsLeftOutError(f"{told}; {len(built.failed)} left out, such as {built.failed[0]}")
    return told


def print_corpora(console: Console) -> None:
    """Print the corpora that can be read, their licences, and where they are obtained."""
    for corpus in CORPORA.values():
        for line in (
            f"{corpus.name:<10}{corpus.title}; licence: {corpus.licence}",
            f"{'':<10}{corpus.source}",
        ):
            console.print(line, markup=False, soft_wrap=True)
