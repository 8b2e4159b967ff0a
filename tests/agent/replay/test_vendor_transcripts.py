"""Transcripts as speech services write them become the same lines, with the right speakers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipecat_deescalate.agent.replay.transcript import Transcript, read_transcript
from pipecat_deescalate.agent.replay.turn_words import TranscriptError, TurnWords

from .test_transcript import turns

SAID = (
    ("caller", 0.5, 1.0, "hello"),
    ("agent", 1.5, 3.0, "how can I help"),
    ("caller", 4.0, 6.0, "a bill"),
)
"""What every file below says."""
EPOCH_S = 1_607_439_289.0


def entries(*keys: str, scale: float = 1, names: tuple[Any, Any]) -> list[Any]:
    """The three lines under these keys: start, end, text and, with `names`, who speaks."""
    start, end, text, *who = keys
    found = []
    for speaker, start_s, end_s, words in SAID:
        entry = {start: round(start_s * scale, 3), end: round(end_s * scale, 3)}
        found.append({**entry, text: words} | dict.fromkeys(who, names[speaker != "caller"]))
    return found


def lasting(entries: list[Any], start: str, end: str, lasts: str) -> list[Any]:
    """The same with a length in place of the end."""
    return [entry | {lasts: round(entry.pop(end) - entry[start], 3)} for entry in entries]


def worded(names: tuple[Any, Any], speaker: str) -> list[dict[str, Any]]:
    """Deepgram's words."""
    return [
        {
            "word": word,
            "punctuated_word": word,
            "start": start_s + n / 10,
            "end": start_s + (n + 1) / 10,
        }
        | {speaker: names[who != "caller"]}
        for who, start_s, _, words in SAID
        for n, word in enumerate(words.split())
    ]


def items(channel: int) -> list[dict[str, Any]]:
    """Amazon's items of one channel, times as strings, punctuation without a time."""
    found: list[dict[str, Any]] = []
    for who, start_s, _, words in SAID:
        for n, word in enumerate(words.split() if channel == (who != "caller") else ()):
            times = {"start_time": str(start_s + n / 10), "end_time": str(start_s + (n + 1) / 10)}
            found.append({**times, "alternatives": [{"content": word}], "type": "pronunciation"})
    return [*found, {"alternatives": [{"content": "."}], "type": "punctuation"}]


CUSTOMER = {"ParticipantId": "c1", "ParticipantRole": "CUSTOMER"}
AGENT = {"ParticipantId": "a1", "ParticipantRole": "AGENT"}
MILLIS = ("BeginOffsetMillis", "EndOffsetMillis", "Content", "ParticipantId")
PLAIN = ("start", "end", "text", "speaker")
SENTENCES = entries("start_time", "end_time", "transcript", "media_channel", names=(1, 2))
TICKS = lasting(
    entries("offsetInTicks", "end", "itn", "channel", scale=1e7, names=(0, 1)),
    *("offsetInTicks", "end", "durationInTicks"),
)
ISO = [
    {
        "offset": f"PT{start_s}S",
        "duration": f"PT{end_s - start_s}S",
        "speaker": 1 + (who != "caller"),
    }
    | {"nBest": [{"display": words}, {"display": "no"}]}
    for who, start_s, end_s, words in SAID
]
PHRASES = [
    {
        "startTimeMs": (EPOCH_S + start_s) * 1000,
        "duration": {"milliseconds": (end_s - start_s) * 1000},
    }
    | {"text": "no", "decoratedText": words}
    | {"participantPurpose": "external" if who == "caller" else "internal"}
    for who, start_s, end_s, words in SAID
]
DIALOG = [{"type": "recording", "start": "2025-06-01T14:00:05Z", "parties": [0, 1], "url": "x"}] + [
    {"type": "text", "start": f"2025-06-01T14:00:{5 + start_s:06.3f}Z", "duration": end_s - start_s}
    | {"parties": [0 if who == "caller" else 1], "body": words}
    for who, start_s, end_s, words in SAID
]
PARTIES = [{"tel": "+1", "name": "Jane", "role": "customer"}, {"name": "Bob", "role": "agent"}]
LEFT = {"caller_channel": "left"}

