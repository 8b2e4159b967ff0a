"""One caller, heard turn after turn: voice, words and the course of the call become a reading."""

from __future__ import annotations

from collections import deque
from copy import copy
from dataclasses import dataclass, replace
from typing import Self

from .classifier import EmotionClassifier
from .conversation import TurnCourse, conversation_cues, loudness_db
from .fusion import fuse
from .repeats import RequestMemory
from .types import EmotionReading, TurnAudio, TurnReading, WordReading
from .wording import WordClassifier, load_word_classifier

_REMEMBERED_TURNS = 50


@dataclass(frozen=True, slots=True)
class HeardTurn:
    """One turn once its audio is gone: when it was, how loud (dB of full scale), how it sounded."""

    index: int
    started_at_s: float
    ended_at_s: float
    loudness_db: float | None
    voice: EmotionReading


def listen(turn: TurnAudio, classifier: EmotionClassifier) -> HeardTurn:
    """Hear the audio of a turn; as slow as the classifier, so not for an event loop."""
    voice = classifier.classify(turn.samples, turn.sample_rate)
    loudness = loudness_db(turn.samples)
    return HeardTurn(turn.index, turn.started_at_s, turn.ended_at_s, loudness, voice)


class CallHearing:
    """What one call sounded like so far; one object a call, no text kept.

    Raises:
        ModelFileError: the bundled word model is damaged, where `words` names no other.
    """

    def __init__(self, *, words: WordClassifier | None = None, language: str = "en") -> None:
        self._words = words or load_word_classifier()
        self._language = language
        self._requests = RequestMemory(language)
        self._course: deque[TurnCourse] = deque(maxlen=_REMEMBERED_TURNS)

    def hear(
        self,
        turn: HeardTurn,
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
        self._course.append(TurnCourse(duration_s, turn.loudness_db, dialog_state, barge_in))
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

    def fork(self) -> Self:
        """The same history in an object of its own, to try something on."""
        other = copy(self)
        other._requests = self._requests.fork()
        other._course = self._course.copy()
        return other

    def _read(self, text: str) -> WordReading:
        words = self._words.classify(text, self._language)
        again = self._requests.hear(text)
        if again is None or any(cue is again[0] for cue, _ in words.cues):
            return words
        return replace(words, cues=(*words.cues, again))
