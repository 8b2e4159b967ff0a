"""What callers get to hear."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pipecat_deescalate.models.readings import Cue
from pipecat_deescalate.policies import Action, Level
from pipecat_deescalate.policies.empathy import (
    LANGUAGES,
    MAX_WORDS,
    Cause,
    Language,
    Moment,
    PhraseBook,
    PhraseError,
    cause_of,
    guidance,
)

from .readings import decision

ENGLISH = PhraseBook.load("en")
PROMPT = "What is your account number?"


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_phrase_names_an_emotion_or_is_long(language: Language) -> None:
    """A caller who is told how they sound, or is talked at, gets angrier."""
    book = PhraseBook.load(language)
    phrases = list(book.phrases())
    assert len(phrases) == len(set(phrases)) >= 8
    for phrase in phrases:
        assert not book.names_emotion(phrase), phrase
        assert len(phrase.split()) <= MAX_WORDS, phrase
        assert phrase == phrase.strip()
        assert phrase[-1] in ".।", phrase


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "I can hear that you're frustrated."),
        ("en", "You sound angry!"),
        ("en", "I understand how you feel"),
        ("en", "Please calm down."),
        ("en", "Sorry, are you UPSET?"),
        ("es", "Entiendo que esté enfadado."),
        ("fr", "Je comprends votre colère."),
        ("fr", "Vous êtes énervé"),
        ("de", "Ich verstehe, dass Sie verärgert sind."),
        ("pt", "Entendo que está chateado."),
        ("it", "Capisco che è arrabbiato."),
        ("hi", "मैं समझता हूँ कि आप गुस्से में हैं।"),
        ("hi", "आप नाराज़ हैं"),
        ("es", "Mantenga la calma, por favor."),
        ("de", "Bleiben Sie ruhig."),
        ("it", "Lei sembra agitato."),
        ("pt", "Fique calmo."),
    ],
)
def test_named_emotions_are_recognised(language: Language, text: str) -> None:
    """The guard over phrases and over a model's words is only as good as this."""
    assert PhraseBook.load(language).names_emotion(text)


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "Your payment was made yesterday; the saddle ships today."),
        ("es", "Lo siento, lo sentimos mucho."),
        ("de", "Das tut mir leid."),
        ("pt", "Sinto muito."),
        ("hi", "कृपया एक पल रुकिए।"),
        ("es", "Disculpe las molestias."),
        ("es", "Eso suena bien."),
        ("it", "Mi sembra che manchi un numero."),
    ],
)
def test_an_apology_names_no_emotion(language: Language, text: str) -> None:
    """A guard that fires on plain words would throw good answers away."""
    assert not PhraseBook.load(language).names_emotion(text)


@pytest.mark.parametrize("language", LANGUAGES)
def test_there_are_phrases_for_every_cause_and_level(language: Language) -> None:
    """A hole in the bank would be silence just when it matters."""
    book = PhraseBook.load(language)
    for cause in Cause:
        for level in (Level.STRAINED, Level.DISTRESSED):
            assert len(book.acknowledgements[cause][level]) >= 2


@pytest.mark.parametrize(
    ("cues", "state", "text", "cause"),
    [
        ((Cue.REPEATS_REQUEST, Cue.WAITING), None, None, Cause.REPEATED_REQUEST),
        ((Cue.BARGES_IN, Cue.REPROMPTED), None, None, Cause.REPEATED_REQUEST),
        ((Cue.NOT_UNDERSTOOD,), "billing", None, Cause.MISUNDERSTANDING),
        ((Cue.COMPLAINT_ABOUT_SYSTEM,), None, None, Cause.MISUNDERSTANDING),
        ((Cue.WAITING,), None, None, Cause.WAITING),
        ((Cue.PROFANITY,), "billing_menu", None, Cause.BILLING),
        ((), "card-payment", None, Cause.BILLING),
        ((), None, "You charged me twice!", Cause.BILLING),
        ((), None, "There is an error on my bill", Cause.BILLING),
        ((), None, "Meine Rechnung stimmt nicht", Cause.BILLING),
        ((), None, "मेरा बिल गलत है", Cause.BILLING),
        ((), None, "Sie haben zweimal abgebucht", Cause.BILLING),
        ((), None, "Il y a un prélèvement en trop", Cause.BILLING),
        ((), None, "Il pagamento è stato rifiutato", Cause.BILLING),
        ((), None, "My name is Bill, I build houses", Cause.GENERAL),
        ((), None, None, Cause.GENERAL),
    ],
)
def test_the_cause_comes_from_cues_state_and_words(
    cues: tuple[Cue, ...], state: str | None, text: str | None, cause: Cause
) -> None:
    """The wrong cause makes the bot apologise for something that did not happen."""
    assert cause_of(decision(cues=cues, state=state), text) is cause


def test_a_phrase_comes_before_the_prompt() -> None:
    """The prompt must be said in full: the dialogue waits for its answer."""
    got = ENGLISH.acknowledge(PROMPT, decision(cues=(Cue.WAITING,)), call_id="a")
    assert got.text == f"{got.phrase} {PROMPT}"
    assert got.phrase in ENGLISH.acknowledgements[Cause.WAITING][Level.STRAINED]
    assert got.used == {got.phrase}


def test_proceed_says_the_prompt_as_it_is() -> None:
    """A calm call must sound as if we were not there."""
    got = ENGLISH.acknowledge(PROMPT, decision(Action.PROCEED), call_id="a", used=frozenset({"x"}))
    assert (got.text, got.phrase, got.used) == (PROMPT, None, {"x"})


