"""Voice, words and course become one reading; what is missing adds nothing."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipecat_deescalate.models.fusion import FusionWeights, bundled_weights, fuse
from pipecat_deescalate.models.reader import CallReader, VoiceTurn, classify_voice
from pipecat_deescalate.models.readings import (
    Cue,
    EmotionReading,
    TurnAudio,
    UnknownReason,
    WordReading,
)
from pipecat_deescalate.models.registry import WEIGHTS
from pipecat_deescalate.models.voice import load_classifier

from ..audio import speech_like

probabilities = st.none() | st.floats(0, 1)
cue_sets = st.lists(st.sampled_from(Cue), unique=True, max_size=4).map(
    lambda cues: tuple((cue, "said") for cue in cues)
)


def voice(p: float | None) -> EmotionReading:
    return EmotionReading(p, "test", 1.0, 0.0, UnknownReason.TOO_SHORT if p is None else None)


def turn(index: int, p: float | None = 0.5) -> VoiceTurn:
    return VoiceTurn(index, 2.0 * index, 2.0 * index + 1.5, -20.0, voice(p))


def test_a_missing_source_is_no_evidence() -> None:
    """Unknown must not pull towards 0.5: the other source must count as if it were alone."""
    weights = FusionWeights()
    angry = voice(0.9)
    assert fuse(angry, None, (), weights) == pytest.approx(math.log(9))
    assert fuse(angry, WordReading(None), (), weights) == fuse(angry, None, (), weights)
    assert fuse(voice(None), WordReading(None), (), weights) is None
    assert fuse(None, None, (), weights) is None


@given(probabilities, probabilities, cue_sets)
def test_sources_add_and_stay_finite(
    heard: float | None, read: float | None, cues: tuple[tuple[Cue, str], ...]
) -> None:
    """No reading, however sure, may make a turn's evidence infinite."""
    both = fuse(voice(heard), WordReading(read, cues))
    assert both is None or math.isfinite(both)
    alone = [fuse(voice(heard), None), fuse(None, WordReading(read, cues))]
    if None not in (both, *alone):
        assert both == pytest.approx(sum(alone))


@given(st.floats(0, 1), st.floats(0, 1), probabilities)
def test_an_angrier_voice_never_counts_less(low: float, high: float, read: float | None) -> None:
    """A weight with the wrong sign would turn anger into calm."""
    low, high = sorted((low, high))
    assert fuse(voice(low), WordReading(read)) <= fuse(voice(high), WordReading(read))


def test_the_bundled_weights_say_which_are_assumed() -> None:
    """Each cue has a weight that is not negative, and its origin can be read."""
    card = json.loads((WEIGHTS / "fusion.json").read_text())
    weights = bundled_weights()
    assert set(weights.cues) == set(Cue)
    assert min(weights.voice, weights.words, *weights.cues.values()) >= 0
    assert set(card["assumed"]) <= set(card["weights"]["cues"])


def test_a_caller_who_repeats_a_request_is_heard() -> None:
    """The same request in other words, two turns later, must be noticed; a yes must not."""
    reader = CallReader()
    said = ["I was charged twice for the same thing", "yes", "yes", "I was charged twice you know"]
    readings = [reader.read(turn(i), text) for i, text in enumerate(said)]
    assert [Cue.REPEATS_REQUEST in dict(r.cues) for r in readings] == [False, False, False, True]


def test_words_and_course_reach_the_reading() -> None:
    """A reading must hold each part beside the sum, so that a reason can name it."""
    reader = CallReader()
    reader.read(turn(0), "Pittsburgh", dialog_state="city")
    reading = reader.read(turn(1, 0.9), "are you deaf, I said Pittsburgh", dialog_state="city")
    assert Cue.REPROMPTED in dict(reading.conversation)
    assert reading.words is not None
    assert reading.words.p_negative is not None
    assert reading.log_likelihood_ratio > voice(0.9).log_likelihood_ratio


def test_without_words_the_voice_stands_alone() -> None:
    """A bot without STT must lose nothing but the words."""
    reading = CallReader().read(turn(0, 0.9))
    assert reading.words is None
    weight = bundled_weights().voice
    assert reading.log_likelihood_ratio == pytest.approx(weight * math.log(9))


def test_a_look_ahead_is_forgotten() -> None:
    """What was only tried, as in a speculative run, must not count as an earlier turn."""
    reader = CallReader()
    reader.read(turn(0), "I want to cancel my subscription")
    tried = reader.fork()
    tried.read(turn(1), "where is my parcel, it has not come")
    again = reader.read(turn(1), "where is my parcel, it has not come")
    assert Cue.REPEATS_REQUEST not in dict(again.cues)


@pytest.mark.parametrize("told", [{"prompt": "What do you do?"}, {"dialog_state": "AskOccupation"}])
def test_what_the_bot_asked_reaches_the_words(told: dict[str, str]) -> None:
    """A caller who names their job would be handed over."""
    assert Cue.ASKS_FOR_HUMAN in dict(CallReader().read(turn(0), "operator").cues)
    assert Cue.ASKS_FOR_HUMAN not in dict(CallReader().read(turn(0), "operator", **told).cues)


def test_a_classifier_without_the_prompt_works_on() -> None:
    """A text classifier written before the argument would raise in every turn."""

    class Older:
        def classify(self, text: str | None, language: str = "en") -> WordReading:
            return WordReading(0.25)

    reading = CallReader(words=Older()).read(turn(0), "operator", prompt="What do you do?")
    assert reading.words == WordReading(0.25)


def test_several_languages_make_one_call() -> None:
    """A call in two languages would be read in one."""
    reader = CallReader(language=("en", "es"))
    assert reader.read(turn(0), "quiero mi dinero").words == WordReading(None)
    assert reader.read(turn(1), "I want my money").words.p_negative is not None
    assert Cue.ASKS_FOR_HUMAN in dict(reader.read(turn(2), "operadora").cues)


def sounding(index: int, level: float) -> VoiceTurn:
    audio = TurnAudio(speech_like(1.0, level=level, seed=index), 16_000, index, index + 1.0, index)
    return classify_voice(audio, load_classifier(), with_attributes=True)


def test_how_a_caller_sounds_is_told_against_their_own_turns() -> None:
    """A human is told that this caller got loud, not that the line is; and only if enough tells."""
    reader = CallReader()
    assert reader.prosody_note is None
    for index, level in enumerate((0.02, 0.03, 0.025)):
        reader.read(sounding(index, level))
        assert reader.prosody_note is None
    tried = reader.fork()
    tried.read(sounding(3, 0.3))
    assert "the voice is loud" in (tried.prosody_note or "")
    assert reader.prosody_note is None
    reader.read(sounding(3, 0.024))
    assert "the voice is of medium loudness" in (reader.prosody_note or "")
    reader.read(turn(4))
    assert reader.prosody_note is None, "a turn that was not measured has no prosody note"


def test_the_voice_of_one_word_says_little() -> None:
    """A calm "yes" of 0.3 s sounds angry to the model one time in five, and moved calm callers."""
    word = VoiceTurn(0, 0.0, 0.3, -20.0, voice(0.97))
    whole = CallReader().read(turn(0, 0.97)).log_likelihood_ratio
    assert CallReader().read(word).log_likelihood_ratio == pytest.approx(0.3 * whole)
