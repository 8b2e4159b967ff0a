"""What is found in folders of recordings, and what is said of the rest."""

from __future__ import annotations

import os
from pathlib import Path

from pipecat_deescalate.models.audio.folders import LeftOut, files_under, recordings_among
from pipecat_deescalate.models.audio.formats import is_recording


def found(folder: Path) -> tuple[list[str], LeftOut]:
    """The recordings of a folder, by their path in it, and the rest."""
    left_out = LeftOut()
    files = [one for some in files_under(folder) for one in recordings_among(some, left_out)]
    return [os.path.relpath(file, folder) for file in files], left_out


def test_names_of_the_trade_are_recordings() -> None:
    """One that is not known would be left out of every figure."""
    names = (
        "a.WAV a.wav49 a.gsm a.m4a a.webm a.au a.amr a.spx a.w64 a.ulaw a.alaw a.sln a.sln16 "
        "a.g722 a.g729 a.aif a.caf a.3gp a.mp4 a.wma a.raw a.opus"
    )
    assert all(map(is_recording, names.split()))
    assert not any(map(is_recording, ("a.txt", "a.json", "wav", "a.wav.part")))


def test_every_file_is_a_recording_or_listed(tmp_path: Path) -> None:
    """A file in a folder below, or behind a link, must be in one of the two, and in one only."""
    for name in (
        "b.wav",
        "a.m4a",
        "2024/c.gsm",
        "2024/01/d.wav",
        "notes.txt",
        "2024/e.csv",
        ".b.wav",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "elsewhere.lnk").symlink_to(tmp_path / "2024" / "01")
    (tmp_path / "2024" / "up").symlink_to(tmp_path)
    recordings, left_out = found(tmp_path)
    assert [Path(name).name for name in recordings] == ["a.m4a", "b.wav", "c.gsm", "d.wav"]
    assert {Path(file).name for file in left_out.files} == {"notes.txt", "e.csv", ".b.wav"}
    assert left_out.count == 3
    assert "3 files left out" in str(left_out)


def test_one_call_in_several_forms_is_one_call(tmp_path: Path) -> None:
    """Asterisk writes a call as .wav and .gsm: counted twice, or refused as two of one id."""
    for name in ("a.gsm", "a.wav", "a.wav49", "b.gsm", "b.ulaw"):
        (tmp_path / name).write_bytes(b"x")
    recordings, left_out = found(tmp_path)
    assert recordings == ["a.wav", "b.gsm"]
    assert {Path(file).name for file in left_out.files} == {"a.gsm", "a.wav49", "b.ulaw"}


def test_a_folder_that_cannot_be_read_is_not_empty(tmp_path: Path) -> None:
    """Its calls would be missing in silence; so would a folder named as a recording."""
    (tmp_path / "call.wav").mkdir()
    assert found(tmp_path)[0] == ["call.wav"]
    tmp_path.chmod(0)
    user = os.geteuid()
    if user == 0:  # no mode bits keep root out
        os.seteuid(65_534)
    try:
        assert list(files_under(tmp_path)) == [[f"{tmp_path}/"]]
        assert recordings_among([f"{tmp_path}/"], LeftOut()) == [f"{tmp_path}/"]
    finally:
        os.seteuid(user)
        tmp_path.chmod(0o700)


def test_more_left_out_than_one_can_read_is_counted(tmp_path: Path) -> None:
    """A bucket holds a million transcripts; their names must not fill the memory."""
    left_out = LeftOut()
    recordings_among((f"{number}.json" for number in range(3_000)), left_out)
    assert (left_out.count, len(left_out.files)) == (3_000, 1_000)
    assert str(left_out).endswith("4.json and 2995 more")
