"""A recorded call in, a decided call out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ...models.audio.memory_file import AudioFile, MemoryFile, samples_file
from ...models.audio.recording import CallAudio, CallerChannel, open_call
from ...models.audio.two_voices import TurnVoice, turn_voice, two_speakers
from ...models.errors import AudioError, SamplesError, shown
from ...models.reader import CallReader, VoiceTurn, classify_voice
from ...models.readings import Samples, TurnReading
from ...models.text.sentiment import TextClassifier
from ...models.voice import EmotionClassifier, load_classifier
from ...policies.config import MitigationPolicy, load_policy, within_opening_hours
from ...policies.decide import decide
from ...policies.record import CallRecord, TurnRecord
from ...policies.types import CallState, Evidence
from .segments import MAX_TURN_S, TurnRules, cut_turns, find_turns
from .transcript import Transcript, read_transcript
from .turn_words import Stretch, TranscriptLike
from .two_people import people_heard, silenced
from .vad import SAMPLE_RATE, WINDOW_MS

CLIPPED_SHARE = 0.001

CallProgress = Callable[[float, float | None], None]
"""Called about once per second of audio with the seconds done, and the total if it is known."""

Recording: TypeAlias = str | Path | bytes | BinaryIO | NDArray[Any]
"""A path, the bytes of a recording, a binary file object, or samples."""


@dataclass(frozen=True, slots=True)
class VoiceCall:
    """A recording without its audio: its turns with their voice readings, ready for a policy."""

    call_id: str
    source: str
    duration_s: float
    sample_rate: int
    model: str
    turns: tuple[VoiceTurn, ...]
    warnings: tuple[str, ...]
    channels: int | None = None


@dataclass(frozen=True, slots=True)
class TurnInput:
    """One turn with everything that a policy needs, and its text."""

    reading: TurnReading
    dialog_state: str | None = None
    text: str | None = None


def analyze_call(
    recording: Recording,
    *,
    sample_rate: int | None = None,
    policy: MitigationPolicy | str | Path = "balanced",
    classifier: EmotionClassifier | None = None,
    caller_channel: CallerChannel | Literal["left", "right"] | None = None,
    call_id: str | None = None,
    transcript: str | Path | TranscriptLike | None = None,
    caller_speaker: str | None = None,
    language: str | Sequence[str] = "en",
    words: TextClassifier | None = None,
    keep_text: bool = False,
    started_at: datetime | None = None,
    turn_rules: TurnRules | None = None,
    on_progress: CallProgress | None = None,
) -> CallRecord:
    """Find the caller's turns in a recording, classify each one and decide after each one.

    A `recording` is a path, the bytes of a recording or a binary file object; or samples (int16,
    float32 or float64) of shape (samples,) or (samples, channels), with their `sample_rate`.
    `caller_channel` names the caller's channel of a stereo recording. `call_id` is by default the
    file's name without its extension, or "bytes" or "samples".

    A `transcript` adds text in this `language`, classified by `words` or the bundled model; the
    record keeps it only with `keep_text`. `caller_speaker` is the caller's name in a transcript
    that names no roles. If a recording with one channel also holds those who speak with the caller,
    their lines are left out by the transcript's times. `started_at`, an aware datetime, is when the
    call began; without it humans always count as available, whatever the policy's opening hours.

    Raises:
        AudioError: the recording cannot be read, or holds nothing.
        SamplesError: samples, their rate or `caller_channel` cannot be used.
        PolicyError, ModelFileError, TranscriptError: one of the others is not valid.
    """
    if not isinstance(policy, MitigationPolicy):
        policy = load_policy(policy)
    if isinstance(transcript, str | Path):
        transcript = read_transcript(
            Path(transcript), caller_channel=caller_channel, caller_speaker=caller_speaker
        )
    voice_call = classify_call(
        _audio_file(recording, sample_rate),
        classifier or load_classifier(),
        caller_channel=caller_channel,
        call_id=call_id,
        transcript=transcript,
        turn_rules=turn_rules,
        on_progress=on_progress,
    )
    return decide_call(
        voice_call,
        policy,
        transcript=transcript,
        language=language,
        words=words,
        keep_text=keep_text,
        started_at=started_at,
    )


def classify_call(
    path: str | AudioFile,
    classifier: EmotionClassifier,
    *,
    caller_channel: CallerChannel | str | None = None,
    call_id: str | None = None,
    transcript: TranscriptLike | None = None,
    turn_rules: TurnRules | None = None,
    known_turns: Sequence[tuple[float, float]] | None = None,
    on_progress: CallProgress | None = None,
    on_block: Callable[[Samples], None] | None = None,
) -> VoiceCall:
    """Find the caller's turns in a recording and classify the voice in each: the slow part.

    `known_turns`, found earlier by the same rules (started at, ended at, in seconds), make the
    search unnecessary. `on_block` gets all of the caller's audio, at 16 kHz. A `transcript` says
    when others speak; where they are heard on the only channel, they are not read.

    Raises:
        AudioError: the recording cannot be read, or holds nothing.
    """
    apart, others = _others(path, transcript, caller_channel)
    with open_call(
        path, caller_channel=caller_channel, sample_rate=SAMPLE_RATE, block_ms=WINDOW_MS
    ) as call:
        blocks = silenced(_watched(call, on_progress, on_block), apart)
        rules = turn_rules or TurnRules()
        found = (
            find_turns(blocks, rules)
            if known_turns is None
            else cut_turns(blocks, known_turns, rules)
        )
        turns, voices = [], []
        for turn in found:
            turns.append(classify_voice(turn, classifier))
            voices.append(turn_voice(turn.samples, turn.sample_rate))
    if call.is_silent:
        raise AudioError(path, "holds only digital silence; is this the caller's channel?")
    return VoiceCall(
        call_id=shown(call_id or Path(str(path)).stem),
        source=shown(path),
        duration_s=call.samples_read / SAMPLE_RATE,
        sample_rate=call.source_rate,
        model=classifier.name,
        turns=tuple(turns),
        warnings=(*_warnings(call, turns), *(others or _shared(call, turns, voices))),
        channels=call.channels,
    )


def _others(
    path: str | AudioFile, transcript: TranscriptLike | None, channel: CallerChannel | str | None
) -> tuple[list[Stretch], tuple[str, ...]]:
    """When others are heard on the only channel of a call, by its transcript, and a warning."""
    others = transcript.others if transcript is not None else {}
    if not others:
        return [], ()
    with open_call(
        path, caller_channel=channel, sample_rate=SAMPLE_RATE, block_ms=WINDOW_MS
    ) as call:
        heard = people_heard(call, others) if call.channels == 1 else []
    if not heard:
        return [], ()
    apart = [stretch for speaker in heard for stretch in others[speaker]]
    return apart, (
        f"the recording has one channel, with the caller and the {' and the '.join(heard)} on it: "
        f"{sum(end - start for start, end in apart):.0f} s were left out by the transcript's times",
    )


def decide_call(
    call: VoiceCall,
    policy: MitigationPolicy,
    *,
    transcript: TranscriptLike | None = None,
    language: str | Sequence[str] = "en",
    words: TextClassifier | None = None,
    keep_text: bool = False,
    started_at: datetime | None = None,
) -> CallRecord:
    """Apply a policy to a classified call; the options are those of `analyze_call`."""
    transcript, state = transcript or Transcript(), CallState()
    records = []
    for turn in read_call(call, transcript, language=language, words=words):
        available = within_opening_hours(policy, started_at, turn.reading.ended_at_s)
        evidence = Evidence(turn.reading, turn.dialog_state, available)
        state, decision = decide(state, evidence, policy)
        records.append(TurnRecord(decision, turn.text if keep_text else None))
    return CallRecord(
        call_id=call.call_id,
        source=call.source,
        duration_s=call.duration_s,
        sample_rate=call.sample_rate,
        model=call.model,
        policy=policy,
        turns=tuple(records),
        warnings=(*call.warnings, *word_warnings(call, transcript)),
    )


def word_warnings(call: VoiceCall, transcript: TranscriptLike) -> tuple[str, ...]:
    """Which of a transcript's words are not used for this call, and why."""
    return transcript.warnings(call.turns, call.duration_s, channels=call.channels)


