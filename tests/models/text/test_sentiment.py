"""The word model: what it reads, in which form, how fast, and what it refuses."""

from __future__ import annotations

import csv
import json
import logging
import random
import shutil
import statistics
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipecat_deescalate.models.errors import ModelFileError, UnreadableInputError
from pipecat_deescalate.models.fusion import fuse
from pipecat_deescalate.models.readings import Cue, EmotionReading, TurnReading, WordReading
from pipecat_deescalate.models.text.sentiment import (
    BUCKETS,
    WEIGHTS,
    BundledTextClassifier,
    Weights,
    features,
    load_word_classifier,
    tokens,
)
from pipecat_deescalate.policies.config import load_policy
from pipecat_deescalate.policies.decide import decide
from pipecat_deescalate.policies.types import Action, CallState, Evidence

DATA = Path(__file__).parents[3].parent / "shared" / "data" / "text"


@pytest.fixture(scope="module")
def classifier() -> BundledTextClassifier:
    """The bundled classifier."""
    return load_word_classifier()


def p(classifier: BundledTextClassifier, text: str) -> float:
    """P(negative) of one English turn."""
    probability = classifier.classify(text).p_negative
    assert probability is not None
    return probability


@pytest.mark.parametrize(
    "text",
    [
        "this is ridiculous",
        "you people are idiots",
        "I HAVE HAD ENOUGH OF THIS!!!",
        "shut up and listen to me",
        "how dare you charge me twice",
        "i'm so sick of this garbage",
    ],
)
def test_heated_words_are_negative(classifier: BundledTextClassifier, text: str) -> None:
    """An angry caller would read as calm."""
    assert p(classifier, text) > 0.6


@pytest.mark.parametrize(
    "text",
    [
        "yes",
        "no",
        "okay thank you",
        "to the airport please",
        "my account number is four five six",
        "4 5 6",
        "I'd like to book a table for two",
        "tomorrow at three",
        "can I talk to someone?",
    ],
)
def test_everyday_answers_are_not(classifier: BundledTextClassifier, text: str) -> None:
    """Calm answers would add up to a hand-over."""
    assert p(classifier, text) < 0.5


def _sentences(name: str) -> list[str]:
    with (Path(__file__).parents[1] / "data" / name).open(encoding="utf-8", newline="") as file:
        return [
            row["sentence"] for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        ]


def _actions(classifier: BundledTextClassifier, *texts: str) -> list[Action]:
    """What `balanced` does about turns in a calm voice, requests for a human left aside."""
    policy, state, actions = load_policy("balanced"), CallState(), []
    voice = EmotionReading(0.45, "", 1.0, 0.0)
    for index, text in enumerate(texts):
        said = classifier.classify(text)
        cues = tuple(cue for cue in said.cues if cue[0] is not Cue.ASKS_FOR_HUMAN)
        words = WordReading(said.p_negative, cues)
        reading = TurnReading(index, 5.0 * index, 5.0 * index + 2, voice, words, fuse(voice, words))
        state, decision = decide(state, Evidence(reading=reading), policy)
        actions.append(decision.action)
    return actions


def test_calm_sentences_of_many_trades_move_nothing(classifier: BundledTextClassifier) -> None:
    """Polite regret, self-blame, bad facts, idioms and names would bring offers and transfers."""
    calm = _sentences("calm_sentences.tsv")
    over = [text for text in calm if p(classifier, text) > 0.5]
    assert len(over) <= 0.01 * len(calm), over
    for text in calm:
        assert set(_actions(classifier, text, text)) == {Action.PROCEED}, text


def test_clearly_angry_sentences_are_still_heard(classifier: BundledTextClassifier) -> None:
    """Caution about calm callers would make the model deaf to angry ones."""
    angry = _sentences("angry_sentences.tsv")
    assert sum(p(classifier, text) > 0.5 for text in angry) >= 0.55 * len(angry)


@pytest.mark.parametrize(
    "text",
    [
        *("you", "me", "stop", "don't", "can't", "phone", "not bad", "scam", "I feel stupid"),
        *("I hate to bother you", "sorry, stupid question", "you guys are killing it"),
        *("I'm not angry at all", "angry birds", "mad men", "shut the door", "it's Dr Shittu"),
        *("Worst Western hotel", "that's terrible weather", "hate crime report"),
        *("Damn, that was quick, thank you", "I am calling from Fucking, Austria"),
    ],
)
def test_little_said_says_little(classifier: BundledTextClassifier, text: str) -> None:
    """One small word, politeness, a negation, an idiom or a name would bring an offer."""
    assert p(classifier, text) < 0.5
    assert set(_actions(classifier, text, text)) == {Action.PROCEED}


