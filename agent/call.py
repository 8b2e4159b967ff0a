"""A recorded call in, a decided call out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from ..models.audio import CallAudio, CallerChannel, open_call
from ..models.classifier import EmotionClassifier, load_classifier
from ..models.errors import AudioError
from ..models.types import Samples, TurnAudio, TurnReading
from ..policies.config import MitigationPolicy, load_policy
from ..policies.decide import decide
from ..policies.record import CallRecord, TurnRecord
from ..policies.types import CallState, Evidence
from .transcript import Utterance, caller_words, read_transcript
from .turns import BLOCK_MS, SAMPLE_RATE, TurnRules, find_turns

CLIPPED_SHARE = 0.001

Progress = Callable[[float, float | None], None]
"""Called now and then with the seconds done, and the seconds in all where the file says so."""


def analyze_call(
    path: str | Path,
    *,
    policy: MitigationPolicy | str | Path = "balanced",
    classifier: EmotionClassifier | None = None,
    caller_channel: CallerChannel | None = None,
    transcript: str | Path | None = None,
    keep_text: bool = False,
    started_at: datetime | None = None,
    turn_rules: TurnRules | None = None,
    on_progress: Progress | None = None,
) -> CallRecord:
    """Find the caller's turns in a recording, read each one and decide after each one.

    `caller_channel` names the caller's side of a stereo recording. The words of a `transcript`
    are kept in the record only with `keep_text`. `started_at`, an aware datetime, is when the
    call began; without it humans count as available whatever the policy's opening hours.

    Raises:
        AudioError: the recording cannot be read, or holds nothing.
        PolicyError, ModelFileError, TranscriptError: one of the others is not valid.
    """
    if not isinstance(policy, MitigationPolicy):
        policy = load_policy(policy)
    classifier = classifier or load_classifier()
    utterances = read_transcript(Path(transcript)) if transcript is not None else ()
    turns: list[TurnRecord] = []
    state = CallState()
    with open_call(
        path, caller_channel=caller_channel, sample_rate=SAMPLE_RATE, block_ms=BLOCK_MS
    ) as call:
        for audio in find_turns(_watched(call, on_progress), turn_rules or TurnRules()):
            evidence = Evidence(
                _read(audio, classifier),
                agents_available=_agents_available(policy, started_at, audio.ended_at_s),
            )
            state, decision = decide(state, evidence, policy)
            words = caller_words(utterances, audio.started_at_s, audio.ended_at_s)
            turns.append(TurnRecord(decision, text=words if keep_text else None))
        if call.is_silent:
            raise AudioError(path, "holds only digital silence; is this the caller's channel?")
        return CallRecord(
            call_id=Path(path).stem,
            source=str(path),
            duration_s=call.samples_read / SAMPLE_RATE,
            sample_rate=call.source_rate,
            model=classifier.name,
            policy=policy,
            turns=tuple(turns),
            warnings=_warnings(call, turns, utterances),
        )


def _read(audio: TurnAudio, classifier: EmotionClassifier) -> TurnReading:
    voice = classifier.classify(audio.samples, audio.sample_rate)
    return TurnReading(
        index=audio.index,
        started_at_s=audio.started_at_s,
        ended_at_s=audio.ended_at_s,
        voice=voice,
        words=None,
        log_likelihood_ratio=voice.log_likelihood_ratio,
    )


def _agents_available(policy: MitigationPolicy, started_at: datetime | None, at_s: float) -> bool:
    if policy.opening_hours is None or started_at is None:
        return True
    return policy.opening_hours.is_open(started_at + timedelta(seconds=at_s))


def _watched(call: CallAudio, on_progress: Progress | None) -> Iterator[Samples]:
    """The call's blocks, reporting once a second of audio."""
    reported_s = 0.0
    for block in call:
        yield block
        done_s = call.samples_read / SAMPLE_RATE
        if on_progress is not None and done_s - reported_s >= 1.0:
            on_progress(done_s, call.duration_s)
            reported_s = done_s


def _warnings(
    call: CallAudio, turns: Sequence[TurnRecord], utterances: Sequence[Utterance]
) -> tuple[str, ...]:
    warnings = []
    clipped = call.clipped_samples / (call.samples_read * call.source_rate / SAMPLE_RATE)
    if clipped > CLIPPED_SHARE:
        warnings.append(f"clipped: {clipped:.1%} of the samples are at full scale")
    if not turns:
        warnings.append("no speech was found")
    elif all(turn.reading.log_likelihood_ratio is None for turn in turns):
        warnings.append("no turn could be heard")
    if utterances and not any(utterance.speaker == "caller" for utterance in utterances):
        warnings.append("the transcript holds nothing that the caller said")
    return tuple(warnings)
