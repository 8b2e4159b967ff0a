"""One caller, heard turn after turn: voice, words and the course of the call become a reading."""

from __future__ import annotations

from collections import deque
from copy import copy
from dataclasses import dataclass, replace
from typing import Self

from .audio.attributes import Attributes, degrees, description, measure, norms
from .conversation import TurnStats, conversation_cues, loudness_db
from .fusion import fuse
from .readings import EmotionReading, TurnAudio, TurnReading, WordReading
from .text.repeats import RequestMemory
from .text.sentiment import TextClassifier, load_word_classifier
from .voice import EmotionClassifier

_REMEMBERED_TURNS = 50


@dataclass(frozen=True, slots=True)
class VoiceTurn:
    """One turn once its audio is gone: when it was, how loud (dB of full scale), how it sounded.

    `attributes` are None unless they were asked for.
    """

    index: int
    started_at_s: float
    ended_at_s: float
    loudness_db: float | None
    voice: EmotionReading
    attributes: Attributes | None = None


def classify_voice(
    turn: TurnAudio, classifier: EmotionClassifier, *, with_attributes: bool = False
) -> VoiceTurn:
    """Hear the audio of a turn; as slow as the classifier, so not for an event loop."""
    return VoiceTurn(
        index=turn.index,
        started_at_s=turn.started_at_s,
        ended_at_s=turn.ended_at_s,
        loudness_db=loudness_db(turn.samples),
        voice=classifier.classify(turn.samples, turn.sample_rate),
        attributes=measure(turn.samples, turn.sample_rate) if with_attributes else None,
    )


class CallReader:
    """What one call sounded like so far; one object a call, no text kept.

    Raises:
        ModelFileError: the bundled word model is damaged, where `words` names no other.
    """

    def __init__(self, *, words: TextClassifier | None = None, language: str = "en") -> None:
        self._words = words or load_word_classifier()
        self._language = language
        self._requests = RequestMemory(language)
        self._course: deque[TurnStats] = deque(maxlen=_REMEMBERED_TURNS)
        self._attributes: deque[Attributes | None] = deque(maxlen=_REMEMBERED_TURNS)

    def hear(
        self,
        turn: VoiceTurn,
        text: str | None = None,
        *,
        dialog_state: str | None = None,
        barge_in: bool = False,
    ) -> TurnReading:
        """Take the next turn, with its words where there is a transcript.

        `dialog_state` is what the bot asked for just before, by the bot's own name for it, None
        if it asked nothing since the last turn; `barge_in` that the caller began while it spoke.
        """
        duration_s = turn.ended_at_s - turn.started_at_s
        self._course.append(TurnStats(duration_s, turn.loudness_db, dialog_state, barge_in))
        self._attributes.append(turn.attributes)
        course = conversation_cues(self._course)
        words = self._read(text) if text is not None else None
        return TurnReading(
            index=turn.index,
            started_at_s=turn.started_at_s,
            ended_at_s=turn.ended_at_s,
            voice=turn.voice,
            words=words,
            log_likelihood_ratio=fuse(turn.voice, words, course),
            conversation=course,
        )

    @property
    def manner(self) -> str | None:
        """How the last turn sounded against the caller's own before; None where too few tell."""
        *before, last = self._attributes or [None]
        if last is None:
            return None
        usual = norms([turn for turn in before if turn is not None], last.rate_unit)
        return description(last, degrees(last, usual), own_turns=True)

    def fork(self) -> Self:
        """The same history in an object of its own, to try something on."""
        other = copy(self)
        other._requests = self._requests.fork()
        other._course = self._course.copy()
        other._attributes = self._attributes.copy()
        return other

    def _read(self, text: str) -> WordReading:
        words = self._words.classify(text, self._language)
        again = self._requests.hear(text)
        if again is None or any(cue is again[0] for cue, _ in words.cues):
            return words
        return replace(words, cues=(*words.cues, again))