@pytest.mark.parametrize("language", ["de", "en", "es", "fr", "hi", "it", "pt"])
@pytest.mark.parametrize(
    "text",
    [
        *("****", "***", "** *** ****", "****!", "[expletive]", "[ __ ]", "<bleep>", "(bleep)"),
        *("[censored]", "bulls***", "f**k", "f---", "s--t", "[BEEP]", "@#$%", "*beep*"),
        *("what the **** is this", "<profanity>shit</profanity>", "my **** card is declined"),
    ],
)
def test_masked_swearing_is_swearing(
    classifier: BundledTextClassifier, text: str, language: str
) -> None:
    """What a recogniser masks would pass for nothing said."""
    reading = classifier.classify(text, language)
    assert Cue.PROFANITY in dict(reading.cues)
    assert (reading.p_negative is None) == (language != "en")


@pytest.mark.parametrize(
    "text",
    [
        *("****1234", "card ending **** 1234", "my pin is ****", "(***) ***-1234", "dial *67"),
        *("press * now", "press ** to go back", "star star", "**word** in bold", "uh-- no"),
        *("ending in **** one two three four", "Q&A", "a four star hotel", "what?!", "###"),
        *("Dr Shittu", "Scunthorpe", "I am calling from Fucking, Austria", "a craps table"),
        *("my last name is Bastard", "the dog is called Damn Daniel"),
    ],
)
def test_masked_digits_keys_and_names_are_no_swearing(
    classifier: BundledTextClassifier, text: str
) -> None:
    """A card number, a star key, Markdown or a name would count as swearing."""
    assert Cue.PROFANITY not in dict(classifier.classify(text).cues)


def test_what_is_negated_is_another_word() -> None:
    """Anger that a caller denies would be read as anger."""
    assert tokens("I'm not angry at you but sad") == [
        *("im", "not", "~angry", "~at", "~you", "but", "sad")
    ]
    assert tokens("no. angry") == ["no", ".", "angry"]


def test_marks_and_capitals_add_heat(classifier: BundledTextClassifier) -> None:
    """What a recogniser writes of the tone would be thrown away."""
    assert p(classifier, "WHERE IS MY ORDER?!") > p(classifier, "where is my order")


def test_tokens_fold_what_recognisers_vary() -> None:
    """The same words would be read differently from one recogniser to the next."""
    assert tokens("Um, I I don't have 2 of them") == tokens("i dont have two of them")
    assert tokens("it's 4 5 6") == ["its", "<num>"]
    assert tokens("NOOOO WAY!!") == ["noo", "way", "<!!>", "<CAPS>"]


def test_features_are_unique_and_in_range() -> None:
    """Training and run time would weigh a turn differently."""
    hashed = features("the same the same the same")
    assert len(set(hashed.tolist())) == len(hashed)
    assert hashed.min() >= 0
    assert hashed.max() < BUCKETS


@pytest.mark.parametrize("text", [None, "", "   ", "\x00\x01", "\ud800", "🎉🎉", "!!!", "...", 7])
def test_nothing_readable_is_unknown(classifier: BundledTextClassifier, text: str | None) -> None:
    """An empty turn would count as a calm one, or raise."""
    reading = classifier.classify(text)
    assert reading.p_negative is None
    assert reading.cues == ()


@given(st.text(max_size=200))
def test_any_text_gives_a_probability_or_none(text: str) -> None:
    """A strange transcript would raise in the middle of a call."""
    probability = load_word_classifier().classify(text).p_negative
    assert probability is None or 0 < probability < 1


def test_another_language_has_cues_alone(classifier: BundledTextClassifier) -> None:
    """An English model would judge Spanish words."""
    reading = classifier.classify("quiero hablar con un agente", "es")
    assert reading.p_negative is None
    assert [cue for cue, _ in reading.cues] == [Cue.ASKS_FOR_HUMAN]


def test_long_turns_take_bounded_time(classifier: BundledTextClassifier) -> None:
    """A hundred thousand characters would hold up the call."""
    text = "this is all wrong 😡 " * 5000
    began = time.perf_counter()
    assert p(classifier, text) > 0
    assert time.perf_counter() - began < 0.5


def test_no_text_is_logged(
    classifier: BundledTextClassifier, caplog: pytest.LogCaptureFixture
) -> None:
    """What a caller said would end up in a log."""
    with caplog.at_level(logging.DEBUG):
        for text in ("my secret is out, agent!", "secret" * 20_000):
            classifier.classify(text)
            classifier.classify(text, "zz")
    assert "secret" not in caplog.text