SHAPES: dict[str, tuple[Any, dict[str, str]]] = {
    "Contact Lens": (
        {
            "Participants": [AGENT, CUSTOMER],
            "Transcript": entries(*MILLIS, scale=1000, names=("c1", "a1")),
        },
        {},
    ),
    "Call Analytics": (
        {
            "Transcript": entries(
                *MILLIS[:3], "ParticipantRole", scale=1000, names=("CUSTOMER", "AGENT")
            )
        },
        {},
    ),
    "Amazon Transcribe, channels": (
        {
            "results": {
                "transcripts": [{"transcript": "no"}],
                "channel_labels": {
                    "channels": [{"channel_label": f"ch_{n}", "items": items(n)} for n in (0, 1)]
                },
                "items": [*items(0), *items(1)],
            }
        },
        LEFT,
    ),
    "Deepgram, utterances": (
        {
            "metadata": {"channels": 2},
            "results": {
                "channels": [
                    {"alternatives": [{"transcript": "no", "words": worded((0, 0), "speaker")}]}
                ],
                "utterances": entries("start", "end", "transcript", "channel", names=(0, 1)),
            },
        },
        LEFT,
    ),
    "Deepgram, words with speakers": (
        {"results": {"channels": [{"alternatives": [{"words": worded((1, 0), "speaker")}]}]}},
        {"caller_speaker": "1"},
    ),
    "AssemblyAI, speakers": (
        {
            "words": worded(("A", "B"), "speaker"),
            "utterances": entries(*PLAIN, scale=1000, names=("A", "B")),
        },
        {"caller_speaker": "a"},
    ),
    "AssemblyAI, channels": (
        {"utterances": entries("start", "end", "text", "channel", scale=1000, names=("1", "2"))},
        LEFT,
    ),
    "Azure, fast": (
        {
            "combinedPhrases": [{"channel": 0, "text": "no"}],
            "phrases": lasting(
                entries("offsetMilliseconds", "end", "text", "channel", scale=1000, names=(0, 1)),
                *("offsetMilliseconds", "end", "durationMilliseconds"),
            ),
        },
        LEFT,
    ),
    "Azure, batch": (
        {
            "recognizedPhrases": [
                {**entry, "nBest": [{"itn": "no", "display": entry.pop("itn")}]} for entry in TICKS
            ]
        },
        LEFT,
    ),
    "Azure, batch without ticks": ({"recognizedPhrases": ISO}, {"caller_speaker": "1"}),
    "WhisperX": (
        {
            "segments": [
                e | {"words": []} for e in entries(*PLAIN, names=("SPEAKER_01", "SPEAKER_00"))
            ],
            "word_segments": worded(("", ""), "x"),
        },
        {"caller_speaker": "SPEAKER_01"},
    ),
    "pyannote": (
        {"output": {"turnLevelTranscription": entries(*PLAIN, names=("SPEAKER_00", "SPEAKER_01"))}},
        {"caller_speaker": "speaker_00"},
    ),
    "OpenAI, diarized": (
        {
            "text": "no",
            "timestamp": "2025-06-01T14:00:05Z",
            "segments": entries(*PLAIN, names=("customer", "agent")),
        },
        {},
    ),
    "Gladia": (
        {
            "result": {
                "transcription": {
                    "utterances": entries("start", "end", "text", "channel", names=(0, 1))
                }
            }
        },
        LEFT,
    ),
    "Twilio": ({"sentences": SENTENCES, "meta": {"page": 0}}, LEFT),
    "Genesys Cloud": (
        {"conversationStartTime": EPOCH_S * 1000, "transcripts": [{"phrases": PHRASES}]},
        {},
    ),
    "vCon, a recogniser's body": (
        {
            "vcon": "0.4.0",
            "parties": PARTIES,
            "dialog": DIALOG[:1],
            "analysis": [
                {"type": "summary", "body": "no"},
                {
                    "type": "transcript",
                    "body": json.dumps({"segments": entries(*PLAIN, names=("Customer", "Agent"))}),
                },
            ],
        },
        {},
    ),
    "vCon, a dialog of text": ({"vcon": "0.4.0", "parties": PARTIES, "dialog": DIALOG}, {}),
    "an array of lines": (
        entries("start_s", "end_s", "text", "speaker", names=("Caller", "AGENT")),
        {},
    ),
    "clocks and words of one's own": (
        [
            {"Start Time": f"00:00:{start_s:06.3f}", "End Time": f"00:00:{end_s:06.3f}"}
            | {"Role": "user" if who == "caller" else "representative", "Message": words}
            for who, start_s, end_s, words in SAID
        ],
        {},
    ),
}


def said(path: Path, **options: Any) -> list[tuple[str, float, float, str]]:
    found = read_transcript(path, **options)
    assert isinstance(found, Transcript)
    return [
        (line.speaker, round(line.start_s, 3), round(line.end_s, 3), line.text)
        for line in found.lines
    ]


OF_WORDS = ("Amazon Transcribe, channels", "Deepgram, words with speakers")
"""Their lines end with their last word."""


@pytest.mark.parametrize("shape", SHAPES)
def test_a_services_own_file_is_read(shape: str, tmp_path: Path) -> None:
    """Whoever has a transcript from their service would have to convert it, with other units."""
    document, options = SHAPES[shape]
    path = tmp_path / "call.json"
    path.write_text(json.dumps(document, indent=1))
    found = said(path, **options)
    ends = [end_s for _, _, end_s, _ in (found if shape in OF_WORDS else SAID)]
    wanted = [(*line[:2], end_s, line[3]) for line, end_s in zip(SAID, ends, strict=True)]
    assert [(*line[:3], line[3].rstrip(".")) for line in found] == wanted


VTT = """WEBVTT - a title

NOTE said by somebody

1
00:00.500 --> 00:01.000 align:start
<v.loud Caller>hello</v>

00:00:01.500 --> 00:00:03.000
<v Agent>how can <i>I</i>
help

00:00:04.000 --> 00:00:06.000
<v Caller>a bill
"""
SRT = """1
00:00:00,500 --> 00:00:01,000
Customer: hello

2
00:00:01,500 --> 00:00:03,000
Agent: how can I help

3
00:00:04,000 --> 00:00:06,000
Customer: a bill
"""


