"""Models beside ours: a row for each, measured or with the reason why not."""

from __future__ import annotations

import math
from dataclasses import replace
from importlib.util import find_spec
from io import StringIO

import pytest
from rich.console import Console

from benchmarks import architectures
from benchmarks.__main__ import app
from benchmarks.architectures import (
    Architectures,
    _Contender,
    measure_architectures,
    print_architectures,
)
from pipecat_deescalate.agent.console import MissingExtraError


def test_one_that_cannot_be_measured_leaves_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Too little memory, or a process that fails, must cost one row, which says so."""
    ours = architectures._SHIPPED[0]
    contenders = (ours, _Contender("smart-turn-v3.2", "huge", "fp32", 1e6, (1,)))
    contenders += (_Contender("no such model", "broken", "fp32", 0.1, (1,)),)
    monkeypatch.setattr(architectures, "_SHIPPED", contenders)
    monkeypatch.setitem(architectures._MEASURED, Architectures.SMALL, contenders)
    said: list[str] = []
    measured, huge, broken = measure_architectures(
        Architectures.SMALL, budget_s=60, say=said.append
    )
    assert {row.times_ours for row in measured.latency} == {1.0}
    assert len(measured.latency) == 5
    assert 20 < measured.peak_memory_mb < 400
    assert "needs 1e+06 GB of memory" in huge.not_measured
    assert "Error: " in broken.not_measured
    assert any("not measured" in line for line in said)
    out = StringIO()
    print_architectures((measured, huge, broken), Console(file=out, width=200))
    assert f"broken fp32 not measured: {broken.not_measured}" in out.getvalue()


def test_without_ours_nothing_is_times_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """If ours was not measured, ratios to the next model instead would all be wrong."""
    ours, smart_turn = architectures._SHIPPED
    starved = (replace(ours, needs_gb=1e6), smart_turn)
    monkeypatch.setattr(architectures, "_SHIPPED", starved)
    monkeypatch.setitem(architectures._MEASURED, Architectures.SMALL, starved)
    _, measured = measure_architectures(Architectures.SMALL, budget_s=0, say=lambda _line: None)
    assert measured.latency
    assert all(math.isnan(row.times_ours) for row in measured.latency)
    out = StringIO()
    print_architectures((measured,), Console(file=out, width=200))
    assert "nan" not in out.getvalue()


@pytest.mark.skipif(find_spec("torch") is not None, reason="torch is installed")
def test_large_ones_without_torch_say_what_to_install() -> None:
    """Nobody should wait for the other figures only to learn that these cannot be measured."""
    with pytest.raises(MissingExtraError, match=r'pip install "pipecat-deescalate\[hf\]"'):
        app(["speed", "--architectures", "all"], standalone_mode=False)
