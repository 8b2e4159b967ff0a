"""Faults of ours in a call: counted by kind; the first of each kind is logged."""

from __future__ import annotations

from collections import Counter

from ...models.logs import get_logger

log = get_logger("call")


class Faults:
    """The faults of one call. An error's message is never logged: it may quote the caller."""

    def __init__(self, call_id: str) -> None:
        self.counts: Counter[str] = Counter()
        self._call_id = call_id

    def report(self, kind: str, event: str, error: BaseException | None = None) -> None:
        """Count a fault, and log the first of its kind."""
        self.counts[kind] += 1
        if self.counts[kind] == 1:
            name = None if error is None else type(error).__name__
            log.warning(event, call_id=self._call_id, error=name)