@pytest.mark.parametrize("text", [VTT, SRT, SRT.replace("\n", "\r\n")])
def test_subtitles_are_read(text: str, tmp_path: Path) -> None:
    """Meeting software writes nothing else."""
    path = tmp_path / "call.vtt"
    path.write_bytes(text.encode())
    assert said(path) == list(SAID)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_encodings_of_windows_are_read(encoding: str, tmp_path: Path) -> None:
    """A file that was once opened on Windows is refused for its first two bytes."""
    path = tmp_path / "call.jsonl"
    lines = entries("start_s", "end_s", "text", "speaker", names=("CUSTOMER", "Agent"))
    path.write_bytes("\n".join(map(json.dumps, lines)).encode(encoding))
    assert said(path) == list(SAID)


@pytest.mark.parametrize(
    ("names", "speakers"),
    [
        (("A", "B"), '"A" (2 lines), "B" (1 line)'),
        (("SPEAKER_00", "SPEAKER_00"), '"SPEAKER_00" (3 lines)'),
        (("Jane Doe", "Agent"), '"Agent" (1 line), "Jane Doe" (2 lines)'),
    ],
)
def test_nobody_is_taken_for_the_caller(
    names: tuple[str, str], speakers: str, tmp_path: Path
) -> None:
    """Diarized labels tell voices apart, not people: the agent's words could transfer the call."""
    path = tmp_path / "call.json"
    path.write_text(json.dumps({"segments": entries(*PLAIN, names=names)}))
    with pytest.raises(TranscriptError, match="nothing says who the caller is") as caught:
        read_transcript(path)
    assert speakers in str(caught.value)
    assert "--caller-speaker" in str(caught.value)


def test_a_voices_number_is_not_a_partys(tmp_path: Path) -> None:
    """A recogniser counts voices as they come; read as the first party, the agent is the caller."""
    body = {"segments": entries(*PLAIN, names=(1, 0))}
    document = {"parties": PARTIES, "analysis": [{"type": "transcript", "body": body}]}
    path = tmp_path / "call.json"
    path.write_text(json.dumps(document))
    with pytest.raises(TranscriptError, match="nothing says who the caller is"):
        read_transcript(path)
    assert said(path, caller_speaker="1") == list(SAID)


def test_a_channel_of_silence_is_a_channel(tmp_path: Path) -> None:
    """Where only the agent spoke, the first words of the file are not the caller's."""
    words = {"alternatives": [{"words": worded((0, 0), "speaker")[:1]}]}
    document = {"results": {"channels": [{"alternatives": [{"words": []}]}, words]}}
    path = tmp_path / "call.json"
    path.write_text(json.dumps(document))
    assert said(path, caller_channel="left")[0][0] == "agent"
    assert said(path, caller_channel="right")[0][0] == "caller"


def test_a_speaker_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """A misspelt name would leave the whole call without words."""
    path = tmp_path / "call.json"
    path.write_text(json.dumps({"segments": entries(*PLAIN, names=("A", "B"))}))
    with pytest.raises(
        TranscriptError, match=r"no speaker is called 'C'; it has \"A\" \(2 lines\)"
    ):
        read_transcript(path, caller_speaker="C")


def test_lines_of_unknown_people_are_left_out_and_said(tmp_path: Path) -> None:
    """A third person's words must neither be the caller's nor vanish in silence."""
    path = tmp_path / "call.json"
    lines = entries(*PLAIN, names=("customer", "agent"))
    lines.append({"start": 7, "end": 8, "text": "human now", "speaker": "Dr Lee"})
    path.write_text(json.dumps({"segments": lines}))
    assert said(path) == list(SAID)
    warnings = read_transcript(path).warnings(turns((0.4, 1.1), (4, 6)), 8.0)
    assert warnings == ('the transcript\'s words of "Dr Lee" (1 line) are left out',)


def test_without_times_the_order_decides(tmp_path: Path) -> None:
    """Twilio leaves times empty for some calls; the words are still there."""
    path = tmp_path / "call.json"
    lines = [{**line, "start_time": None, "end_time": None} for line in SENTENCES]
    path.write_text(json.dumps({"sentences": lines}))
    found = read_transcript(path, caller_channel="left").align(turns((0.4, 1.1), (4, 6)))
    assert found == [TurnWords("hello"), TurnWords("a bill")]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b'{"results": {"text": "hello"}}', "holds no list of lines"),
        (b'[{"a": 1},', "is not valid JSON"),
        (b"\xff\xfe\x00", "is not UTF-8 text"),
        (b"[1, 2]", "holds no list of lines"),
        (b"3", "line 1: must be a mapping"),
    ],
)
def test_what_is_no_transcript_is_refused(content: bytes, complaint: str, tmp_path: Path) -> None:
    """One line that says what is wrong, not a traceback."""
    path = tmp_path / "call.json"
    path.write_bytes(content)
    with pytest.raises(TranscriptError, match=complaint):
        read_transcript(path)
