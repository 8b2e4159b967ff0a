"""Which transcript of a folder belongs to which call: by name, and what to say if none does."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path, PurePosixPath

from ...models.audio.formats import AUDIO

ENDINGS = (".jsonl", ".ndjson", ".json", ".vtt", ".srt")
"""File name extensions of transcripts; of several for one call, the first of these is read."""

_NAMED = 5


def call_named(place: str) -> str | None:
    """The call that a transcript is named after (`a.json`, `a.wav.json`); None for other files."""
    path = PurePosixPath(place)
    if path.suffix.lower() not in ENDINGS or path.name.startswith("."):
        return None
    stem = PurePosixPath(path.stem)
    return stem.stem if stem.suffix.lower() in AUDIO else stem.name


def name_for(call_id: str, names: Collection[str], calls: Collection[str]) -> str | None:
    """The name among `names` that is this call's: the same, or the only one of other case.

    A name that is exactly another of the `calls` is that one's.
    """
    if call_id in names:
        return call_id
    near = [name for name in names if name.lower() == call_id.lower() and name not in calls]
    return near[0] if len(near) == 1 else None


def first_of(places: Sequence[str]) -> str:
    """The transcript that is read, of several for one call."""
    return min(places, key=lambda at: (ENDINGS.index(PurePosixPath(at).suffix.lower()), at))


def complaints(
    several: Sequence[Sequence[str]], unmatched: Sequence[str], missing: int
) -> list[str]:
    """What to say about calls with several transcripts, transcripts without calls, and others."""
    said = [
        f"{first_of(places)} is read; of the same call are also "
        f"{_some([place for place in places if place != first_of(places)])}"
        for places in several[:_NAMED]
    ]
    if len(several) > _NAMED:
        said.append(f"{len(several) - _NAMED} more calls have several transcripts")
    if unmatched:
        said.append(
            f"transcripts that match no call: {_some(unmatched)}; a transcript needs the name of "
            "its recording, or the call's id"
        )
    if missing:
        said.append(f"calls without a transcript: {missing}")
    return said


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


class TranscriptFolder:
    """The transcripts of a folder on disk, for these calls one after another."""

    def __init__(self, folder: Path, calls: Collection[str]) -> None:
        self._calls = calls
        self._found: dict[str, list[Path]] = {}
        for path in sorted(folder.rglob("*")):
            name = call_named(path.name)
            if name is not None:
                self._found.setdefault(name, []).append(path)
        self._used: set[str] = set()
        self._missing = 0

    def of(self, call_id: str) -> Path | None:
        """The transcript of a call; None if it has none."""
        name = name_for(call_id, self._found, self._calls)
        if name is None:
            self._missing += 1
            return None
        self._used.add(name)
        return Path(first_of([str(path) for path in self._found[name]]))

    def complaints(self) -> list[str]:
        """What to say once all calls had theirs."""
        several = [list(map(str, self._found[name])) for name in sorted(self._used)]
        unmatched = [paths[0].name for name, paths in self._found.items() if name not in self._used]
        return complaints([p for p in several if len(p) > 1], unmatched, self._missing)
