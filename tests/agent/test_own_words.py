"""A language and a word model of one's own, in live calls and on recorded ones."""

from __future__ import annotations

import json
from pathlib import Path

from pipecat.frames.frames import TranscriptionFrame, TTSSpeakFrame

from pipecat_deescalate import analyze_call
from pipecat_deescalate.agent.deescalator import Deescalator
from pipecat_deescalate.models.audio.recording import CallerChannel
from pipecat_deescalate.models.readings import Cue, WordReading
from pipecat_deescalate.policies.record import TurnRecord

from ..audio import ESCALATING
from ..pipelines import Scripted, running, speech

PAGE = Path(__file__).parents[2] / "docs" / "add-a-language.md"


def documented_phrases() -> str:
    """The Dutch phrase file that the page shows."""
    _, _, section = PAGE.read_text(encoding="utf-8").partition("## What the bot says")
    return section.split("```yaml\n")[1].split("```")[0]


class Heated:
    """A word model of one's own, as the protocol has it."""

    def __init__(self) -> None:
        self.languages = set[str]()

    def classify(self, text: str | None, language: str = "en") -> WordReading:
        self.languages.add(language)
        return WordReading(0.9 if text else None)


def p_negative(turn: TurnRecord) -> float | None:
    """Of the words of a turn."""
    return turn.reading.words.p_negative if turn.reading.words else None


def test_a_word_model_of_ones_own_reads_a_recorded_call() -> None:
    """The bundled model reads English alone: others must be able to take its place."""
    words = Heated()
    record = analyze_call(
        ESCALATING,
        caller_channel=CallerChannel.LEFT,
        transcript=ESCALATING.with_suffix(".jsonl"),
        words=words,
    )
    assert [p_negative(turn) for turn in record.turns] == [0.9] * 5
    assert words.languages == {"en"}


async def test_a_language_and_a_word_model_of_ones_own_in_a_live_call(tmp_path: Path) -> None:
    """A bot in a language that we do not have must hear it, and must not fall back to English."""
    phrases = tmp_path / "nl.yaml"
    phrases.write_text(documented_phrases(), encoding="utf-8")
    words = Heated()
    guard = Deescalator("eager", Scripted(0.95), language=phrases, words=words, scripted=True)
    async with running(guard.listen(), guard.speak()) as call:
        *turn, end = speech(1.0)
        recognised = TranscriptionFrame("dit is belachelijk", "caller", "", finalized=True)
        await call.send(*turn, recognised, end)
        await call.until(lambda: guard.record().turns)
        await call.send(TTSSpeakFrame("Wat is uw nummer?"))
        said = (await call.sees(TTSSpeakFrame)).text
    assert p_negative(guard.record().turns[0]) == 0.9
    assert words.languages == {"nl"}
    assert said.startswith("Het spijt me dat dit zo moeizaam gaat. Er is nu geen collega vrij.")
    assert said.endswith("Als u wilt, bellen we u terug. Wat is uw nummer?")


async def test_a_live_call_in_several_languages() -> None:
    """A caller who switches languages would not be heard, or the bot would not speak its first."""
    guard = Deescalator("eager", Scripted(0.05), language=("es", "en"), scripted=True)
    async with running(guard.listen(), guard.speak()) as call:
        *turn, end = speech(1.0)
        said = TranscriptionFrame("I want my money back", "caller", "", finalized=True)
        await call.send(*turn, said, end)
        await call.until(lambda: guard.record().turns)
    assert p_negative(guard.record().turns[0]) is not None


def test_a_request_in_another_language_of_a_recorded_call(tmp_path: Path) -> None:
    """A recorded caller who asks in Spanish would go unnoticed in an English call."""
    words = ESCALATING.with_suffix(".jsonl").read_text(encoding="utf-8").splitlines()
    lines = [{**json.loads(line), "text": "quiero hablar con un agente"} for line in words]
    transcript = tmp_path / "call.jsonl"
    transcript.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    for language in ("en", "auto", ("en", "fr")):
        record = analyze_call(
            ESCALATING,
            caller_channel=CallerChannel.LEFT,
            transcript=transcript,
            language=language,
        )
        assert any(Cue.ASKS_FOR_HUMAN in dict(turn.reading.cues) for turn in record.turns)
