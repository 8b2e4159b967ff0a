"""One caller, turn after turn: voice, words and the history of the call become a reading."""

from __future__ import annotations

import inspect
from collections import deque
from collections.abc import Sequence
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
    """One turn without its audio: when it was, how loud (dB of full scale), how it sounded.

    `attributes` is None unless it was requested.
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
    """Classify the audio of a turn; as slow as the classifier, so keep it off the event loop."""
    return VoiceTurn(
        index=turn.index,
        started_at_s=turn.started_at_s,
        ended_at_s=turn.ended_at_s,
        loudness_db=loudness_db(turn.samples),
        voice=classifier.classify(turn.samples, turn.sample_rate),
        attributes=measure(turn.samples, turn.sample_rate) if with_attributes else None,
    )


class CallReader:
    """What one call sounded like so far; one object per call, keeps no text.

    `language` is that of the caller's words: a code, several, or "auto".

    Raises:
        ModelFileError: the bundled text model, which is used without `words`, is damaged.
    """

    def __init__(
        self, *, words: TextClassifier | None = None, language: str | Sequence[str] = "en"
    ) -> None:
        self._words = words or load_word_classifier()
        self._takes_prompt = _takes_prompt(self._words)
        self._language = language if isinstance(language, str) else ",".join(language)
        self._requests = RequestMemory(self._language)
        self._history: deque[TurnStats] = deque(maxlen=_REMEMBERED_TURNS)
        self._attributes: deque[Attributes | None] = deque(maxlen=_REMEMBERED_TURNS)

    def read(
        self,
        turn: VoiceTurn,
        text: str | None = None,
        *,
        dialog_state: str | None = None,
        barge_in: bool = False,
        prompt: str | None = None,
    ) -> TurnReading:
        """Read the next turn, with its words where there is a transcript.

        `dialog_state` is what the bot asked for just before, by the bot's own name for it, None
        if it asked nothing since the last turn; `barge_in` that the caller began while it spoke.
        `prompt` is what the bot said last; without it, the dialog state tells what was asked.
        """
        duration_s = turn.ended_at_s - turn.started_at_s
        self._history.append(TurnStats(duration_s, turn.loudness_db, dialog_state, barge_in))
        self._attributes.append(turn.attributes)
        cues = conversation_cues(self._history)
        words = self._read_words(text, prompt or dialog_state) if text is not None else None
        return TurnReading(
            index=turn.index,
            started_at_s=turn.started_at_s,
            ended_at_s=turn.ended_at_s,
            voice=turn.voice,
            words=words,
            log_likelihood_ratio=fuse(turn.voice, words, cues, duration_s=duration_s),
            conversation=cues,
        )

    @property
    def prosody_note(self) -> str | None:
        """How the last turn sounds next to the caller's earlier ones; None if they are too few."""
        *before, last = self._attributes or [None]
        if last is None:
            return None
        usual = norms([turn for turn in before if turn is not None], last.rate_unit)
        return description(last, degrees(last, usual), own_turns=True)

    def fork(self) -> Self:
        """A copy with the same history, to try something on."""
        other = copy(self)
        other._requests = self._requests.fork()
        other._history = self._history.copy()
        other._attributes = self._attributes.copy()
        return other

    def _read_words(self, text: str, prompt: str | None) -> WordReading:
        if self._takes_prompt:
            words = self._words.classify(text, self._language, prompt=prompt)
        else:
            words = self._words.classify(text, self._language)
        again = self._requests.add(text)
        if again is None or any(cue is again[0] for cue, _ in words.cues):
            return words
        return replace(words, cues=(*words.cues, again))


def _takes_prompt(words: TextClassifier) -> bool:
    """Whether a classifier, which may be older than the argument, takes what the bot said."""
    known = inspect.signature(words.classify).parameters.values()
    return any(each.name == "prompt" or each.kind is each.VAR_KEYWORD for each in known)
