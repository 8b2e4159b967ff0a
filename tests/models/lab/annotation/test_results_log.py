"""The log: whole lines whatever happens, and one writer."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipecat_deescalate.models.files import OutputError
from pipecat_deescalate.models.lab.annotation.call_table import CallsError
from pipecat_deescalate.models.lab.annotation.labels import Emotion, Label, read_labels
from pipecat_deescalate.models.lab.annotation.results_log import ResultsLog


def labels(count: int) -> list[Label]:
    return [
        Label(call_id="a", turn=n, annotator="x", label=Emotion.NEGATIVE, reasoning="lauter\n→")
        for n in range(count)
    ]


@given(cut=st.integers(0, 2_000))
def test_a_file_cut_anywhere_goes_on_with_whole_lines(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    """A power cut can end a file at any byte; no line before it may be lost, none doubled."""
    path = tmp_path_factory.mktemp("log") / "labels.jsonl"
    wanted = labels(6)
    with ResultsLog(path) as log:
        log.append(wanted)
    content = path.read_bytes()[:cut]
    path.write_bytes(content)
    with ResultsLog(path) as log:
        assert log.labels == wanted[: content.count(b"\n")]
        log.append(wanted[len(log.labels) :])
    assert list(read_labels(path)) == wanted


def test_two_runs_cannot_write_one_file(tmp_path: Path) -> None:
    """Both would pay for the same turns."""
    path = tmp_path / "labels.jsonl"
    with ResultsLog(path), pytest.raises(OutputError, match="another run is writing it"):
        ResultsLog(path)


def test_a_run_that_labelled_nothing_leaves_no_file(tmp_path: Path) -> None:
    """An empty file of labels would look like a run that found nothing."""
    with ResultsLog(tmp_path / "labels.jsonl"):
        pass
    assert not list(tmp_path.iterdir())


def test_a_file_of_something_else_is_refused_and_kept(tmp_path: Path) -> None:
    """A mistyped --out must not be written to."""
    path = tmp_path / "calls.jsonl"
    path.write_text('{"call_id": "a"}\n')
    with pytest.raises(CallsError, match="line 1: turn: missing key"):
        ResultsLog(path)
    assert path.read_text() == '{"call_id": "a"}\n'
    path.write_bytes(b"PAR1 a table of turns")
    with pytest.raises(CallsError, match="the last line is not a valid label"):
        ResultsLog(path)
    assert path.read_bytes() == b"PAR1 a table of turns"
    with pytest.raises(OutputError, match="no/labels"):
        ResultsLog(tmp_path / "no" / "labels.jsonl")
