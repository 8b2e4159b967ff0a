"""Policies as operators write them."""

from __future__ import annotations

import errno
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipecat_deescalate.models.errors import PolicyError
from pipecat_deescalate.policies import PRESETS, OpeningHours, load_policy


@pytest.mark.parametrize("name", PRESETS)
def test_presets_load_under_their_name(name: str) -> None:
    """A preset that does not validate would break every default."""
    assert load_policy(name).name == name


def test_presets_differ_in_the_promised_order() -> None:
    """Gentle must step in later than balanced, and balanced later than eager."""
    gentle, balanced, eager = (load_policy(name) for name in PRESETS)
    assert gentle.distressed.enter > balanced.distressed.enter > eager.distressed.enter
    assert gentle.transfer_after > balanced.transfer_after >= eager.transfer_after
    assert gentle.least_turn_evidence >= balanced.least_turn_evidence > eager.least_turn_evidence


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("transfer_afer: 2", "transfer_afer: unknown key"),
        ("memory: 1.5", "memory: must be less than 1"),
        ("memory: .nan", "memory: must be a finite number"),
        ("strained: {enter: 0.2, leave: 0.3}", "strained: leave (0.3) must not be above"),
        ("strained: {enter: 0.2}", "strained.leave: missing key"),
        ("strained: {enter: 0.6, leave: 0.1}", "distressed.enter must not be below"),
        ("dialog_states: {pin: {max_empaty: 1}}", "dialog_states.pin.max_empaty: unknown key"),
        ("dialog_states: {pin: {memory: 0.5}}", "dialog_states.pin.memory: unknown key"),
        ("opening_hours: {opens: '9:00', closes: '17:00', timezone: Mars}", "opening_hours"),
        ("opening_hours: {opens: '24:00', closes: '17:00'}", "opening_hours.opens: must be a time"),
        ("opening_hours: {opens: '8:00', closes: '17:00'}", 'opens: write it in quotes, such as "'),
        ("opening_hours: {opens: [8], closes: '17:00'}", 'opens: write it in quotes, such as "'),
        ("opening_hours: {opens: '08:00', closes: '17:00', days: []}", "opening_hours.days: "),
        ("{least_turn_evidence: 2, max_turn_evidence: 1}", "must not be above max_turn_evidence"),
        ("highest_action: shout", "highest_action: must be "),
        ("[1, 2]", "a policy is a mapping"),
        ("a: [", "not valid YAML at line 1"),
        ("\x00", "not valid YAML"),
    ],
)
def test_a_bad_policy_says_which_key(tmp_path: Path, text: str, complaint: str) -> None:
    """An operator must see the file, the key and what is wrong, on one line."""
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(PolicyError) as caught:
        load_policy(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_policy_is_parsed_once_and_again_when_its_file_changes(tmp_path: Path) -> None:
    """Every call loads one: none may wait for a parser, nor run on what an operator took back."""
    path = tmp_path / "mine.yaml"
    path.write_text("max_empathy: 1")
    first = load_policy(path)
    assert load_policy(path) is first
    assert load_policy("balanced") is load_policy("balanced")
    path.write_text("max_empathy: 3")
    assert load_policy(path).max_empathy == 3


def test_a_missing_policy_names_the_presets(tmp_path: Path) -> None:
    """A mistyped preset must be told apart from a missing file."""
    with pytest.raises(PolicyError, match="no such policy; use gentle, balanced, eager"):
        load_policy("balancd")
    with pytest.raises(PolicyError, match=os.strerror(errno.ENOENT)):
        load_policy(tmp_path / "none.yaml")
    with pytest.raises(PolicyError, match=os.strerror(errno.EISDIR)):
        load_policy(tmp_path)


def test_opening_hours_follow_the_local_clock() -> None:
    """Hours are the agents' own, across midnight and time zones."""
    day = OpeningHours(timezone="Europe/Berlin", opens="09:00", closes="17:00")
    assert day.is_open(datetime(2026, 3, 4, 8, 30, tzinfo=UTC))
    assert not day.is_open(datetime(2026, 3, 4, 16, 0, tzinfo=UTC))
    assert not day.is_open(datetime(2026, 3, 7, 10, 0, tzinfo=UTC))
    night = OpeningHours(days=("fri",), opens="22:00", closes="06:00")
    assert night.is_open(datetime(2026, 3, 6, 23, 0, tzinfo=UTC))
    assert night.is_open(datetime(2026, 3, 7, 5, 0, tzinfo=UTC))
    assert not night.is_open(datetime(2026, 3, 6, 5, 0, tzinfo=UTC))


@pytest.mark.parametrize(
    ("opens", "closes"), [("00:00", "00:00"), ("00:00", "24:00"), ("09:00", "09:00")]
)
def test_hours_that_close_when_they_open_are_all_day(opens: str, closes: str) -> None:
    """Who answers around the clock must not count as never there."""
    hours = OpeningHours(days=("fri",), opens=opens, closes=closes)
    friday = datetime(2026, 3, 6, tzinfo=UTC)
    for hour in (0, 8, 9, 12, 23):
        assert hours.is_open(friday + timedelta(hours=hour))
        assert not hours.is_open(friday + timedelta(hours=hour - 24))
        assert not hours.is_open(friday + timedelta(hours=hour + 24))


def test_a_day_may_end_at_24_00() -> None:
    """Operators write the end of a day in this way; it must not be the beginning of it."""
    evening = OpeningHours(days=("fri",), opens="08:00", closes="24:00")
    assert evening.is_open(datetime(2026, 3, 6, 23, 59, tzinfo=UTC))
    assert not evening.is_open(datetime(2026, 3, 7, 0, 0, tzinfo=UTC))
    assert not evening.is_open(datetime(2026, 3, 6, 7, 0, tzinfo=UTC))