def test_a_turn_is_read_in_well_under_a_millisecond(classifier: BundledTextClassifier) -> None:
    """Words would cost as much as the voice. Generous, since tests share their machine."""
    text = (
        "i have been trying to get this fixed for three weeks now and nobody has called me back yet"
    )
    times = []
    for _ in range(300):
        began = time.perf_counter()
        classifier.classify(text)
        times.append(time.perf_counter() - began)
    assert statistics.median(times) < 0.005


def test_damaged_weights_are_refused(tmp_path: Path) -> None:
    """A half-written file would give made-up probabilities."""
    path = tmp_path / "wording.npz"
    with pytest.raises(ModelFileError, match=r"wording\.npz"):
        Weights.load(path)
    shutil.copy(WEIGHTS.with_suffix(".json"), tmp_path)
    path.write_bytes(WEIGHTS.read_bytes()[:-100])
    with pytest.raises(ModelFileError, match="SHA-256"):
        Weights.load(path)
    path.with_suffix(".json").write_text("{}", encoding="utf-8")
    with pytest.raises(ModelFileError):
        Weights.load(path)


def test_the_model_is_small_and_its_card_says_what_it_reaches() -> None:
    """The wheel would grow, or the shipped weights fall behind the figures promised."""
    assert WEIGHTS.stat().st_size < 4_000_000
    figures = json.loads(WEIGHTS.with_suffix(".json").read_text(encoding="utf-8"))["roc_auc"]
    assert figures["goemotions_test"] >= 0.86
    assert figures["meld_neutral"] >= 0.73
    assert figures["meld_all"] >= 0.7


@pytest.mark.skipif(not DATA.is_dir(), reason="the text corpora are not on this machine")
def test_the_shipped_weights_reach_the_figures_of_their_card() -> None:
    """The card would tell of other weights than those shipped."""
    training = pytest.importorskip("pipecat_deescalate.models.lab.training.train_text")
    sklearn_metrics = pytest.importorskip("sklearn.metrics")
    card = json.loads(WEIGHTS.with_suffix(".json").read_text(encoding="utf-8"))
    test = training.read_goemotions(DATA, "test", card["negative"])
    weights = Weights.load(WEIGHTS)
    scores = [weights.score(features(text)) for text in test.texts]
    auc = sklearn_metrics.roc_auc_score(test.negative, scores)
    assert auc == pytest.approx(card["roc_auc"]["goemotions_test"], abs=1e-4)


def test_spoken_drops_marks_and_case() -> None:
    """Training would never see what a recogniser writes."""
    training = pytest.importorskip("pipecat_deescalate.models.lab.training.train_text")
    text = training.spoken("Don't YOU dare!! It's 5 o'clock.", random.Random(1))  # noqa: S311 - a seed
    assert text == text.lower()
    assert not set(text) & set("!?.,")


def test_a_broken_recipe_names_the_key(tmp_path: Path) -> None:
    """A slip in the recipe would train something else in silence."""
    training = pytest.importorskip("pipecat_deescalate.models.lab.training.train_text")
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("seed: 0\n", encoding="utf-8")
    with pytest.raises(UnreadableInputError, match="negative_labels"):
        training.read_text_recipe(recipe)


def test_a_missing_corpus_names_the_file(tmp_path: Path) -> None:
    """Training without data would end in a stack trace."""
    training = pytest.importorskip("pipecat_deescalate.models.lab.training.train_text")
    with pytest.raises(UnreadableInputError, match=r"labels\.txt"):
        training.train_text_model(tmp_path, tmp_path / "out.npz")


def test_a_hugging_face_model_reads_turns_too(tmp_path: Path) -> None:
    """A model of the operator's own could not stand in for the bundled one."""
    pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    from pipecat_deescalate.models.text.text_hf import HuggingFaceTextClassifier  # noqa: PLC0415 - needs torch

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "get", "me", "an", "agent"]
    (tmp_path / "vocab.txt").write_text("\n".join(words), encoding="utf-8")
    transformers.BertTokenizerFast(str(tmp_path / "vocab.txt")).save_pretrained(tmp_path)
    transformers.BertForSequenceClassification(
        transformers.BertConfig(
            vocab_size=len(words),
            hidden_size=8,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=8,
            id2label={0: "calm", 1: "angry"},
            label2id={"calm": 0, "angry": 1},
        )
    ).save_pretrained(tmp_path)
    reading = HuggingFaceTextClassifier(tmp_path, ["Angry"]).classify("Get me an agent!")
    assert reading.p_negative is not None
    assert 0 < reading.p_negative < 1
    assert [cue for cue, _ in reading.cues] == [Cue.ASKS_FOR_HUMAN]
    with pytest.raises(ModelFileError, match="furious"):
        HuggingFaceTextClassifier(tmp_path, ["furious"])
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(ModelFileError, match="cannot be loaded"):
        HuggingFaceTextClassifier(tmp_path, ["Angry"])
