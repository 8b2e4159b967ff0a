"""What a training run reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipecat_deescalate.models.errors import UnreadableInputError
from pipecat_deescalate.models.training.data import read_callers, read_manifest, read_unlabelled


def test_callers_that_alarms_are_counted_on_are_kept_out(tmp_path: Path) -> None:
    """A calibration on the very callers of the evaluation would flatter its false alarms."""
    (tmp_path / "manifest.csv").write_text("path,caller\na.wav,ann\nb.wav,bob\n")
    (tmp_path / "calls.csv").write_text("path,caller\nx.wav,bob\n")
    apart = read_callers(tmp_path / "calls.csv")
    assert [clip.speaker for clip in read_unlabelled(tmp_path / "manifest.csv", apart)] == ["ann"]
    (tmp_path / "calls.csv").write_text("path\nx.wav\n")
    with pytest.raises(UnreadableInputError, match="no column 'caller'"):
        read_callers(tmp_path / "calls.csv")


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ("a.wav,own,ann,anger,maybe,train", "row 2: negative is 'maybe', neither 0 nor 1"),
        ("a.wav,own,ann", "row 2: ends too early"),
        ("a.wav,own,ann,anger,1,train,much", "row 2: could not convert string to float: 'much'"),
    ],
)
def test_a_bad_row_of_a_manifest_is_named(tmp_path: Path, row: str, complaint: str) -> None:
    """Whoever wrote thousands of rows must be told which one cannot be used."""
    manifest = tmp_path / "manifest.csv"
    header = "path,corpus,speaker,emotion,negative,split,soft_negative"
    manifest.write_text(f"{header}\nb.wav,own,bob,joy,0,train,0.2\n{row}\n")
    with pytest.raises(UnreadableInputError, match=complaint):
        read_manifest(manifest)
