"""The `label select` command: choose the turns worth labelling, with the reason."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ...models.files import whole_file
from ...models.lab.annotation.call_table import Calls
from ...models.lab.annotation.selection import RULES, Sampling, Selection, load_rules, select
from ...models.lab.annotation.validation import load_calls
from ..console import UsageError, is_one_of, results, stages

_ROWS = "SELECT to_json(selection)::VARCHAR FROM selection ORDER BY call_id, turn"


def run_selection(
    calls: Sequence[Path],
    *,
    out: Path,
    rules: Path | None,
    sampling: Sampling,
    as_json: bool,
    report: Path | None,
) -> None:
    """Choose turns, write them to `out`, and report what was chosen and why.

    Raises:
        CallsError, RuleError, UsageError: the calls, a rule or `out` cannot be used.
        OutputError: a file cannot be written.
    """
    if is_one_of(out, calls):
        raise UsageError(f"--out {out} is one of the tables of turns")
    loaded = load_rules(rules or RULES)
    with results(as_json=as_json, out=report) as emit:
        with stages() as progress, load_calls(calls) as turns:
            progress("choosing", 0, None)
            selection = select(turns, loaded, sampling)
            _write(turns, out)
        emit(json.dumps(asdict(selection)), partial(_show, selection, out))


def _write(calls: Calls, out: Path) -> None:
    with whole_file(out) as file:
        file.writelines(f"{row}\n".encode() for (row,) in calls.rows(_ROWS))


def _show(selection: Selection, out: Path, console: Console) -> None:
    table = Table("", "finds", title_justify="left")
    table.add_column("found", justify="right")
    table.add_column("chosen", justify="right")
    for rule in selection.rules:
        table.add_row(rule.name, escape(rule.finds), f"{rule.found:,}", f"{rule.chosen:,}")
    table.add_row("random", "From all turns with audio.", "", f"{selection.random:,}")
    each = f"{selection.sampling.negatives} per turn above, from turns that no rule found."
    table.add_row("negative", each, "", f"{selection.negatives:,}")
    console.print(table)
    console.print(
        f"{out}: {selection.chosen:,} turns, of {selection.hearable:,} caller turns with audio "
        f"({selection.caller_turns:,} caller turns, {selection.calls:,} calls); "
        f"seed {selection.sampling.seed}",
        markup=False,
        soft_wrap=True,
    )