def read_call(
    call: VoiceCall,
    transcript: TranscriptLike,
    *,
    language: str | Sequence[str] = "en",
    words: TextClassifier | None = None,
) -> list[TurnInput]:
    """Combine the words with the turns of a classified call; independent of any policy."""
    reader = CallReader(language=language, words=words)
    turns = []
    for turn, said in zip(call.turns, transcript.align(call.turns), strict=True):
        asked = said.dialog_state if said.prompted else None
        reading = reader.read(
            turn, said.text, dialog_state=asked, barge_in=said.barge_in, prompt=said.prompt
        )
        turns.append(TurnInput(reading, said.dialog_state, said.text))
    return turns


def _audio_file(recording: Recording, sample_rate: int | None) -> AudioFile:
    """A recording as something to open."""
    if isinstance(recording, np.ndarray):
        if sample_rate is None:
            raise SamplesError("samples need their sample_rate=, in Hz")
        return samples_file(recording, sample_rate, "samples")
    if sample_rate is not None:
        raise SamplesError("sample_rate= is for arrays of samples; a recording holds its own")
    if isinstance(recording, str | Path):
        return Path(recording)
    if isinstance(recording, bytes | bytearray | memoryview):
        return MemoryFile(bytes(recording), "bytes")
    data = recording.read() if hasattr(recording, "read") else None
    if not isinstance(data, bytes):
        raise SamplesError(
            f"a recording of type {type(recording).__name__}: a path, bytes, a binary file object "
            "or a NumPy array is needed"
        )
    name = getattr(recording, "name", None)
    return MemoryFile(data, name if isinstance(name, str) else "bytes")


