"""A language and a word model of one's own, in live calls and on recorded ones."""

from __future__ import annotations

from pathlib import Path

from pipecat.frames.frames import TranscriptionFrame, TTSSpeakFrame

from pipecat_deescalate import analyze_call
from pipecat_deescalate.agent.deescalator import Deescalator
from pipecat_deescalate.models.audio.recording import CallerChannel
from pipecat_deescalate.models.readings import WordReading
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
