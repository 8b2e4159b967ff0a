"""The words of a call beside its turns, with times and without."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipecat_deescalate.agent.replay.alignment import AlignedTranscript, read_untimed
from pipecat_deescalate.agent.replay.transcript import (
    Transcript,
    TranscriptError,
    TranscriptLine,
    TurnWords,
    read_transcript,
)
from pipecat_deescalate.models.reader import VoiceTurn
from pipecat_deescalate.models.readings import EmotionReading


def turns(*spans: tuple[float, float]) -> list[VoiceTurn]:
    voice = EmotionReading(0.5, "test", 1.0, 0.0)
    return [VoiceTurn(i, start, end, -20.0, voice) for i, (start, end) in enumerate(spans)]


def test_an_utterance_goes_to_one_turn_only() -> None:
    """Words that were counted twice would count double in the evidence."""
    said = Transcript([TranscriptLine(start_s=1.0, end_s=2.0, text="hello", speaker="caller")])
    found = said.align(turns((0.0, 1.0), (0.9, 1.6), (1.6, 2.5)))
    assert [words.text for words in found] == [None, "hello", None]


def test_a_prompt_said_again_is_the_same_dialog_state() -> None:
    """Without names for its states, a bot that repeats itself must still be noticed."""
    bot = [
        TranscriptLine(start_s=at, end_s=at + 1, text=text, speaker="bot")
        for at, text in ((0, "Which city?"), (4, "which city"), (8, "What time?"))
    ]
    found = Transcript(bot).align(turns((2, 3), (6, 7), (10, 11)))
    assert [words.dialog_state for words in found] == ["prompt-1", "prompt-1", "prompt-2"]


def test_a_second_answer_to_one_prompt_was_not_prompted() -> None:
    """A caller who goes on after a pause was not asked again, and the bot is not stuck."""
    bot = [TranscriptLine(start_s=0, end_s=1, text="Which city?", speaker="bot")]
    first, second = Transcript(bot).align(turns((2, 3), (5, 6)))
    assert (first.dialog_state, first.prompted) == ("prompt-1", True)
    assert (second.dialog_state, second.prompted) == ("prompt-1", False)


def test_words_beside_every_turn_go_to_the_nearest() -> None:
    """A request for a human must not vanish because the voice activity missed it."""
    said = Transcript(
        [TranscriptLine(start_s=3.2, end_s=3.8, text="agent please", speaker="caller")]
    )
    near, far = turns((2, 3), (20, 21))
    assert [words.text for words in said.align([near, far])] == ["agent please", None]
    assert said.align([far])[0].text is None


def test_speaking_over_the_bot_is_a_barge_in() -> None:
    """A caller who starts while the bot still speaks has lost patience, or the bot is slow."""
    bot = [TranscriptLine(start_s=0, end_s=5, text="Please listen carefully", speaker="bot")]
    over, after = Transcript(bot).align(turns((2, 3), (6, 7)))
    assert over.barge_in
    assert not after.barge_in


def test_lines_without_times_find_their_turns() -> None:
    """A noise without words, or a line without a turn, must not shift all that follows."""
    said = AlignedTranscript(
        [
            ("bot", "Where to?"),
            ("caller", "I want to go from the university to the airport please"),
            ("bot", "When?"),
            ("caller", "now"),
            ("bot", "When?"),
            ("caller", "as soon as you possibly can today"),
        ]
    )
    found = said.align(turns((0, 4.0), (6, 6.5), (8, 8.2), (12, 14.6)))
    assert found[0].text.startswith("I want")
    assert found[1] == TurnWords("now", "prompt-2", prompted=True)
    assert found[2] == TurnWords(None, "prompt-2")
    assert found[3].text.startswith("as soon")
    assert AlignedTranscript([]).align(turns((0, 1))) == [TurnWords()]
    assert said.align([]) == []


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ('{"start_s": 2, "end_s": 1, "text": "x", "speaker": "bot"}', "end_s (1.0) is before"),
        ('{"start_s": -1, "end_s": 1, "text": "x", "speaker": "bot"}', "start_s"),
        ('{"start_s": 0, "end_s": 1, "text": "x", "speaker": "dog"}', "speaker"),
        ('{"start_s": 0, "end_s": 1, "speaker": "bot"}', "text"),
        ("not json", "3: is not valid JSON: "),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: str, complaint: str) -> None:
    """The number of the line and the key are all that helps in a long transcript."""
    path = tmp_path / "words.jsonl"
    good = '{"start_s": 0, "end_s": 1, "text": "hi", "speaker": "caller"}'
    path.write_text(f"{good}\n\n{line}\n")
    with pytest.raises(TranscriptError) as caught:
        read_transcript(path)
    assert str(caught.value).startswith(f"{path}: line 3: ")
    assert complaint in str(caught.value)


def test_a_bad_untimed_line_is_named(tmp_path: Path) -> None:
    """The same for transcripts without times."""
    path = tmp_path / "turns.jsonl"
    path.write_text(json.dumps({"call_id": "a", "order": 0, "speaker": "bot"}) + "\n")
    with pytest.raises(TranscriptError, match="line 1: text: missing key"):
        read_untimed(path)
