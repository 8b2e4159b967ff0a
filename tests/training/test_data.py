"""What a training run reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipecat_deescalate.models.errors import UnreadableInputError
from pipecat_deescalate.models.training.data import read_callers, read_unlabelled


def test_callers_that_alarms_are_counted_on_are_kept_out(tmp_path: Path) -> None:
    """A calibration on the very callers of the evaluation would flatter its false alarms."""
    (tmp_path / "manifest.csv").write_text("path,caller\na.wav,ann\nb.wav,bob\n")
    (tmp_path / "calls.csv").write_text("path,caller\nx.wav,bob\n")
    apart = read_callers(tmp_path / "calls.csv")
    assert [clip.speaker for clip in read_unlabelled(tmp_path / "manifest.csv", apart)] == ["ann"]
    (tmp_path / "calls.csv").write_text("path\nx.wav\n")
    with pytest.raises(UnreadableInputError, match="no column 'caller'"):
        read_callers(tmp_path / "calls.csv")