def _watched(
    call: CallAudio,
    on_progress: CallProgress | None,
    on_block: Callable[[Samples], None] | None,
) -> Iterator[Samples]:
    """The call's blocks, with a progress report for each second of audio."""
    reported_s = 0.0
    for block in call:
        if on_block is not None:
            on_block(block)
        yield block
        done_s = call.samples_read / SAMPLE_RATE
        if on_progress is not None and done_s - reported_s >= 1.0:
            on_progress(done_s, call.duration_s)
            reported_s = done_s


def _warnings(call: CallAudio, turns: Sequence[VoiceTurn]) -> tuple[str, ...]:
    warnings = list(call.warnings)
    if shown(call.path) != str(call.path):
        warnings.append("the file's path is not UTF-8: the bytes that are not are shown as \\udc..")
    clipped = call.clipped_samples / (call.samples_read * call.source_rate / SAMPLE_RATE)
    if clipped > CLIPPED_SHARE:
        warnings.append(f"clipped: {clipped:.1%} of the samples are at full scale")
    if not turns:
        warnings.append("no speech was found")
    elif all(turn.voice.p_negative is None for turn in turns):
        warnings.append("no turn could be classified")
    longest_s = max((turn.ended_at_s - turn.started_at_s for turn in turns), default=0.0)
    if longest_s > MAX_TURN_S:
        warnings.append(
            f"a turn of {longest_s:.0f} s: only its last {MAX_TURN_S:.0f} s were analysed"
        )
    return tuple(warnings)


def _shared(
    call: CallAudio, turns: Sequence[VoiceTurn], voices: Sequence[TurnVoice | None]
) -> tuple[str, ...]:
    """A warning if the turns are by two people."""
    known = [voice for voice in voices if voice is not None]
    spoken_s = sum(turn.ended_at_s - turn.started_at_s for turn in turns)
    if not two_speakers(known, spoken_s / (call.samples_read / SAMPLE_RATE)):
        return ()
    return (
        "two voices on this channel: turns of both were read as the caller's. Use a recording with "
        "a channel for each, or a transcript with times and speakers",
    )
