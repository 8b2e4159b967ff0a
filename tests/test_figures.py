"""Every figure in the documents comes from a result that a command wrote."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import pytest

from pipecat_deescalate.models.lab.evaluation.conditions import Condition
from pipecat_deescalate.models.lab.evaluation.evaluation_report import Role, ScoredClip, report

ROOT = Path(__file__).parents[1]
FIGURES = runpy.run_path(str(ROOT / "docs" / "figures"))
SUMMARY = runpy.run_path(str(ROOT / "docs" / "figures" / "summary.py"))
SPEED = runpy.run_path(str(ROOT / "docs" / "figures" / "speed.py"))


@pytest.mark.parametrize("document", FIGURES["BLOCKS"], ids=lambda path: path.name)
def test_a_document_shows_the_results(document: Path) -> None:
    """A figure typed by hand, or an outdated one, would go unnoticed."""
    assert FIGURES["rendered"](document) == document.read_text(encoding="utf-8")


def test_the_card_of_the_voice_model_holds_the_same_figures() -> None:
    """The model card would hold figures of another run or another model."""
    card = json.loads((ROOT / "models" / "weights" / "voice.json").read_text(encoding="utf-8"))
    results = json.loads((ROOT / "docs" / "results" / "evaluate.json").read_text(encoding="utf-8"))
    assert card["evaluation"] == results["corpora"]
    assert card["limits"]


def test_every_row_of_a_run_reaches_its_table() -> None:
    """A table that cannot show a measurement would fail only after an hour's run."""
    rows = [
        ScoredClip("x", "nemo", Role.ZERO_SHOT, f"s{i}", "any", bool(i % 2), p, "fm"[i > 3])
        for i, p in enumerate((0.1, 0.9, 0.3, 0.7, 0.2, 0.6, 0.85, 0.4))
    ]
    found = report("any", rows, telephone=True, robustness={Condition.MU_LAW: rows})
    results = json.loads(json.dumps({"corpora": found.as_dict()}))
    assert "| nEMO, Polish | zero-shot | 0.750 / 0.75 |" in FIGURES["selective"](results)
    assert "| 8 kHz line, mu-law | 0.812 | 0.812 | 0.750 |" in FIGURES["robustness"](results)
    groups = FIGURES["groups"](results)
    assert "| nEMO, Polish | f | 4 | 4 | 1.000 | 0.0% | 0.0% |" in groups
    assert "| | **largest gap** | | | 0.500 | 50.0% |" in groups


def test_an_undefined_figure_is_a_dash() -> None:
    """A class that was never predicted has no precision: "nan" or a zero would mislead."""
    rows = [
        ScoredClip("x", "nemo", Role.ZERO_SHOT, "s", "any", bool(i % 2), 0.1 + i / 100, "fm"[i > 2])
        for i in range(4)
    ]
    found = report("any", rows, telephone=True)
    results = json.loads(json.dumps({"corpora": found.as_dict()}, allow_nan=False))
    assert results["corpora"]["corpora"][0]["negative"]["precision"] is None
    assert "| - / 0.00 | 0.50 / 1.00 |" in FIGURES["corpora"](results)
    assert "0.500 / - |" in FIGURES["selective"](results)
    assert "| m | 1 | 1 | - | - | - |" in FIGURES["groups"](results)


def test_models_beside_ours_reach_their_table() -> None:
    """An unmeasured length is an empty cell; an unmeasured model says why."""
    lengths = (1.0, 4.0)
    ours, slow = (
        {
            "name": name,
            "precision": "fp32",
            "parameters": parameters,
            "peak_memory_mb": 1234.0,
            "latency": [
                {"turn_s": turn_s, "threads": 1, "times_ours": ms / 10, "time": {"median_ms": ms}}
                for turn_s in measured
            ],
            "not_measured": None,
        }
        for name, parameters, ms, measured in (
            ("ours", None, 10.0, lengths),
            ("slow", 2_182_650_880, 20_000.0, (4.0,)),
        )
    )
    missing = {"name": "huge", "precision": "bf16", "latency": [], "not_measured": "too big"}
    results = {"architectures": [ours, slow, missing], "machine": {"processor": "x", "cores": 2}}
    table = FIGURES["architectures"](results)
    assert "| ours, fp32 |  | 1 | 10.0 ms | 10.0 ms | 1 x | 1.2 GB |" in table
    assert "| slow, fp32 | 2.2 G | 1 |  | 20.0 s | 2,000 x | 1.2 GB |" in table
    assert "huge, bf16: not measured, too big." in table
    assert SPEED["_relative_to_ours"]([ours, slow, missing])[0].startswith(
        "Relative to ours, 4 s on one thread: slow 2,000 x (fp32)"
    )


def test_the_summary_names_the_languages_of_the_zero_shot_corpora() -> None:
    """Another corpus in the mean would stand behind figures of these languages."""
    results = json.loads((ROOT / "docs" / "results" / "evaluate.json").read_text(encoding="utf-8"))
    assert list(SUMMARY["ZERO_SHOT"]) == results["corpora"]["mean"]["corpora"]
