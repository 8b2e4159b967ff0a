"""Evidence on disk or in a bucket: Parquet parts in a folder, one row per call, written once.

The parts say which calls are done, so a killed run resumes where it stopped. Rows from other
settings, or of calls that have changed since, match no key and are ignored.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from .recording_evidence import Row
from .storage import create_file, is_remote, join, list_files, make_folder, parent

_TURN = pa.struct(
    {
        "started_at_s": pa.float64(),
        "ended_at_s": pa.float64(),
        "loudness_db": pa.float64(),
        "voice": pa.float64(),
        "unknown": pa.string(),
        "words": pa.float64(),
        "log_likelihood_ratio": pa.float64(),
        "cues": pa.list_(pa.string()),
        "dialog_state": pa.string(),
        "timeline": pa.list_(pa.float32()),
    }
)
SCHEMA = pa.schema(
    {
        "call_id": pa.string(),
        "evidence_key": pa.string(),
        "turns_key": pa.string(),
        "duration_s": pa.float64(),
        "sample_rate": pa.int32(),
        "model": pa.string(),
        "warnings": pa.list_(pa.string()),
        "envelope": pa.binary(),
        "turns": pa.list_(_TURN),
    }
)


def default_place(calls: Sequence[str]) -> str:
    """The folder for the evidence of these calls in the user's cache folder.

    Every folder of calls has its own, however its calls are named.
    """
    folders = {call if Path(call).is_dir() else parent(call) for call in calls}
    places = sorted(one if is_remote(one) else str(Path(one).resolve()) for one in folders)
    digest = hashlib.sha256("\0".join(places).encode(errors="surrogateescape")).hexdigest()
    return str(_user_caches() / "pipecat-deescalate" / "evidence" / digest[:16])


def _user_caches() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


class EvidenceCache:
    """A folder of evidence.

    Raises:
        UnreadableInputError: the folder cannot be made.
    """

    def __init__(self, place: str) -> None:
        self.place = place
        make_folder(place)

    def add(self, rows: Sequence[Row]) -> None:
        """Store these rows, all or none. Raises OutputError."""
        name = hashlib.sha256(" ".join(row["evidence_key"] for row in rows).encode()).hexdigest()
        with create_file(join(self.place, f"part-{name[:24]}.parquet")) as file:
            pq.write_table(pa.Table.from_pylist(list(rows), SCHEMA), file, compression="zstd")

    def parts(self) -> list[str]:
        """The parts that exist now, sorted."""
        return sorted(part for part in list_files(self.place) if part.endswith(".parquet"))