def test_an_offer_is_made_in_so_many_words() -> None:
    """Whoever is due a human must hear of it, and of a call back if there is none."""
    offer = ENGLISH.acknowledge(PROMPT, decision(Action.OFFER_HUMAN, Level.DISTRESSED), call_id="a")
    assert offer.text.endswith(PROMPT)
    assert len(offer.used & set(ENGLISH.sentences[Moment.OFFER_HUMAN])) == 1
    assert len(offer.used) == 2
    calm = decision(Action.OFFER_HUMAN, Level.CALM, callback=True)
    back = ENGLISH.acknowledge(PROMPT, calm, call_id="a")
    assert back.phrase in ENGLISH.sentences[Moment.CALL_BACK]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_can_hand_over(language: Language) -> None:
    """At a hand-over only the hand-over sentence is said: a question would never be answered."""
    book = PhraseBook.load(language)
    got = book.acknowledge(PROMPT, decision(Action.TRANSFER, Level.DISTRESSED), call_id="a")
    assert got.text == got.phrase
    assert got.text in book.sentences[Moment.HAND_OVER]
    assert book.sentence(Moment.TRANSFER_FAILED, call_id="a")


@given(
    st.text(max_size=20),
    st.lists(
        st.tuples(
            st.sampled_from([Action.EMPATHIZE, Action.PROCEED]),
            st.sampled_from(list(Level)),
            st.sampled_from([(), *((cue,) for cue in Cue)]),
        ),
        max_size=60,
    ),
)
def test_nothing_is_said_twice_and_a_replay_says_the_same(
    call_id: str, turns: list[tuple[Action, Level, tuple[Cue, ...]]]
) -> None:
    """An apology heard twice is worth less than none, and a replay must show what was said."""

    def play() -> list[str | None]:
        used, said = frozenset[str](), []
        for action, level, cues in turns:
            got = ENGLISH.acknowledge(
                PROMPT, decision(action, level, cues=cues), call_id=call_id, used=used
            )
            used = got.used
            said.append(got.phrase)
            assert got.text.endswith(PROMPT)
        return said

    said = play()
    phrases = [one for one in said if one]
    assert len(phrases) == len(set(phrases))
    assert said == play()


def test_calls_do_not_all_sound_alike() -> None:
    """The call id must decide the order, and decide it the same on every machine."""
    said = {
        ENGLISH.acknowledge(PROMPT, decision(), call_id=str(number)).phrase for number in range(40)
    }
    assert said == set(ENGLISH.acknowledgements[Cause.GENERAL][Level.STRAINED])
    first = ENGLISH.acknowledge(PROMPT, decision(), call_id="CA1").phrase
    assert first == "Thank you for telling me."


def test_an_offer_is_repeated_when_it_must_be() -> None:
    """A caller who asks again and again must always be answered."""
    used, said = frozenset[str](), []
    for _ in range(4):
        said.append(ENGLISH.sentence(Moment.CALL_BACK, call_id="a", used=used))
        used |= {said[-1]}
    assert len(set(said)) == 3
    assert said[3] == said[0]


def test_guidance_says_what_happened_and_what_to_do() -> None:
    """It must mark itself, forbid naming feelings, and promise what was decided and no more."""
    assert guidance(decision(Action.PROCEED)) is None
    for action in (Action.EMPATHIZE, Action.OFFER_HUMAN, Action.TRANSFER):
        text = guidance(decision(action, cues=(Cue.WAITING,)))
        assert text is not None
        assert text.startswith("[Guidance for the assistant, not said by the caller] ")
        assert "kept waiting" in text
        assert "feelings" in text
        assert ("human colleague" in text) == (action is not Action.EMPATHIZE)
    back = guidance(decision(Action.OFFER_HUMAN, callback=True))
    assert back is not None
    assert "calls back" in back


@pytest.mark.parametrize("message", ["names an emotion", "more than 15 words", "twice"])
def test_phrases_of_ones_own_are_checked(message: str, tmp_path: Path) -> None:
    """An operator's own file is held to the same rules, and the error says which."""
    phrase = {
        "names an emotion": "I can tell that you are angry.",
        "more than 15 words": "one " * 16,
        "twice": ENGLISH.sentences[Moment.HAND_OVER][0],
    }[message]
    book = ENGLISH.model_dump(mode="json")
    book["acknowledgements"]["general"]["strained"].append(phrase)
    path = tmp_path / "own.yaml"
    path.write_text(yaml.safe_dump(book), encoding="utf-8")
    with pytest.raises(PhraseError, match=message):
        PhraseBook.load(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("language: [", "not valid YAML"),
        ("language: Dutch", "language: must match the pattern "),
        ("{language: en, emotion_words: [], sentences: {hand_over: [Hi.]}}", "offer_human: miss"),
        ("{language: en, emotion_words: [], sentences: {}, extra: 1}", "extra"),
        ("- 1", "must be a mapping of keys to values"),
    ],
)
def test_a_broken_phrase_file_says_what_is_wrong(text: str, message: str, tmp_path: Path) -> None:
    """The error must name the file and the key."""
    path = tmp_path / "own.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(PhraseError, match=message) as caught:
        PhraseBook.load(path)
    assert str(caught.value).startswith(str(path))


def test_an_unknown_language_says_which_there_are(tmp_path: Path) -> None:
    """Nobody should have to read our code to learn what is spoken."""
    with pytest.raises(PhraseError, match="use en, es, fr, de, pt, it, hi"):
        PhraseBook.load("xx")  # type: ignore[arg-type] # what a configuration may say
    with pytest.raises(PhraseError, match=os.strerror(errno.ENOENT)):
        PhraseBook.load(tmp_path / "none.yaml")
