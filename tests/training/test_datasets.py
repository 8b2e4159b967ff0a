"""What a training run reads."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from pipecat_deescalate.models.errors import UnreadableInputError
from pipecat_deescalate.models.files import OutputError
from pipecat_deescalate.models.lab.datasets import (
    Clip,
    cached_rows,
    read_callers,
    read_manifest,
    read_noises,
    read_unlabelled,
)

from ..audio import noise, write_audio
from ..disk import no_file_over


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
        ("a.wav,own,ann,anger,1,train,7", "row 2: soft_negative is 7, not from 0 to 1"),
        ("a.wav,own,ann,anger,1,train,nan", "row 2: soft_negative is nan, not from 0 to 1"),
        ("a.wav,own,ann,anger,1,train,0.5,more", "row 2: has more values than columns"),
        (f'a.wav,own,"{"ann" * 50_000}', r"cannot be read \(field larger than field limit"),
    ],
)
def test_a_bad_row_of_a_manifest_is_named(tmp_path: Path, row: str, complaint: str) -> None:
    """Among thousands of rows, the message must name the one that cannot be used."""
    manifest = tmp_path / "manifest.csv"
    header = "path,corpus,speaker,emotion,negative,split,soft_negative"
    manifest.write_text(f"{header}\nb.wav,own,bob,joy,0,train,0.2\n{row}\n")
    with pytest.raises(UnreadableInputError, match=complaint):
        read_manifest(manifest)


def test_a_table_that_a_spreadsheet_wrote_is_read(tmp_path: Path) -> None:
    """Excel puts a byte order mark before the first column's name, which nobody sees."""
    (tmp_path / "calls.csv").write_text("caller\nbob\n", encoding="utf-8-sig")
    assert read_callers(tmp_path / "calls.csv") == {"bob"}


def test_noises_are_found_whatever_their_names_end_in(tmp_path: Path) -> None:
    """A noise left out in silence would train another model."""
    write_audio(tmp_path / "pcm16.wav", noise(0.1), 16_000, "pcm16.wav").rename(tmp_path / "A.WAV")
    write_audio(tmp_path / "b.mp3", noise(0.1), 16_000, "call.mp3")
    (tmp_path / "NOTES.md").write_text("where they come from")
    assert len(read_noises(tmp_path)) == 2


def _clip(path: Path) -> Clip:
    return Clip(path, "own", "ann", "", None, "train")


def _size_and_first_byte(clip: Clip) -> NDArray[np.float32]:
    content = clip.path.read_bytes()
    return np.array([len(content), content[0]], np.float32)


def _rows(cache: Path, clip: Clip) -> list[float]:
    rows = cached_rows(cache, "key", [clip], _size_and_first_byte, lambda *_: None)
    return [float(value) for value in rows[0]]


def test_a_clip_that_was_replaced_is_heard_anew(tmp_path: Path) -> None:
    """A repaired clip of the same name and size would train as the broken one."""
    clip = _clip(tmp_path / "a.wav")
    clip.path.write_bytes(b"ab")
    assert _rows(tmp_path / "cache", clip) == [2.0, ord("a")]
    clip.path.write_bytes(b"ba")
    os.utime(clip.path, ns=(1, 1))
    assert _rows(tmp_path / "cache", clip) == [2.0, ord("b")]


@pytest.mark.parametrize("left", [b"", b"\x93NUMPY\x01\x00v\x00{'de", b"no array"])
def test_a_damaged_part_of_the_cache_is_made_again(tmp_path: Path, left: bytes) -> None:
    """Nobody should have to find out which of hundreds of files stops the run."""
    clip = _clip(tmp_path / "a.wav")
    clip.path.write_bytes(b"ab")
    expected = _rows(tmp_path / "cache", clip)
    [part] = (tmp_path / "cache").iterdir()
    whole = part.read_bytes()
    for content in (left, whole[:-1]):
        part.write_bytes(content)
        assert _rows(tmp_path / "cache", clip) == expected
        assert part.read_bytes() == whole


def test_a_full_disk_is_named(tmp_path: Path) -> None:
    """A partly written chunk could be left in place, or the message say None."""
    clip = _clip(tmp_path / "a.wav")
    clip.path.write_bytes(b"ab")
    with (
        no_file_over(1_000),
        pytest.raises(OutputError, match="cannot be written: File too large"),
    ):
        cached_rows(tmp_path, "key", [clip], lambda _: np.zeros(500, "f4"), lambda *_: None)
    assert [path.name for path in tmp_path.iterdir()] == ["a.wav"]
