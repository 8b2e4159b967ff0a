"""The `manifest` command: a corpus on disk becomes a list of labelled clips."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from ..models.errors import DeescalateError
from ..models.evaluation.corpora import CORPORA, build_manifest


class CorpusArgumentError(DeescalateError):
    """A corpus was not named as NAME=FOLDER."""


def run_manifest(corpora: Sequence[str], out: Path) -> str:
    """Write the manifest of some corpora, each NAME=FOLDER, and return what it holds.

    Raises:
        CorpusArgumentError: one of them is not of this form, or is named twice.
        UnreadableInputError: an unknown corpus, or a folder that is not one of its kind.
    """
    folders: dict[str, Path] = {}
    for corpus in corpora:
        name, equals, folder = corpus.partition("=")
        if not equals or name in folders:
            raise CorpusArgumentError(f"{corpus}: name each corpus once, as NAME=FOLDER")
        folders[name] = Path(folder)
    counts = build_manifest(folders, out)
    return f"{out}: " + ", ".join(f"{count} clips of {name}" for name, count in counts.items())


def print_corpora(console: Console) -> None:
    """Print the corpora that can be read, where they are obtained, and their licences."""
    table = Table("name", "corpus", "where", "licence")
    for corpus in CORPORA.values():
        table.add_row(corpus.name, corpus.title, corpus.source, corpus.licence)
    console.print(table)
