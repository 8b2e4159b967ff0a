"""What the caller said or typed, until a decision counts it."""

from __future__ import annotations

from collections import deque


class CallerWords:
    """The words of one call that no decision counted yet; each counts in one turn.

    Words that come after their turn was decided count in the next one.
    """

    def __init__(self) -> None:
        self._waiting: deque[str] = deque(maxlen=50)
        self._counted_ahead = False

    def add(self, text: str) -> None:
        """The caller said this."""
        if self._counted_ahead:
            self._counted_ahead = False
        else:
            self._waiting.append(text)

    def add_whole(self, text: str) -> None:
        """The caller said this; parts of it may have been added already."""
        self._waiting = deque((part for part in self._waiting if part not in text), maxlen=50)
        self.add(text)

    def waiting(self) -> str | None:
        """The words that did not count yet; None if there are none."""
        return " ".join(self._waiting) or None

    def count(self) -> None:
        """A decision counted them."""
        self._waiting.clear()

    def count_ahead(self) -> None:
        """A decision counted them and those that still come of the turn that is over."""
        self._waiting.clear()
        self._counted_ahead = True

    def turn_started(self) -> None:
        """What comes from now on is of another turn."""
        self._counted_ahead = False
