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

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
TABLES = ROOT / "docs" / "results.md"
SIMULATE = ROOT / "docs" / "simulate.md"
RESULTS = ROOT / "docs" / "results"

Block = tuple[Path, Callable[[dict[str, Any]], str]]
"""The file that holds the results, and what makes a table of them."""

BLOCKS: dict[Path, dict[str, Block]] = {
    README: {
        "evaluate": (RESULTS / "evaluate.json", corpora),
        "alarms": (RESULTS / "calls.json", alarms),
        "bench": (RESULTS / "bench.json", bench),
        "live": (RESULTS / "live.json", live),
    },
    SIMULATE: {
        "sizing": (RESULTS / "simulate.json", sizing),
        "simulated": (RESULTS / "simulated.json", simulated),
        "simulated_voice": (RESULTS / "simulated_voice.json", simulated),
    },
    TABLES: {
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
    """The document with every block made anew from the results."""
    found = document.read_text(encoding="utf-8")
    for name, (file, render) in BLOCKS[document].items():
        if not file.exists():  # not measured yet: once it is, the document must show it
            continue
        text = render(json.loads(file.read_text(encoding="utf-8")))
        start, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
        before, opened, rest = found.partition(start)
        _, closed, after = rest.partition(end)
        if not opened or not closed:
            raise ValueError(f"{document.name} has no block {name}")
        found = f"{before}{start}{text}\n{end}{after}"
    return found


if __name__ == "__main__":
    for path in BLOCKS:
        path.write_text(rendered(path), encoding="utf-8")
