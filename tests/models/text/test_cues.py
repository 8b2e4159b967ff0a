"""Cues by the language files: what counts, what does not, and files that are broken."""

from __future__ import annotations

import csv
import logging
import time
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipecat_deescalate.models.errors import ModelFileError
from pipecat_deescalate.models.readings import Cue
from pipecat_deescalate.models.text.cues import (
    Language,
    find_cues,
    languages,
    load_language,
    readable,
)
from pipecat_deescalate.models.text.repeats import RequestMemory

DATA = Path(__file__).parents[1] / "data"


def rows(name: str) -> list[dict[str, str]]:
    """The rows of a tab-separated file of sentences."""
    with (DATA / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def precision_recall(cue: Cue, cases: list[tuple[str, str, bool]]) -> tuple[float, float]:
    """Precision and recall of one cue over (language, sentence, whether it holds)."""
    counts = Counter(
        (holds, any(found is cue for found, _ in find_cues(sentence, language)))
        for language, sentence, holds in cases
    )
    hits = counts[True, True]
    return hits / (hits + counts[False, True]), hits / (hits + counts[True, False])


def test_asks_for_human_in_english() -> None:
    """Callers who ask for a person would be kept, or those who do not would be handed over."""
    cases = [
        (row["language"], row["sentence"], row["asks"] == "1")
        for row in rows("asks_for_human.tsv")
        if row["language"] == "en"
    ]
    assert len(cases) >= 400
    assert 0.4 < sum(holds for *_, holds in cases) / len(cases) < 0.6
    precision, recall = precision_recall(Cue.ASKS_FOR_HUMAN, cases)
    assert precision >= 0.95
    assert recall >= 0.95


@pytest.mark.parametrize("language", ["es", "fr", "de", "pt", "it", "hi"])
def test_asks_for_human_in_other_languages(language: str) -> None:
    """A caller who speaks this language could not get to a person by asking."""
    cases = [
        (language, row["sentence"], row["asks"] == "1")
        for row in rows("asks_for_human.tsv")
        if row["language"] == language
    ]
    assert len(cases) >= 130
    precision, recall = precision_recall(Cue.ASKS_FOR_HUMAN, cases)
    assert precision >= 0.98
    assert recall >= 0.96


@pytest.mark.parametrize("cue", sorted({row["cue"] for row in rows("cues.tsv")}))
def test_the_other_cues(cue: str) -> None:
    """A cue that policies weigh would be missed, or raised by an everyday sentence."""
    cases = [
        (row["language"], row["sentence"], row["holds"] == "1")
        for row in rows("cues.tsv")
        if row["cue"] == cue
    ]
    assert len(cases) >= 40
    precision, recall = precision_recall(Cue[cue], cases)
    assert precision >= 0.95
    assert recall >= 0.95


@pytest.mark.parametrize("row", rows("asks_for_human.tsv")[:60], ids=lambda row: row["sentence"])
def test_marks_and_case_do_not_matter(row: dict[str, str]) -> None:
    """A recogniser that writes no marks, or all capitals, would change what is understood."""
    bare = "".join(c for c in row["sentence"] if c.isalnum() or c in " '").lower()
    cues = [
        {cue for cue, _ in find_cues(text, row["language"])} & {Cue.ASKS_FOR_HUMAN}
        for text in (bare, bare.upper(), f"um {bare}.")
    ]
    assert cues[0] == cues[1] == cues[2]


def test_the_words_that_triggered_a_cue() -> None:
    """A decision could not say what it rests on."""
    assert find_cues("Oh well, can I SPEAK to an agent, please? Thanks") == (
        (Cue.ASKS_FOR_HUMAN, "can I SPEAK to an agent, please"),
    )


def test_every_language_file_is_valid() -> None:
    """A shipped language file would fail on its first call."""
    assert set(languages()) == {"de", "en", "es", "fr", "hi", "it", "pt"}
    assert all(load_language(code) is not None for code in languages())


@pytest.mark.parametrize("code", ["en-US", "EN", "en_GB"])
def test_regions_share_a_file(code: str) -> None:
    """A caller with a regional language code would have no cues."""
    assert find_cues("operator", code)


def test_a_language_without_a_file_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    """The log would be flooded, hold what was said, or be silent about a deaf classifier."""
    load_language.cache_clear()
    with caplog.at_level(logging.WARNING):
        assert find_cues("hablar con secret", "xx") == ()
        assert find_cues("secret", "xx") == ()
    (record,) = caplog.records
    assert "secret" not in str(vars(record))
    assert vars(record)["language"] == "xx"


@pytest.mark.parametrize(
    ("source", "key"),
    [
        ("name: X\ncolour: red", "colour"),
        ("fillers: [um]", "name"),
        ("name: X\nwords: {human: []}", "words.human"),
        ("name: X\ncues: {dances: {say: [a]}}", "cues.dances"),
        ("name: X\ncues: {waiting: {}}", "cues.waiting"),
        ("name: X\ncues: {waiting: {trained: ../x.npz}}", "cues.waiting.trained"),
        ("name: X\ncues: {waiting: {say: ['(a']}}", "cues.waiting.say.0"),
        ("name: X\ncues: {waiting: {say: [a], unless: ['{b}']}}", "cues.waiting.unless.0"),
        ("name: X\nwords: {a: ['[b']}", "words.a.0"),
        ("[1, 2", "line 1"),
        ("- a", "the file"),
    ],
)
def test_a_broken_file_names_the_key(tmp_path: Path, source: str, key: str) -> None:
    """Whoever adds a language would have to guess what is wrong."""
    path = tmp_path / "xx.yaml"
    path.write_text(source, encoding="utf-8")
    with pytest.raises(ModelFileError, match=f"xx.yaml: .*{key}"):
        Language(path)


@given(st.text(max_size=300), st.sampled_from(["en", "hi", "fr"]))
def test_any_text_is_read(text: str, language: str) -> None:
    """A strange transcript would raise in the middle of a call."""
    for _, words in find_cues(text, language):
        words.encode()


@pytest.mark.parametrize(
    "unit",
    ["agent ", "please ", "real ", "customer service ", "i want to to ", "f*", "no, ", "a. "],
)
def test_long_turns_take_bounded_time(unit: str) -> None:
    """A hundred thousand characters would hold up the call."""
    text = unit * (100_000 // len(unit))
    find_cues(text)
    began = time.perf_counter()
    find_cues(text)
    assert time.perf_counter() - began < 0.5


def test_both_ends_of_a_long_turn_are_read() -> None:
    """What a caller says at the end of a long turn would be lost."""
    text = "let me tell you " + "a long story " * 5000 + "so get me an agent"
    assert [cue for cue, _ in find_cues(text)] == [Cue.ASKS_FOR_HUMAN]


def test_readable_takes_anything() -> None:
    """A field that is no text, or text that cannot be encoded, would raise."""
    assert readable(None) == readable(7) == ""
    assert readable("a\x00b\ud800c") == "a b c"


def test_a_repeated_request_is_found() -> None:
    """A caller who says the same again would go unnoticed."""
    memory = RequestMemory()
    assert memory.add("I want to change my flight to Boston") is None
    assert memory.add("no") is None
    assert memory.add("um, I'd like my flight changed to boston please") == (
        Cue.REPEATS_REQUEST,
        "flight changed boston",
    )


@pytest.mark.parametrize(
    "turns",
    [
        ["yes", "yes", "yes please"],
        ["four five six", "four five six"],
        ["4 5 6", "4 5 6"],
        ["no thank you", "no thanks"],
        ["", "", "..."],
        ["I want to change my flight", "I want to pay my bill"],
        ["to the airport", "from downtown"],
    ],
)
def test_short_answers_and_new_requests_are_no_repeats(turns: list[str]) -> None:
    """Ordinary answers would count against the bot."""
    memory = RequestMemory()
    assert not any(memory.add(turn) for turn in turns)


@pytest.mark.parametrize(
    ("first", "again"),
    [
        ("the waterfront", "the waterfont"),
        ("I need a new card", "I said I need a new card!"),
        ("cancel my appointment on Tuesday", "my appointment on tuesday cancel it"),
        ("where is my package", "well where's my package then"),
    ],
)
def test_rewordings_are_repeats(first: str, again: str) -> None:
    """A mishearing or a small rewording would hide that the caller repeats themselves."""
    memory = RequestMemory()
    memory.add(first)
    assert memory.add(again)


def test_only_hashes_of_earlier_turns_are_kept() -> None:
    """What a caller said would stay in memory for the whole call."""
    memory = RequestMemory()
    memory.add("my secret password is swordfish")
    assert "swordfish" not in repr(vars(memory)["_earlier"])


def test_repeats_need_a_language_file() -> None:
    """An unknown language would take every filler for a request."""
    assert RequestMemory("xx").add("bonjour") is None
