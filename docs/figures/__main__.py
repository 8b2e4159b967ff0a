"""Puts the figures in docs/results into README.md and the pages of docs: `python docs/figures`.

A test fails when a document and the results differ.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from calls import alarms, alarms_with_words
from evaluation import assembled, corpora, groups, robustness, selective, words
from live import demo, live
from simulation import simulated, sizing
from speed import architectures, bench
from summary import reaches

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
TABLES = ROOT / "docs" / "results.md"
SIMULATE = ROOT / "docs" / "simulate.md"
RESULTS = ROOT / "docs" / "results"

Block = tuple[Path, Callable[[dict[str, Any]], str]]
"""The file that holds the results, or the folder of all of them, and what makes a table of it."""

BLOCKS: dict[Path, dict[str, Block]] = {
    README: {"reaches": (RESULTS, reaches)},
    SIMULATE: {
        "sizing": (RESULTS / "simulate.json", sizing),
        "simulated": (RESULTS / "simulated.json", simulated),
        "simulated_voice": (RESULTS / "simulated_voice.json", simulated),
    },
    TABLES: {
        "evaluate": (RESULTS / "evaluate.json", corpora),
        "alarms": (RESULTS / "calls.json", alarms),
        "bench": (RESULTS / "bench.json", bench),
        "live": (RESULTS / "live.json", live),
        "words": (ROOT / "models" / "weights" / "wording.json", words),
        "assembled": (RESULTS / "evaluate.json", assembled),
        "alarms_with_words": (RESULTS / "calls.json", alarms_with_words),
        "selective": (RESULTS / "evaluate.json", selective),
        "robustness": (RESULTS / "evaluate.json", robustness),
        "groups": (RESULTS / "evaluate.json", groups),
        "architectures": (RESULTS / "bench.json", architectures),
        "demo": (RESULTS / "demo.json", demo),
    },
}


def rendered(document: Path) -> str:
    """The document with every block rendered from the results."""
    found = document.read_text(encoding="utf-8")
    for name, (file, render) in BLOCKS[document].items():
        if not file.exists():  # not measured yet: once it is, the document must show it
            continue
        text = render(_results(file))
        start, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
        before, opened, rest = found.partition(start)
        _, closed, after = rest.partition(end)
        if not opened or not closed:
            raise ValueError(f"{document.name} has no block {name}")
        found = f"{before}{start}{text}\n{end}{after}"
    return found


def _results(path: Path) -> dict[str, Any]:
    if path.is_dir():
        return {file.stem: _results(file) for file in path.glob("*.json")}
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


if __name__ == "__main__":
    for path in BLOCKS:
        path.write_text(rendered(path), encoding="utf-8")
