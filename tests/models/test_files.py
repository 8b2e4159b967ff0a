"""Files that are whole or absent, whatever becomes of the process that writes them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipecat_deescalate.models.files import whole_file, whole_folder

WRITER = """
import sys
from pathlib import Path
from pipecat_deescalate.models import files

with getattr(files, sys.argv[1])(Path(sys.argv[2])) as made:
    if sys.argv[1] == "whole_folder":
        (made / "part").write_text("half")
    print("writing", flush=True)
    sys.stdin.read()
"""


def writing(kind: str, out: Path) -> subprocess.Popen[str]:
    """A process in the middle of writing."""
    process = subprocess.Popen(  # noqa: S603 - our own code
        [sys.executable, "-c", WRITER, kind, str(out)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "writing\n"
    return process


def unfinished(folder: Path) -> list[Path]:
    """What lies in a folder unfinished, made an hour old."""
    found = list(folder.glob(".*.unfinished"))
    for path in found:
        os.utime(path, (time.time() - 3600,) * 2)
    return found


def write(kind: str, out: Path) -> None:
    """Write something whole."""
    if kind == "whole_file":
        with whole_file(out) as file:
            file.write(b"whole")
    else:
        with whole_folder(out) as made:
            (made / "part").write_text("whole")


@pytest.mark.parametrize("kind", ["whole_file", "whole_folder"])
def test_what_a_killed_run_left_is_cleared_by_the_next(kind: str, tmp_path: Path) -> None:
    """Every run that is killed would leave as much beside the output as it had written."""
    out = tmp_path / "out[1]"
    with writing(kind, out) as process:
        process.kill()
    assert len(unfinished(tmp_path)) == 1
    mine = tmp_path / ".out[1].notes"
    mine.touch()
    write(kind, out)
    assert sorted(tmp_path.iterdir()) == [mine, out]


@pytest.mark.parametrize("kind", ["whole_file", "whole_folder"])
def test_a_run_that_still_writes_keeps_what_it_has(kind: str, tmp_path: Path) -> None:
    """A second run into the same place would destroy hours of the first one's work."""
    out = tmp_path / "out"
    with writing(kind, out) as process:
        [first] = unfinished(tmp_path)
        write(kind, out)
        assert first.exists()
        process.communicate("")
    assert process.returncode == 0
    assert list(tmp_path.iterdir()) == [out]


def test_what_was_begun_just_now_is_not_touched(tmp_path: Path) -> None:
    """A run that has made its file but not locked it yet would lose it."""
    begun = tmp_path / ".out.abc.unfinished"
    begun.touch()
    write("whole_file", tmp_path / "out")
    assert begun.exists()
