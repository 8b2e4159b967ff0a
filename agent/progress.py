"""Progress of a command, on a terminal only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress, TaskID

Report = Callable[[str, int, int], None]
"""Takes what is being done, how many steps are done, and how many there are."""


def progress_bar() -> Progress:
    """A bar on stderr that is gone when done; nothing where stderr is no terminal."""
    console = Console(stderr=True)
    return Progress(console=console, transient=True, disable=not console.is_terminal)


@contextmanager
def stages() -> Iterator[Report]:
    """Show one bar a stage."""
    tasks: dict[str, TaskID] = {}
    with progress_bar() as progress:

        def report(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = progress.add_task(what)
            progress.update(tasks[what], completed=done, total=total)

        yield report
