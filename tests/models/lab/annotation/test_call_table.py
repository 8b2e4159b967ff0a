"""Calls as data: what is accepted, what is complained of, and that a file comes back as it was."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipecat_deescalate.models.audio.recording import CallerChannel
from pipecat_deescalate.models.files import OutputError
from pipecat_deescalate.models.lab.annotation.call_table import (
    COLUMNS,
    EVENTS,
    Call,
    CallsError,
    CallTurn,
    write_turns,
)
from pipecat_deescalate.models.lab.annotation.validation import load_calls

GOOD = {"call_id": "a", "turn": 0, "speaker": "caller", "start_s": 1, "end_s": 2.5}


def write(folder: Path, *rows: Any) -> Path:
    path = folder / "calls.jsonl"
    path.write_text(
        "".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows)
    )
    return path


def complaints(*paths: Path) -> list[str]:
    with pytest.raises(CallsError) as caught:
        load_calls(paths)
    return list(caught.value.complaints)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"call_id": None}, "call_id is missing"),
        ({"call_id": 7}, "call_id text is needed"),
        ({"call_id": " "}, "call_id is empty"),
        ({"turn": "0"}, "turn a whole number is needed"),
        ({"turn": 1.5}, "turn a whole number is needed"),
        ({"turn": -1}, "turn is negative"),
        ({"speaker": "robot"}, "speaker one of caller, bot, agent is needed"),
        ({"text": ["hello"]}, "text text is needed"),
        ({"events": "no_match"}, "events a list of texts is needed"),
        ({"events": ["no_mtach"]}, "events only no_match, no_input, agent_request are known"),
        ({"events": [None]}, "events only no_match, no_input, agent_request are known"),
        ({"channel": "middle"}, "channel one of left, right is needed"),
        ({"start_s": 3}, "end_s is not after start_s"),
        ({"start_s": -1}, "start_s is not a time in a recording"),
        ({"end_s": None}, "end_s start_s and end_s belong together"),
        ({"audio": "a.wav", "start_s": None, "end_s": None}, "start_s is missing, though audio"),
        ({"outcome": "happy"}, "outcome one of resolved, unresolved, transferred, hung_up"),
        ({"p_negative": 1.2}, "p_negative a number from 0 to 1 is needed"),
    ],
)
def test_each_wrong_field_is_named_with_file_and_line(
    tmp_path: Path, change: dict[str, Any], complaint: str
) -> None:
    """Somebody who exports a million turns must find the one that is wrong."""
    path = write(tmp_path, {**GOOD, "call_id": "other"}, "", {**GOOD, **change})
    found = complaints(path)
    assert found[0].startswith(f"{path}: line 3: {complaint}")
    assert all("\n" not in line for line in found)


def test_turns_of_a_call_must_fit_together(tmp_path: Path) -> None:
    """Turns twice, out of order or over each other would be cut and counted wrongly."""
    path = write(
        tmp_path,
        {**GOOD, "outcome": "resolved"},
        {**GOOD, "turn": 1, "start_s": 2, "end_s": 3, "outcome": "resolved"},
        {**GOOD, "turn": 2, "speaker": "bot", "start_s": 2.8, "end_s": 4, "outcome": "resolved"},
        {**GOOD, "turn": 2, "start_s": 0.5, "end_s": 0.8},
        "[1, 2]",
        '{"call_id": "b"',
    )
    assert [line.partition("calls.jsonl: ")[2] for line in complaints(path)] == [
        "line 2: start_s overlaps the same speaker's turn before",
        "line 4: turn is there twice in this call",
        "line 4: start_s is before that of the turn before",
        "line 4: start_s overlaps the same speaker's turn before",
        "line 4: outcome is not that of the turn before; it is the call's",
        "line 5: is not a JSON object",
        "line 6: is not a JSON object",
    ]


def test_a_barge_in_is_no_overlap(tmp_path: Path) -> None:
    """Caller and bot do speak over each other, and that is what makes some calls worth hearing."""
    other = {**GOOD, "turn": 1, "speaker": "bot", "start_s": 2, "end_s": 3}
    with load_calls([write(tmp_path, GOOD, other)]) as calls:
        assert len(next(calls.each()).turns) == 2


def test_a_turn_in_two_files_is_found(tmp_path: Path) -> None:
    """An export that was run twice would count every turn twice."""
    first, second = tmp_path / "one.jsonl", tmp_path / "two.jsonl"
    for path in (first, second):
        path.write_text(json.dumps(GOOD))
    assert any("is there twice in this call" in line for line in complaints(first, second))


@pytest.mark.parametrize("content", [b"", b"PAR1 and then nothing", b"\xff\xfe\x00\n", b"\n\n"])
def test_files_that_hold_no_turns_are_refused(tmp_path: Path, content: bytes) -> None:
    """Damaged and empty files must not pass as calls without turns."""
    path = tmp_path / "calls.jsonl"
    path.write_bytes(content)
    (line,) = complaints(path)
    assert line.startswith(f"{path}: ")


def test_missing_files_are_named(tmp_path: Path) -> None:
    """A mistyped name must be shown."""
    missing = f"{tmp_path}/no.jsonl: {os.strerror(errno.ENOENT)}"
    assert complaints(tmp_path / "no.jsonl") == [missing]
    assert complaints(tmp_path / "*.jsonl") == [f"{tmp_path}/*.jsonl: matches no file"]


def written(path: Path, rows: str) -> None:
    """The rows of a query as Parquet."""
    with duckdb.connect() as database:
        database.sql(rows).write_parquet(str(path))


def test_parquet_of_the_wrong_types_is_refused(tmp_path: Path) -> None:
    """A column of another type would be cast into something that nobody wrote."""
    path = tmp_path / "calls.parquet"
    written(path, "SELECT 'a' AS call_id, 1.5::DOUBLE AS turn, 'caller' AS speaker")
    assert complaints(path) == [f"{path}: column turn is DOUBLE: a whole number is needed"]
    written(path, "SELECT 'a' AS call_id, 1 AS turn, 'robot' AS speaker")
    assert complaints(path) == [f"{path}: line 1: speaker one of caller, bot, agent is needed"]


texts = st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
turns = st.builds(
    CallTurn,
    call_id=st.sampled_from(["a", 'b "quoted"', "ü"]),
    turn=st.integers(0, 2**40),
    speaker=st.just("caller"),
    text=texts,
    dialog_state=texts,
    events=st.lists(st.sampled_from(EVENTS), unique=True).map(tuple),
    p_negative=st.none() | st.floats(0, 1),
)


@pytest.mark.parametrize("name", ["calls.jsonl", "calls.parquet"])
@settings(max_examples=15)
@given(wanted=st.lists(turns, min_size=1, max_size=8, unique_by=lambda t: (t.call_id, t.turn)))
def test_turns_come_back_as_they_were_written(
    tmp_path_factory: pytest.TempPathFactory, name: str, wanted: list[CallTurn]
) -> None:
    """Whatever callers say must survive both forms, unchanged and in order."""
    path = tmp_path_factory.mktemp("turns") / name
    assert write_turns(path, wanted) == len(wanted)
    with load_calls([path]) as calls:
        found = [turn for call in calls.each() for turn in call.turns]
    assert found == sorted(wanted, key=lambda turn: (turn.call_id.encode(), turn.turn))


@pytest.mark.parametrize("name", ["calls.jsonl", "calls.parquet"])
def test_an_interrupted_export_leaves_the_old_file(tmp_path: Path, name: str) -> None:
    """Half a table of turns would be taken for a whole one."""
    path = tmp_path / name
    write_turns(path, [CallTurn("old", 0, "caller")])
    before = path.read_bytes()

    def broken() -> Any:
        yield CallTurn("new", 0, "caller")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_turns(path, broken())
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """The error must name the file that was asked for, not one of ours."""
    with pytest.raises(OutputError, match="nowhere/calls"):
        write_turns(tmp_path / "nowhere" / "calls.parquet", [CallTurn("a", 0, "caller")])


def test_a_recording_is_named_from_its_tables_folder(tmp_path: Path) -> None:
    """A table and its recordings must be movable together."""
    turn = CallTurn("a", 0, "caller", audio="wavs/a.wav", channel="left", start_s=0, end_s=1)
    path = tmp_path / "calls.jsonl"
    write_turns(path, [turn])
    with load_calls([path]) as calls:
        (call,) = calls.each()
    assert call == Call("a", tmp_path, (turn,))
    assert call.recording(turn) == (tmp_path / "wavs/a.wav", CallerChannel.LEFT)


def test_the_schema_is_described() -> None:
    """A field that the documentation does not name cannot be exported by anybody."""
    described = (Path(__file__).parents[4] / "docs" / "calls-as-data.md").read_text()
    for name in (*COLUMNS, *EVENTS):
        assert f"`{name}`" in described
