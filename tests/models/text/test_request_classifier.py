"""The trained classifier of requests for a human: what it counts, and files that are broken."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipecat_deescalate.models.errors import ModelFileError
from pipecat_deescalate.models.readings import Cue
from pipecat_deescalate.models.registry import WEIGHTS, read_arrays
from pipecat_deescalate.models.text.cues import find_cues, load_language
from pipecat_deescalate.models.text.request_classifier import (
    BUCKETS,
    Lexicon,
    RequestClassifier,
    Said,
)

LEXICON = Lexicon(
    fillers=frozenset({"please"}),
    negations=frozenset({"dont", "no need"}),
    resumes=frozenset({"get"}),
    classes={"agent": "staff", "clerk": "staff"},
)


def hashed(words: str) -> set[int]:
    """The sequences of some words between sentence ends."""
    return Said.of([".", *words.split(), "."], LEXICON).features()


@pytest.mark.parametrize(
    ("said", "same"),
    [
        ("agent agent agent", "agent"),
        ("real person real person", "real person"),
        ("get me please an agent", "get me an agent"),
    ],
)
def test_what_does_not_count(said: str, same: str) -> None:
    """A caller who stammers or is polite would be read as another one."""
    assert hashed(said) == hashed(same)


@pytest.mark.parametrize(
    ("said", "other"),
    [
        ("dont want an agent", "want an agent"),
        ("no need for an agent", "for an agent"),
    ],
)
def test_negation_marks_what_follows(said: str, other: str) -> None:
    """A refusal would hold all that a request holds."""
    assert not hashed(said) & hashed(other) - hashed("dont") - hashed("no need")


def test_negation_ends_where_the_caller_turns_round() -> None:
    """A caller who refuses the bot and then asks would not be heard."""
    plain, negated = hashed("want agents"), hashed("dont want agents")
    turned = hashed("dont want bots get agents")
    places = Said.of([".", "agents", "."], LEXICON).places()
    agents = {found for found, first, last in places if first == last == 1}
    assert agents <= plain
    assert not agents & negated
    assert agents <= turned


def test_words_of_a_class_stand_for_each_other() -> None:
    """A job that no training sentence names would not be understood."""
    assert len(hashed("get a clerk") & hashed("get an agent")) > len(
        hashed("get a dog") & hashed("get an agent")
    )


@pytest.mark.parametrize(
    ("turn", "words"),
    [
        ("my bill is wrong again and I'd like to speak to an agent about it", "speak to an agent"),
        ("No. No! Operator.", "Operator"),
    ],
)
def test_the_words_that_count_most_are_named(turn: str, words: str) -> None:
    """A decision could not say what it rests on."""
    found = dict(find_cues(turn))
    assert words in found[Cue.ASKS_FOR_HUMAN]


TURNS = st.lists(
    st.sampled_from([".", "agent", "dont", "please", "no", "need", "get"]), max_size=60
)


@given(TURNS)
def test_any_turn_has_a_score_and_a_span_within_it(words: list[str]) -> None:
    """Some order of words would raise in the middle of a call, or name words that are not there."""
    turn = [".", *words, "."]
    classifier = RequestClassifier(np.ones(BUCKETS, np.int8), 0.1, 0.05)
    span = classifier.span(turn, LEXICON)
    if not set(words) - {".", "please"}:
        assert span is None
        return
    assert span is not None
    assert 0 <= span[0] < span[1] <= len(turn)


def test_a_damaged_file_is_noticed(tmp_path: Path) -> None:
    """A model file that lost a byte would decide about callers."""
    path = tmp_path / "asks_for_human_en.npz"
    content = bytearray((WEIGHTS / path.name).read_bytes())
    card = (WEIGHTS / path.name).with_suffix(".json").read_text()
    path.with_suffix(".json").write_text(card)
    content[100] ^= 1
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match="SHA-256"):
        RequestClassifier.load(path)
    path.write_bytes(b"no archive")
    digest = hashlib.sha256(b"no archive").hexdigest()
    path.with_suffix(".json").write_text(json.dumps({"sha256": digest}))
    with pytest.raises(ModelFileError, match="is not a model of the kind needed"):
        RequestClassifier.load(path)
    with pytest.raises(ModelFileError, match="is not of this version: unit"):
        read_arrays(WEIGHTS / path.name, {"weight": (BUCKETS,), "unit": (2,)})


def test_the_carried_sentences_were_not_learnt() -> None:
    """What the tests measure would be what the model knows by heart."""
    training = pytest.importorskip("pipecat_deescalate.models.lab.training.train_requests")
    language = load_language("en")
    assert language is not None
    known = training.read_sentences(training.SENTENCES)
    words = [tuple(language.words(text)) for text in known.texts]
    learnt = set(zip(known.prompts, words, strict=True))
    data = Path(__file__).parents[1] / "data"
    lines = (data / "asks_for_human.tsv").read_text().splitlines()[1:]
    rows = [line.split("\t") for line in lines]
    carried = [("", row[3]) for row in rows if row[1] == "en"]
    lines = (data / "requests_after_prompts.tsv").read_text().splitlines()[1:]
    carried += [(line.split("\t")[1], line.split("\t")[3]) for line in lines]
    assert not [case for case in carried if (case[0], tuple(language.words(case[1]))) in learnt]


def test_training_again_gives_the_same_file(shared: Path, tmp_path: Path) -> None:
    """What is shipped could not be made again."""
    training = pytest.importorskip("pipecat_deescalate.models.lab.training.train_requests")
    training.train_request_classifier(shared / "text", tmp_path / training.OUT_FILE)
    again = RequestClassifier.load(tmp_path / training.OUT_FILE)
    shipped = RequestClassifier.load(WEIGHTS / training.OUT_FILE)
    assert np.abs(again.weight.astype(int) - shipped.weight).max() <= 1
    assert again.intercept == pytest.approx(shipped.intercept, abs=0.05)  # between processors


@pytest.mark.parametrize("content", ["set\tasks\tsentence\na\t2\tagent\n", "agent\n", "\xff"])
def test_sentences_that_cannot_be_read_are_named(tmp_path: Path, content: str) -> None:
    """Whoever adds sentences would have to guess what is wrong."""
    training = pytest.importorskip("pipecat_deescalate.models.lab.training.train_requests")
    path = tmp_path / "sentences.tsv"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(training.UnreadableInputError, match=r"sentences\.tsv"):
        training.read_sentences(path)
