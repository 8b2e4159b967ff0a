"""A caller turn, and what was read from it. Times are seconds of audio, not of a clock."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

_P_FLOOR = 1e-9

Samples: TypeAlias = NDArray[np.float32]
"""Mono audio, shape (samples,), full scale at -1 and 1."""
SAMPLE_RATE = 16_000
"""The rate at which voice models take audio, in Hz."""


@dataclass(frozen=True, slots=True)
class TurnAudio:
    """The caller's audio of one turn, with the pre-roll before the first voiced sample.

    `started_at_s` and `ended_at_s` are seconds from the start of the call.
    """

    samples: Samples
    sample_rate: int
    started_at_s: float
    ended_at_s: float
    index: int


class UnknownReason(StrEnum):
    """Why a turn has no probability. Unknown is never a score."""

    TOO_SHORT = "too short"
    SILENT = "silent"
    MODEL_FAILED = "model failed"
    LATE = "not read in time"
    NOT_SPOKEN = "not spoken"


@dataclass(frozen=True, slots=True)
class EmotionReading:
    """What the caller's voice says about one turn.

    `p_negative` is the calibrated probability that the turn is negative (anger, frustration,
    irritation) when both are equally likely beforehand; None, with a `reason`, if the
    turn could not be read. The prior of a deployment belongs to the policy.

    `arousal` and `valence` are coordinates on the circumplex of affect, in [-1, 1] (calm to
    excited, unpleasant to pleasant). `timeline` is p_negative of windows of 1 s, one every 0.5 s
    from the start of the turn; the last one reaches to its end. None and empty if the model does
    not say.
    """

    p_negative: float | None
    model: str
    audio_s: float
    inference_ms: float
    reason: UnknownReason | None = None
    arousal: float | None = None
    valence: float | None = None
    timeline: tuple[float, ...] = ()

    @property
    def log_likelihood_ratio(self) -> float | None:
        """The natural log of P(audio | negative) / P(audio | not negative); None if unknown."""
        return _log_odds(self.p_negative)


def _log_odds(p: float | None) -> float | None:
    if p is None:
        return None
    p = min(max(p, _P_FLOOR), 1.0 - _P_FLOOR)
    return math.log(p / (1.0 - p))


class Cue(StrEnum):
    """What a caller's words, or the history of the call, can tell a policy."""

    ASKS_FOR_HUMAN = "asks for a human"
    REPEATS_REQUEST = "repeats a request"
    NOT_UNDERSTOOD = "was not understood"
    COMPLAINT_ABOUT_SYSTEM = "complains about the system"
    PROFANITY = "swears"
    THREATENS_TO_LEAVE = "threatens to leave"
    WAITING = "has been waiting"
    REPROMPTED = "was asked the same again"
    BARGES_IN = "speaks over the bot"
    SHORTER_AND_LOUDER = "answers ever shorter and louder"


@dataclass(frozen=True, slots=True)
class WordReading:
    """What the caller's words say about one turn.

    `cues` pairs each cue with the words that triggered it.
    """

    p_negative: float | None
    cues: tuple[tuple[Cue, str], ...] = ()

    @property
    def log_likelihood_ratio(self) -> float | None:
        """The natural log of P(words | negative) / P(words | not negative); None if unknown."""
        return _log_odds(self.p_negative)


@dataclass(frozen=True, slots=True)
class TurnReading:
    """Everything that was read from one turn: what `models` hands to `policies`.

    `conversation` holds the cues of the call's history, in the same form as those of the words.
    `log_likelihood_ratio` is that of all sources together (`models.fusion`), in nats; None when
    no source could be read.
    """

    index: int
    started_at_s: float
    ended_at_s: float
    voice: EmotionReading
    words: WordReading | None
    log_likelihood_ratio: float | None
    conversation: tuple[tuple[Cue, str], ...] = ()

    @property
    def cues(self) -> tuple[tuple[Cue, str], ...]:
        """The cues in the caller's words and in the history of the call."""
        return (*(self.words.cues if self.words is not None else ()), *self.conversation)
