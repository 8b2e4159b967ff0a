"""Which files of a folder are its recordings."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipecat_deescalate.agent.console import NoRecordingsError, recordings


def test_a_recording_counts_however_its_ending_is_written(tmp_path: Path) -> None:
    """Recorders write CALL.WAV; to leave it out without a word would be noticed by nobody."""
    for name in ("b.WAV", "a.opus", "notes.txt"):
        (tmp_path / name).touch()
    assert [path.name for path in recordings(tmp_path)] == ["a.opus", "b.WAV"]


def test_a_folder_without_recordings_is_named(tmp_path: Path) -> None:
    """Nothing found is a mistyped path more often than it is what was meant."""
    with pytest.raises(NoRecordingsError, match=str(tmp_path)):
        recordings(tmp_path)
