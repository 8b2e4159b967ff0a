"""The words of a call beside its turns, with times and without."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipecat_deescalate.agent.replay.alignment import AlignedTranscript, read_untimed
from pipecat_deescalate.agent.replay.transcript import (
    Transcript,
    TranscriptLine,
    read_transcript,
)
from pipecat_deescalate.agent.replay.turn_words import TranscriptError, TurnWords
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
    assert found[1] == TurnWords("now", "prompt-2", prompted=True, prompt="When?")
    assert found[2] == TurnWords(None, "prompt-2")
    assert found[3].text.startswith("as soon")
    assert AlignedTranscript([]).align(turns((0, 1))) == [TurnWords()]
    assert said.align([]) == []


def lines(*said: tuple[float, float, str, str]) -> list[TranscriptLine]:
    return [
        TranscriptLine(start_s=start, end_s=end, text=text, speaker=speaker)
        for start, end, speaker, text in said
    ]


def test_the_bots_last_line_is_the_prompt_of_a_turn() -> None:
    """Without the question that it answers, "teacher" asks for a human."""
    said = lines((0, 1, "bot", "Hello."), (1, 2, "bot", "Your job?"), (3, 4, "caller", "teacher"))
    assert [words.prompt for words in Transcript(said).align(turns((3, 4)))] == ["Your job?"]
    untimed = AlignedTranscript([(line.speaker, line.text) for line in said])
    assert [words.prompt for words in untimed.align(turns((3, 4)))] == ["Your job?"]


def test_what_a_human_agent_says_is_no_prompt() -> None:
    """An agent who repeats a sentence would pass for a bot that is stuck."""
    said = lines((0, 1, "agent", "One moment."), (2, 3, "caller", "yes"))
    assert Transcript(said).align(turns((2, 3))) == [TurnWords("yes")]
    untimed = AlignedTranscript([("agent", "One moment."), ("caller", "yes")])
    assert untimed.align(turns((2, 3))) == [TurnWords("yes")]


SPOKEN = turns((0, 1), (2, 4), (6, 9))
FITTING = lines((0, 1, "caller", "hello"), (2, 4, "caller", "my bill"), (6, 9, "caller", "a human"))


def moved(by_s: float, factor: float = 1.0) -> list[TranscriptLine]:
    return lines(
        *(
            (line.start_s * factor + by_s, line.end_s * factor + by_s, line.speaker, line.text)
            for line in FITTING
        )
    )


@pytest.mark.parametrize(
    ("said", "warned"),
    [
        (FITTING, []),
        (moved(0.4), []),
        (moved(0.2, 1000), ["3 of the caller's 3 lines", "milliseconds"]),
        (moved(300), ["3 of the caller's 3 lines", "309 s, the recording at 10 s", "another call"]),
        (moved(1.6e9), ["3 of the caller's 3 lines", "count from 1970"]),
        ([*FITTING, *lines((13, 14, "caller", "bye"))], ["1 of the caller's 4", "14 s", "10 s"]),
        (lines((0, 1, "agent", "hello"), (2, 3, "bot", "hi")), ["2 lines are the agent's and the"]),
        ([], []),
    ],
)
def test_words_that_fit_no_turn_are_said(said: list[TranscriptLine], warned: list[str]) -> None:
    """A request for a human in a transcript of another clock would be lost without a word."""
    found = Transcript(said).warnings(SPOKEN, 10.0)
    assert len(found) == bool(warned)
    for part in warned:
        assert part in found[0]


def test_lines_where_nobody_speaks_are_said() -> None:
    """The times may be right and the channel wrong."""
    (warning,) = Transcript(lines((5, 6, "caller", "a human"))).warnings(turns((0, 1)), 10.0)
    assert warning.endswith("is it of this call, and of the caller's channel?")


def test_lines_without_times_that_find_no_turn_are_said() -> None:
    """More lines than turns: the rest of the words would be lost without a word."""
    said = AlignedTranscript([("caller", "hello"), ("caller", "my bill"), ("caller", "a human")])
    (warning,) = said.warnings(turns((0, 1)), 10.0)
    assert warning.startswith("2 of the caller's 3 lines in the transcript fit no turn")
    assert said.warnings(SPOKEN, 10.0) == ()


def test_an_agent_on_the_callers_channel_without_times_is_said() -> None:
    """Without times nothing separates them, and the agent's turns count as the caller's."""
    said = AlignedTranscript([("agent", "hello"), ("caller", "my bill")])
    (warning,) = said.warnings(turns((0, 1)), 10.0, channels=1)
    assert "their turns were read as the caller's" in warning
    assert said.warnings(turns((0, 1)), 10.0, channels=2) == ()


def test_an_empty_transcript_is_said(tmp_path: Path) -> None:
    """An export that failed looks like a call without words."""
    path = tmp_path / "call.jsonl"
    path.write_text("\n")
    assert read_transcript(path).warnings(SPOKEN, 10.0) == ("the transcript is empty",)
    assert Transcript().warnings(SPOKEN, 10.0) == ()


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
