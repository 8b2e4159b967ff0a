"""Choosing turns: what each rule finds, and that the same seed chooses the same turns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipecat_deescalate.models.lab.annotation.call_table import Calls, CallTurn, write_turns
from pipecat_deescalate.models.lab.annotation.selection import (
    RuleError,
    Sampling,
    Selection,
    load_rules,
    select,
)
from pipecat_deescalate.models.lab.annotation.validation import load_calls

NOTHING_ELSE = Sampling(random=0, negatives=0)
HEARD: dict[str, Any] = {"audio": "a.wav"}


def answer(
    turn: int, state: str | None = None, *events: str, call: str = "a", **more: Any
) -> CallTurn:
    given = {"start_s": turn * 5.0, "end_s": turn * 5.0 + 2, **HEARD, **more}
    return CallTurn(call, turn, "caller", dialog_state=state, events=events, **given)


def chosen(
    folder: Path, turns: list[CallTurn], sampling: Sampling = NOTHING_ELSE
) -> dict[Any, Any]:
    _, rows = run(folder, turns, sampling)
    return rows


def run(
    folder: Path, turns: list[CallTurn], sampling: Sampling
) -> tuple[Selection, dict[tuple[str, int], list[str]]]:
    path = folder / "calls.parquet"
    write_turns(path, turns)
    with load_calls([path]) as calls:
        selection = select(calls, load_rules(), sampling)
        return selection, rows(calls)


def rows(calls: Calls) -> dict[tuple[str, int], list[str]]:
    found = calls.rows("SELECT call_id, turn, reasons FROM selection")
    return {(call_id, turn): reasons for call_id, turn, reasons in found}


def test_reprompts_are_the_third_answers_to_one_state(tmp_path: Path) -> None:
    """A state that is visited again later is no reprompt; three in a row are."""
    states = ["pay", "pay", "date", "pay", "pay", "pay", "pay", None]
    bot = [CallTurn("a", 100 + n, "bot", dialog_state="pay") for n in range(5)]
    found = chosen(tmp_path, [answer(n, state) for n, state in enumerate(states)] + bot)
    assert found == {("a", 5): ["reprompts"], ("a", 6): ["reprompts"]}


def test_runs_of_misunderstandings_start_at_the_second(tmp_path: Path) -> None:
    """One misheard answer is usual; it is the run that wears a caller out."""
    events = ["no_match", None, "no_match", "no_input", "no_match", None]
    turns = [answer(n, None, *([event] if event else [])) for n, event in enumerate(events)]
    assert set(chosen(tmp_path, turns)) == {("a", 3), ("a", 4)}


def test_requests_for_a_human_count_from_the_second(tmp_path: Path) -> None:
    """The second request says that the first was not heeded; each call counts its own."""
    turns = [answer(n, None, *(["agent_request"] if n % 2 else [])) for n in range(6)]
    other = answer(0, None, "agent_request", call="b")
    assert chosen(tmp_path, [*turns, other]) == {
        ("a", 3): ["agent_requests"],
        ("a", 5): ["agent_requests"],
    }


def test_long_calls_count_if_they_solved_nothing(tmp_path: Path) -> None:
    """The end of a long call that was in vain is where patience ends."""
    turns = [
        answer(n, call=call, outcome=outcome, start_s=at, end_s=at + 2.0)
        for call, outcome in (("bad", "unresolved"), ("good", "resolved"), ("unknown", None))
        for n, at in enumerate((0.0, 149.0, 160.0, 298.0))
    ]
    assert set(chosen(tmp_path, turns)) == {("bad", 2), ("bad", 3)}


def test_early_hangups_are_the_last_words_of_short_calls(tmp_path: Path) -> None:
    """Who hangs up after twenty seconds has said why in the last turn."""
    turns = [
        answer(n, call=call, outcome=outcome, start_s=at, end_s=at + 2.0)
        for call, outcome, late in (
            ("early", "hung_up", 20.0),
            ("late", "hung_up", 40.0),
            ("done", "resolved", 20.0),
        )
        for n, at in enumerate((1.0, late))
    ]
    assert chosen(tmp_path, turns) == {("early", 1): ["early_hangups"]}


def many(calls: int = 40) -> list[CallTurn]:
    """One turn in ten is a reprompt, one has no audio."""
    return [
        answer(
            n, "same" if n < 3 else f"{n}", call=f"call-{c}", **({} if n < 9 else {"audio": None})
        )
        for c in range(calls)
        for n in range(10)
    ]


def test_the_report_counts_what_was_chosen(tmp_path: Path) -> None:
    """Somebody must be able to tell why each turn is there, and how many were left out."""
    sampling = Sampling(seed=3, per_rule=10, random=50, negatives=2)
    selection, found = run(tmp_path, many(), sampling)
    assert (selection.calls, selection.caller_turns, selection.hearable) == (40, 400, 360)
    counts = {rule.name: (rule.found, rule.chosen) for rule in selection.rules}
    assert counts["reprompts"] == (40, 10)
    reasons = [reason for given in found.values() for reason in given]
    assert reasons.count("reprompts") == selection.targeted == 10
    assert reasons.count("random") == selection.random == 50
    assert reasons.count("negative") == selection.negatives == 20
    assert len(found) == selection.chosen
    assert all("negative" not in given or "reprompts" not in given for given in found.values())
    assert all(turn != 2 for (_, turn), given in found.items() if "negative" in given)
    assert all(turn != 9 for _, turn in found)


def test_a_seed_chooses_the_same_turns_in_any_order(tmp_path: Path) -> None:
    """A selection that cannot be repeated cannot be checked."""
    sampling = Sampling(seed=5, per_rule=10, random=30, negatives=1)
    _, expected = run(tmp_path, many(), sampling)
    (tmp_path / "again").mkdir()
    path = tmp_path / "again" / "calls.jsonl"
    write_turns(path, reversed(many()))
    with load_calls([path]) as calls:
        select(calls, load_rules(), sampling)
        assert rows(calls) == expected
    _, other = run(tmp_path, many(), Sampling(seed=6, per_rule=10, random=30, negatives=1))
    assert other != expected


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("SELECT call_id, turn FROM turns", "line 1: a comment is needed"),
        ("-- Finds.\nSELECT call_id FROM turns", "turn"),
        ("-- Finds.\nSELEC", "mine.sql"),
        ("-- Finds.\nSELECT call_id, turn FROM turns; DROP TABLE turns", "mine.sql"),
        (
            "-- Finds.\nSELECT content AS call_id, 1 AS turn FROM read_text('/etc/hostname')",
            "mine.sql",
        ),
    ],
)
def test_a_bad_rule_is_named(tmp_path: Path, text: str, complaint: str) -> None:
    """A rule of somebody else's must not reach files, and a wrong one must say where."""
    (tmp_path / "mine.sql").write_text(text)
    path = tmp_path / "calls.jsonl"
    write_turns(path, [answer(0)])
    with load_calls([path]) as calls, pytest.raises(RuleError, match=complaint) as caught:
        select(calls, load_rules(tmp_path), NOTHING_ELSE)
    assert str(caught.value).startswith((f"{tmp_path / 'mine.sql'}: ", "mine.sql: "))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["random", "it's mine"])
def test_a_rules_name_is_its_own(tmp_path: Path, name: str) -> None:
    """A rule called random would be counted among the turns that no rule chose."""
    (tmp_path / f"{name}.sql").write_text("-- Finds.\nSELECT call_id, turn FROM turns")
    with pytest.raises(RuleError, match=name):
        load_rules(tmp_path)


def test_a_folder_without_rules_is_named(tmp_path: Path) -> None:
    """A mistyped folder must not choose nothing in silence."""
    with pytest.raises(RuleError, match=r"no [*][.]sql files"):
        load_rules(tmp_path)
