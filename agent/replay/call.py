"""A recorded call in, a decided call out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from ...models.audio.recording import CallAudio, CallerChannel, open_call
from ...models.errors import AudioError
from ...models.reader import CallReader, VoiceTurn, classify_voice
from ...models.readings import Samples, TurnReading
from ...models.text.sentiment import TextClassifier
from ...models.voice import EmotionClassifier, load_classifier
from ...policies.config import MitigationPolicy, load_policy
from ...policies.decide import decide
from ...policies.record import CallRecord, TurnRecord
from ...policies.types import CallState, Evidence
from .segments import MAX_TURN_S, TurnRules, cut_turns, find_turns
from .transcript import Transcript, TranscriptLike, read_transcript
from .vad import SAMPLE_RATE, WINDOW_MS

CLIPPED_SHARE = 0.001
NOTHING_SAID = "the transcript holds nothing that the caller said"

Progress = Callable[[float, float | None], None]
"""Called now and then with the seconds done, and the seconds in all where the file says so."""


@dataclass(frozen=True, slots=True)
class VoiceCall:
    """A recording once its audio is gone: its turns as they sounded, ready to be decided."""

    call_id: str
    source: str
    duration_s: float
    sample_rate: int
    model: str
    turns: tuple[VoiceTurn, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TurnInput:
    """One turn with all that can be known of it before a policy decides."""

    reading: TurnReading
    dialog_state: str | None = None
    text: str | None = None


def analyze_call(
    path: str | Path,
    *,
    policy: MitigationPolicy | str | Path = "balanced",
    classifier: EmotionClassifier | None = None,
    caller_channel: CallerChannel | None = None,
    transcript: str | Path | TranscriptLike | None = None,
    language: str = "en",
    words: TextClassifier | None = None,
    keep_text: bool = False,
    started_at: datetime | None = None,
    turn_rules: TurnRules | None = None,
    on_progress: Progress | None = None,
) -> CallRecord:
    """Find the caller's turns in a recording, read each one and decide after each one.

    `caller_channel` names the caller's side of a stereo recording. A `transcript` adds what the
    words say, in this `language`, read by `words` or else the bundled model; they are kept in the
    record only with `keep_text`. `started_at`, an aware datetime, is when the call began; without
    it humans count as available whatever the policy's opening hours.

    Raises:
        AudioError: the recording cannot be read, or holds nothing.
        PolicyError, ModelFileError, TranscriptError: one of the others is not valid.
    """
    if not isinstance(policy, MitigationPolicy):
        policy = load_policy(policy)
    if isinstance(transcript, str | Path):
        transcript = read_transcript(Path(transcript))
    heard = hear_call(
        path,
        classifier or load_classifier(),
        caller_channel=caller_channel,
        turn_rules=turn_rules,
        on_progress=on_progress,
    )
    return decide_call(
        heard,
        policy,
        transcript=transcript,
        language=language,
        words=words,
        keep_text=keep_text,
        started_at=started_at,
    )


def hear_call(
    path: str | Path,
    classifier: EmotionClassifier,
    *,
    caller_channel: CallerChannel | None = None,
    turn_rules: TurnRules | None = None,
    known_turns: Sequence[tuple[float, float]] | None = None,
    on_progress: Progress | None = None,
    on_block: Callable[[Samples], None] | None = None,
) -> VoiceCall:
    """Find the caller's turns in a recording and hear each one: all that takes time.

    `known_turns`, found earlier by the same rules (started at, ended at, in seconds), spare the
    search. `on_block` sees all of the caller's audio, at 16 kHz.

    Raises:
        AudioError: the recording cannot be read, or holds nothing.
    """
    with open_call(
        path, caller_channel=caller_channel, sample_rate=SAMPLE_RATE, block_ms=WINDOW_MS
    ) as call:
        blocks, rules = _watched(call, on_progress, on_block), turn_rules or TurnRules()
        found = (
            find_turns(blocks, rules)
            if known_turns is None
            else cut_turns(blocks, known_turns, rules)
        )
        turns = [classify_voice(turn, classifier) for turn in found]
    if call.is_silent:
        raise AudioError(path, "holds only digital silence; is this the caller's channel?")
    return VoiceCall(
        call_id=Path(path).stem,
        source=str(path),
        duration_s=call.samples_read / SAMPLE_RATE,
        sample_rate=call.source_rate,
        model=classifier.name,
        turns=tuple(turns),
        warnings=_warnings(call, turns),
    )


def decide_call(
    call: VoiceCall,
    policy: MitigationPolicy,
    *,
    transcript: TranscriptLike | None = None,
    language: str = "en",
    words: TextClassifier | None = None,
    keep_text: bool = False,
    started_at: datetime | None = None,
) -> CallRecord:
    """What a policy makes of a call that was heard; the options are those of `analyze_call`."""
    transcript, state = transcript or Transcript(), CallState()
    records = []
    for turn in read_call(call, transcript, language=language, words=words):
        available = _agents_available(policy, started_at, turn.reading.ended_at_s)
        evidence = Evidence(turn.reading, turn.dialog_state, available)
        state, decision = decide(state, evidence, policy)
        records.append(TurnRecord(decision, turn.text if keep_text else None))
    unsaid = () if transcript.has_caller else (NOTHING_SAID,)
    return CallRecord(
        call_id=call.call_id,
        source=call.source,
        duration_s=call.duration_s,
        sample_rate=call.sample_rate,
        model=call.model,
        policy=policy,
        turns=tuple(records),
        warnings=(*call.warnings, *unsaid),
    )


def read_call(
    call: VoiceCall,
    transcript: TranscriptLike,
    *,
    language: str = "en",
    words: TextClassifier | None = None,
) -> list[TurnInput]:
    """Put the words beside the turns that were heard; no policy has a part in this."""
    hearing = CallReader(language=language, words=words)
    turns = []
    for turn, said in zip(call.turns, transcript.beside(call.turns), strict=True):
        asked = said.dialog_state if said.prompted else None
        reading = hearing.read(turn, said.text, dialog_state=asked, barge_in=said.barge_in)
        turns.append(TurnInput(reading, said.dialog_state, said.text))
    return turns


def _agents_available(policy: MitigationPolicy, started_at: datetime | None, at_s: float) -> bool:
    if policy.opening_hours is None or started_at is None:
        return True
    return policy.opening_hours.is_open(started_at + timedelta(seconds=at_s))


def _watched(
    call: CallAudio,
    on_progress: Progress | None,
    on_block: Callable[[Samples], None] | None,
) -> Iterator[Samples]:
    """The call's blocks, reporting once a second of audio."""
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
    warnings = []
    if not call.has_consistent_header:
        warnings.append("the WAV header contradicts itself; block align and byte rate were ignored")
    clipped = call.clipped_samples / (call.samples_read * call.source_rate / SAMPLE_RATE)
    if clipped > CLIPPED_SHARE:
        warnings.append(f"clipped: {clipped:.1%} of the samples are at full scale")
    if not turns:
        warnings.append("no speech was found")
    elif all(turn.voice.p_negative is None for turn in turns):
        warnings.append("no turn could be heard")
    longest_s = max((turn.ended_at_s - turn.started_at_s for turn in turns), default=0.0)
    if longest_s > MAX_TURN_S:
        warnings.append(f"a turn of {longest_s:.0f} s: its last {MAX_TURN_S:.0f} s were heard")
    return tuple(warnings)
