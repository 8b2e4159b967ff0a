"""Finds the transcript that lies beside a recording, where none is named."""

from __future__ import annotations

from pathlib import Path

from ..transcript_names import ENDINGS
from .storage import is_remote
from .transcript_lookup import TranscriptPlace

_FOLDER = "transcripts"
"""The folder beside the recordings where `calls synthesize --texts` leaves them."""


class TranscriptsBeside:
    """Looks for `call.jsonl`, `transcripts/call.jsonl` or others beside `call.wav`, on local disks.

    `used` counts the calls that have exactly one; those with `several` get none of them.
    """

    def __init__(self) -> None:
        self.used = 0
        self.several = 0

    def of(self, call_id: str, place: str) -> TranscriptPlace:
        """Where the words of a recording are."""
        if is_remote(place):
            return TranscriptPlace(None)
        recording = Path(place)
        places = [
            folder / f"{name}{ending}"
            for folder, name in (
                (recording.parent, recording.stem),
                (recording.parent / _FOLDER, call_id),
            )
            for ending in ENDINGS
        ]
        found = [str(path) for path in places if path.is_file()]
        self.used += len(found) == 1
        self.several += len(found) > 1
        return TranscriptPlace(found[0] if len(found) == 1 else None, beside=True)

    def complaints(self) -> list[str]:
        """What to say about them once all calls were looked up."""
        said = []
        if self.used:
            said.append(
                f"transcripts used from beside the recordings: {self.used} "
                "(--ignore-transcripts leaves them out)"
            )
        if self.several:
            said.append(
                f"calls with several transcripts beside them: {self.several}; none of those is "
                "used, name their folder with --transcripts"
            )
        return said
