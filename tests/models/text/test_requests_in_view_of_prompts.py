"""Requests for a human in view of what the bot asked, and in whatever language they are said."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from pipecat_deescalate.models.readings import Cue
from pipecat_deescalate.models.text.cues import find_cues, languages
from pipecat_deescalate.models.text.sentiment import load_word_classifier

DATA = Path(__file__).parents[1] / "data"


def asks(text: str, language: str = "en", prompt: str | None = None) -> bool:
    """Whether a turn asks for a human."""
    return Cue.ASKS_FOR_HUMAN in dict(find_cues(text, language, prompt=prompt))


def rows(name: str) -> list[dict[str, str]]:
    with (DATA / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


@pytest.mark.parametrize(
    ("prompted", "precision", "recall"), [(True, 0.97, 0.93), (False, 0.97, 0.9)]
)
def test_sentences_by_another_writer(prompted: bool, precision: float, recall: float) -> None:
    """A calm caller who answers the bot would be handed over, or one who asks for a human kept."""
    cases = [row for row in rows("requests_after_prompts.tsv") if bool(row["prompt"]) is prompted]
    found = [asks(row["sentence"], prompt=row["prompt"]) for row in cases]
    holds = [row["asks"] == "1" for row in cases]
    hits = sum(a and b for a, b in zip(found, holds, strict=True))
    assert len(cases) >= 150
    assert hits / sum(found) >= precision
    assert hits / sum(holds) >= recall


@pytest.mark.parametrize(
    "text",
    [
        *("zero", "Zero.", "zero zero zero zero", "0", "0 0 0", "Teacher.", "nurse", "sales", "HR"),
        *("reception", "lawyer", "fraud", "warranty", "help desk", "Agent Smith", "Mr. Human"),
        *("yes I am human", "I'm a real person", "Are you a real person", "you are a human?"),
        *("Hello? Is anybody there?", "is anybody there", "I am an agent", "I am the manager"),
        *("can you connect me to wifi", "I need to speak with my doctor"),
        *("speak to the delivery driver please", "Can someone call me back?"),
        "speak to a real estate agent about my house",
        "You have reached Hill and Sons. To speak to a representative press zero.",
        "For sales press one, for an operator stay on the line.",
        "All of our agents are busy, the next available representative will be with you shortly.",
        "To talk to an agent say agent.",
        "Please hold while I try to connect you.",
    ],
)
def test_what_needs_more_than_itself(text: str) -> None:
    """A trade, a department, digits, a name, a greeting or a machine would transfer the call."""
    assert not asks(text)


@pytest.mark.parametrize(
    "text",
    [
        *("representative", "Agent.", "operator", "human", "real person", "customer service"),
        *("put me through to billing please", "stop this, agent", "agent please"),
    ],
)
@pytest.mark.parametrize("prompt", [None, "How can I help you today?"])
def test_bare_requests_after_an_open_question(text: str, prompt: str | None) -> None:
    """A caller who says nothing but "agent" would be kept."""
    assert asks(text, prompt=prompt)


@pytest.mark.parametrize(
    ("prompt", "text", "expected"),
    [
        ("What is your occupation?", "operator", False),
        ("Thanks, that helps me. And what is your occupation, please?", "Teacher.", False),
        ("AskOccupation", "operator", False),
        ("Please say your name.", "Agent Smith", False),
        ("Are you a human?", "yes I am human", False),
        ("Which department do you work in?", "customer service", False),
        ("Please say your account number.", "i don't have it just get me somebody", True),
        ("ask_pin", "agent", True),
        ("Would you like to speak to a representative?", "yes please", True),
        ("Would you like to speak to a representative?", "no", False),
        ("Would you like to hear your balance?", "yes please", False),
        ("Would you like us to call you back?", "yes please", False),
        ("Which department would you like?", "no department, a human please", True),
    ],
)
def test_the_question_tells_an_answer_from_a_request(
    prompt: str, text: str, expected: bool
) -> None:
    """An answer would transfer the call, or a request in place of an answer would be lost."""
    assert asks(text, prompt=prompt) is expected


@pytest.mark.parametrize(
    ("language", "prompt", "noun", "agrees"),
    [
        ("de", "Möchten Sie mit einem Mitarbeiter sprechen?", "Berater", "ja gerne"),
        ("fr", "Voulez-vous parler à un conseiller ?", "conseiller", "oui"),
        ("es", "¿Quiere hablar con un agente?", "agente", "sí, por favor"),
        ("it", "Vuole parlare con un operatore?", "operatore", "sì grazie"),
        ("pt", "Quer falar com um atendente?", "atendente", "sim"),
        ("hi", "क्या आप एजेंट से बात करना चाहेंगे?", "एजेंट", "हाँ जी"),
    ],
)
def test_questions_in_other_languages(language: str, prompt: str, noun: str, agrees: str) -> None:
    """Outside English, a job title would transfer the call, and an offer could not be taken up."""
    work = {"de": "Was ist Ihr Beruf?", "fr": "Quelle est votre profession ?"}
    work |= {"es": "¿Cuál es su ocupación?", "it": "Qual è la sua professione?"}
    work |= {"pt": "Qual é a sua profissão?", "hi": "आपका पेशा क्या है?"}
    assert asks(noun, language)
    assert not asks(noun, language, work[language])
    assert asks(agrees, language, prompt)
    assert not asks(agrees, language)


@pytest.mark.parametrize("language", ["en", "de", "auto", "fr,it"])
@pytest.mark.parametrize(
    "text",
    [
        "quiero hablar con un representante, por favor",
        "I want to hablar con una persona",
        "ich will mit einem Menschen sprechen",
        "je veux parler à un conseiller",
        "voglio parlare con un operatore",
        "quero falar com um atendente",
        "mujhe kisi insaan se baat karni hai",
        "मुझे किसी इंसान से बात करनी है",
        "I want to talk to an agent",
    ],
)
def test_a_request_in_any_language_is_found(text: str, language: str) -> None:
    """A caller who switches language could not get to a person by asking."""
    assert asks(text, language)


@pytest.mark.parametrize("language", [*languages(), "auto"])
def test_calm_sentences_of_one_language_ask_nothing_in_another(language: str) -> None:
    """A word that is innocent in the caller's language would transfer the call."""
    calm = [row for row in rows("asks_for_human.tsv") if row["asks"] == "0"]
    fired = [
        row["sentence"]
        for row in calm
        if asks(row["sentence"], language) and not asks(row["sentence"], row["language"])
    ]
    assert len(fired) <= 0.002 * len(calm)


def test_other_cues_are_of_the_language_that_is_spoken() -> None:
    """French "con" would be heard in a Spanish sentence, or German swearing be missed."""
    words = load_word_classifier()
    assert Cue.PROFANITY not in dict(words.classify("voy con mi hermana", "auto").cues)
    assert Cue.PROFANITY in dict(words.classify("das ist doch Scheiße", "en,de").cues)
    assert words.classify("das ist doch nicht gut", "auto").p_negative is None
    assert words.classify("this is not good at all", "auto").p_negative is not None
