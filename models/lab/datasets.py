"""What a training run reads: the manifest's clips, the noises, and cached embeddings."""

from __future__ import annotations

import csv
import hashlib
import io
import os
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..audio.formats import is_recording
from ..audio.recording import read_audio
from ..errors import UnreadableInputError
from ..files import whole_file
from ..progress import Progress
from ..readings import Samples

TRAIN_SPLIT = "train"


@dataclass(frozen=True, slots=True)
class Clip:
    """One row of a manifest; `negative` is None for unlabelled audio.

    `group` is the speaker's group in comparisons, such as a gender ("": unknown); `soft_negative`
    is the share of raters who heard a negative emotion.
    """

    path: Path
    corpus: str
    speaker: str
    emotion: str
    negative: bool | None
    split: str
    group: str = ""
    soft_negative: float | None = None

    @property
    def key(self) -> int:
        """Return a number that identifies the clip in seeds, independent of the folder."""
        return zlib.crc32(f"{self.corpus}/{self.path.name}".encode())


def read_manifest(manifest: Path) -> list[Clip]:
    """Read a speech manifest (path, corpus, speaker, emotion, negative, split).

    The columns group and soft_negative are optional. Raises UnreadableInputError for a missing file
    or column, and for an invalid label.
    """
    rows = read_rows(manifest, "path", "corpus", "speaker", "emotion", "negative", "split")
    clips = []
    for number, row in enumerate(rows, start=1):
        try:
            clips.append(_clip(manifest.parent, row))
        except ValueError as error:
            raise UnreadableInputError(manifest, f"row {number}: {error}") from error
    return clips


def read_unlabelled(manifest: Path, without: frozenset[str] = frozenset()) -> list[Clip]:
    """Read a manifest of unlabelled turns (path, caller), `without` those of some callers.

    Raises UnreadableInputError for a missing file or column.
    """
    return [
        Clip(manifest.parent / row["path"], "unlabelled", row["caller"], "", None, "")
        for row in read_rows(manifest, "path", "caller")
        if row["caller"] not in without
    ]


def read_callers(calls: Path) -> frozenset[str]:
    """Read the callers of a list of calls (caller).

    Raises UnreadableInputError for a missing file or column.
    """
    return frozenset(row["caller"] for row in read_rows(calls, "caller"))


def read_rows(path: Path, *columns: str) -> list[dict[str, str]]:
    """Read the rows of a table with a header (CSV in UTF-8, with or without a byte order mark).

    Raises UnreadableInputError for a missing file or column, and for a row with fewer values than
    `columns` need or with more values than the header.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except OSError as error:
        raise UnreadableInputError(path, f"cannot be read ({error.strerror or error})") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise UnreadableInputError(path, f"cannot be read ({error})") from error
    for column in columns:
        if rows and column not in rows[0]:
            raise UnreadableInputError(path, f"has no column {column!r}")
    for number, row in enumerate(rows, start=1):
        if any(row[column] is None for column in columns):
            raise UnreadableInputError(path, f"row {number}: ends too early")
        if None in row:
            raise UnreadableInputError(path, f"row {number}: has more values than columns")
    return rows


def _clip(folder: Path, row: dict[str, str]) -> Clip:
    """Raises ValueError for an invalid label."""
    if row["negative"] not in {"0", "1"}:
        raise ValueError(f"negative is {row['negative']!r}, neither 0 nor 1")
    soft = row.get("soft_negative")
    if soft and not 0 <= float(soft) <= 1:
        raise ValueError(f"soft_negative is {soft}, not from 0 to 1")
    return Clip(
        path=folder / row["path"],
        corpus=row["corpus"],
        speaker=row["speaker"],
        emotion=row["emotion"],
        negative=row["negative"] == "1",
        split=row["split"],
        group=row.get("group") or "",
        soft_negative=float(soft) if soft else None,
    )


def read_noises(folder: Path) -> list[Samples]:
    """Read every noise under a folder in a fixed order; none if the folder is missing."""
    names = sorted(p for p in folder.rglob("*") if is_recording(p.name))
    return [read_audio(path) for path in names]


def cached_rows(
    cache: Path,
    key: str,
    clips: Sequence[Clip],
    compute: Callable[[Clip], NDArray[np.float32]],
    progress: Progress,
    *,
    chunk: int = 200,
) -> NDArray[np.float32]:
    """Return compute(clip) for all clips, stacked; finished chunks are read back from disk.

    `key` must name everything else that the result depends on; a clip's file is identified by name,
    size and modification time. A damaged chunk is computed again.
    """
    cache.mkdir(parents=True, exist_ok=True)
    parts = []
    for start in range(0, len(clips), chunk):
        piece = clips[start : start + chunk]
        progress(key.split(" ", 1)[0], start, len(clips))
        path = cache / f"{_digest(key, piece)}.npy"
        if (kept := _kept(path)) is not None:
            parts.append(kept)
            continue
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            rows = np.stack(list(pool.map(compute, piece)))
        content = io.BytesIO()  # numpy itself does not notice a full disk
        np.save(content, rows)
        with whole_file(path) as file:
            file.write(content.getbuffer())
        parts.append(rows)
    progress(key.split(" ", 1)[0], len(clips), len(clips))
    return np.concatenate(parts) if parts else np.zeros((0, 0), np.float32)


def _kept(path: Path) -> NDArray[np.float32] | None:
    try:
        rows: NDArray[np.float32] = np.load(path, allow_pickle=False)
    except (OSError, EOFError, ValueError):
        return None
    return rows


def _digest(key: str, clips: Sequence[Clip]) -> str:
    files = ((clip, clip.path.stat()) for clip in clips)
    names = "\n".join(
        f"{clip.corpus} {clip.path.name} {file.st_size} {file.st_mtime_ns}" for clip, file in files
    )
    return hashlib.sha256(f"{key}\n{names}".encode()).hexdigest()[:32]
