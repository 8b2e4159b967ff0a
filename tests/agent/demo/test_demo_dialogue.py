"""The demo's script, and the state machine over it."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pipecat_deescalate.agent.demo.dialogue import (
    BANK_CARD,
    Script,
    ScriptError,
    load_script,
    opening,
    reply,
)

SCRIPT = load_script()
UTTERANCES = st.one_of(
    st.none(),
    st.text(max_size=40),
    st.lists(st.sampled_from(sorted(SCRIPT.phrases)), min_size=1, max_size=3).map(". ".join),
    st.sampled_from(["yes", "no", "four two seven one"]),
)


def say(*utterances: str | None) -> list[str]:
    """What the bot says to each of these."""
    place, _ = opening(SCRIPT)
    said = []
    for heard in utterances:
        place, answer = reply(SCRIPT, place, heard)
        said.append(answer)
    return said


@given(st.lists(UTTERANCES, max_size=30))
def test_the_bot_always_has_an_answer(utterances: list[str | None]) -> None:
    """Whatever is heard, in whatever order, must lead to a sentence and to a state that exists."""
    place, said = opening(SCRIPT)
    assert said
    for heard in utterances:
        again = reply(SCRIPT, place, heard)
        place, said = reply(SCRIPT, place, heard)
        assert (place, said) == again
        assert said.strip() == said != ""
        assert place.state in SCRIPT.states


def test_every_state_can_be_reached() -> None:
    """A state that nothing leads to would never be shown."""
    answers = [*SCRIPT.always, *(a for state in SCRIPT.states.values() for a in state.answers)]
    reached = {SCRIPT.starts, *(a.goes_to for a in answers if a.goes_to)}
    assert reached == set(SCRIPT.states)


def test_every_phrase_is_heard_for_something() -> None:
    """An answer whose phrase the spotter does not listen for could never be given."""
    answers = [*SCRIPT.always, *(a for state in SCRIPT.states.values() for a in state.answers)]
    closed = {"yes", "yeah", "no", "nope"}
    assert {phrase for answer in answers for phrase in answer.heard} <= set(SCRIPT.phrases) | closed


def test_a_double_charge_is_misunderstood_on_purpose_and_then_settled() -> None:
    """The story that the demo tells must go through."""
    said = say("charged twice", "not what i said. charged twice", "four two seven one", "yes")
    assert "purchase" in said[0]
    assert "new card" in said[1]
    said = say(*["charged twice"] * 3, "four two seven one", "yes")
    assert "digits" in said[2]
    assert "claim" in said[3]
    assert "money back" in said[4]


def test_digits_inside_a_complaint_are_no_card_number() -> None:
    """The complaint "I said it three times" must not count as the number that the bot asked for."""
    said = say(*["charged twice"] * 3, "three times")
    assert "did not get" in said[3]


def test_words_are_found_whole() -> None:
    """The word "know" must not be taken for "no", nor a phrase be found across its words' order."""
    assert say("you know")[0] == say(None)[0]
    assert say("twice charged once")[0] != say(None)[0]  # "twice" alone is enough here
    assert say("card my lost")[0] == say(None)[0]


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"starts": "nowhere"}, "no state 'nowhere'"),
        ({"always": [{"heard": ["bye"], "goes_to": "away"}]}, "no state 'away'"),
        ({"always": [{"says": "Hm."}]}, "heard or digits"),
        ({"phrases": {"a word": 2}}, "phrases.a word"),
        ({"phrases": {"Shout!": 0.1}}, "phrases"),
        ({"colour": "red"}, "colour: unknown key"),
    ],
)
def test_a_bad_script_says_what_is_wrong(
    change: dict[str, object], complaint: str, tmp_path: Path
) -> None:
    """Who edits the script must read what to correct, on one line with the file's name."""
    path = tmp_path / "script.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(BANK_CARD.read_text()), **change}))
    with pytest.raises(ScriptError, match=complaint) as error:
        load_script(path)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


def test_a_script_that_is_no_yaml_is_named(tmp_path: Path) -> None:
    """A broken or missing file must not end in a trace."""
    path = tmp_path / "script.yaml"
    with pytest.raises(ScriptError, match=os.strerror(errno.ENOENT)):
        load_script(path)
    path.write_text("greeting: [")
    with pytest.raises(ScriptError, match=r"script\.yaml"):
        load_script(path)
    path.write_text("just text")
    with pytest.raises(ScriptError):
        load_script(path)


def test_the_script_is_a_value() -> None:
    """Calls share it: none may change it for the others."""
    assert isinstance(SCRIPT, Script)
    with pytest.raises(ValueError, match="frozen"):
        SCRIPT.greeting = "Hm."  # type: ignore[misc]
