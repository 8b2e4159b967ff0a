"""Whether a caller repeats what they said in an earlier turn of the same call."""

from __future__ import annotations

import zlib
from collections import deque
from copy import copy
from typing import Self

from ..readings import Cue
from .cues import call_languages, readable

_REMEMBERED_TURNS = 12
_SAME = 0.62
_CONTAINED = 0.85


class RequestMemory:
    """What one caller has asked for so far, kept as hashes of letter groups, never as text.

    Short answers, digits and fillers do not count; small rewordings and transcription errors do.
    """

    def __init__(self, language: str = "en") -> None:
        self._languages = tuple(call_languages(language).values())
        self._earlier: deque[tuple[int, frozenset[int]]] = deque(maxlen=_REMEMBERED_TURNS)

    def add(self, text: object) -> tuple[Cue, str] | None:
        """Add the caller's next turn; the cue and its words if an earlier turn said the same."""
        words = self._content(readable(text))
        if not words:
            return None
        letters = _letter_groups(words)
        again = any(_same(len(words), letters, *earlier) for earlier in self._earlier)
        self._earlier.append((len(words), letters))
        return (Cue.REPEATS_REQUEST, " ".join(words)[:120]) if again else None

    def _content(self, text: str) -> list[str]:
        if not self._languages:
            return []
        first, *others = self._languages
        return [w for w in first.content(text) if not any(o.small_words([w]) for o in others)]

    def fork(self) -> Self:
        """A copy with the same memory."""
        other = copy(self)
        other._earlier = self._earlier.copy()
        return other


def _letter_groups(words: list[str]) -> frozenset[int]:
    """Hashes of the groups of three letters within each word, its edges marked."""
    marked = (f"<{word}>".encode() for word in words)
    return frozenset(
        zlib.crc32(word[i : i + 3]) for word in marked for i in range(max(1, len(word) - 2))
    )


def _same(words: int, letters: frozenset[int], words_then: int, then: frozenset[int]) -> bool:
    shared = len(letters & then)
    if 2 * shared >= _SAME * (len(letters) + len(then)):
        return True
    return min(words, words_then) >= 2 and shared >= _CONTAINED * min(len(letters), len(then))
