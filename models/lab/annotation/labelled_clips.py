"""Cut labelled turns out of calls, into the folder of clips that training and evaluation read."""

from __future__ import annotations

import csv
import hashlib
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import numpy as np

from ...files import OutputError, whole_file, whole_folder
from ...progress import Progress
from ...readings import Samples
from ...voice import MIN_AUDIO_S
from ..corpora import COLUMNS
from ..datasets import TRAIN_SPLIT
from .call_table import Call, Calls, CallsError
from .clips import SAMPLE_RATE, cut, encoded
from .labels import Emotion, Label

HELD_OUT_SPLIT = "eval"


@dataclass(frozen=True, slots=True)
class Consensus:
    """The annotators' mean score for negative on one turn.

    A label without a score counts as 0 or 1.
    """

    soft_negative: float

    @property
    def negative(self) -> bool:
        """Whether the turn counts as negative; a tie does not."""
        return self.soft_negative > 0.5


@dataclass(frozen=True, slots=True)
class Cut:
    """Counts of the turns for training, held out, negative, and too short to write."""

    train: int
    held_out: int
    negative: int
    too_short: int


@dataclass(frozen=True, slots=True)
class _Clip:
    call: Call
    turn: int
    label: Consensus
    samples: Samples

    @property
    def name(self) -> str:
        """A valid file name for any call id."""
        digest = hashlib.sha256(self.call.call_id.encode()).hexdigest()[:16]
        return f"{digest}-{self.turn:04}.flac"


def agree(labels: Iterable[Label]) -> dict[tuple[str, int], Consensus]:
    """Return the consensus of all annotators on each turn; unreadable answers are skipped."""
    given: dict[tuple[str, int], list[float]] = {}
    for label in labels:
        if label.label is None:
            continue
        sure = float(label.label is Emotion.NEGATIVE)
        score = sure if label.score is None else label.score
        given.setdefault((label.call_id, label.turn), []).append(score)
    return {key: Consensus(float(np.mean(scores))) for key, scores in given.items()}


def sample(
    labels: dict[tuple[str, int], Consensus],
    *,
    others_per_negative: float,
    seed: int,
    held_out: float,
) -> dict[tuple[str, int], Consensus]:
    """Keep all negative turns and `others_per_negative` others for each, drawn by the seed.

    Held-out calls keep all turns, because figures need the real class shares.
    """
    kept, others = {}, []
    for key, label in labels.items():
        if label.negative or _is_apart(key[0], held_out):
            kept[key] = label
        else:
            others.append(key)
    negatives = sum(not _is_apart(call_id, held_out) for call_id, _ in kept)
    others.sort(key=lambda key: hashlib.sha256(f"{seed}:{key}".encode()).digest())
    drawn = others[: math.ceil(others_per_negative * negatives)]
    return kept | {key: labels[key] for key in drawn}


def write_clips(
    calls: Calls,
    labels: dict[tuple[str, int], Consensus],
    out: Path,
    *,
    corpus: str,
    held_out: float,
    progress: Progress,
) -> Cut:
    """Write every labelled turn as a FLAC file, and `out`/speech/manifest.csv.

    All turns of a call share a split. `held_out` is the share of calls kept apart, the same ones
    each time, as a corpus of their own ("calls_held_out") that a recipe cannot train on. Each call
    counts as one speaker. Turns too short for the model are left out.

    Raises:
        CallsError: a labelled turn is not in the calls, or has no audio.
        AudioError: a recording cannot be read.
        OutputError: a file cannot be written (then none is), or the clips already exist.
    """
    if (out / "speech").exists():
        raise OutputError(out / "speech", "already exists; choose another folder")
    missing = calls.choose(labels)
    if missing:
        raise CallsError(f"{missing} labelled turns are not in the calls")
    out.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, object]] = []
    too_short = 0
    with whole_folder(out / "speech") as speech:
        (speech / corpus).mkdir()
        for done, clip in enumerate(_clips(calls, labels)):
            progress("cutting", done, len(labels))
            if clip.samples.size < MIN_AUDIO_S * SAMPLE_RATE:
                too_short += 1
                continue
            with whole_file(speech / corpus / clip.name) as file:
                file.write(encoded(clip.samples, "FLAC"))
            rows.append(_row(clip, corpus, held_out))
        with whole_file(speech / "manifest.csv") as file:
            file.write(_table(rows).encode())
    train = sum(row["split"] == TRAIN_SPLIT for row in rows)
    return Cut(train, len(rows) - train, sum(bool(row["negative"]) for row in rows), too_short)


def _clips(calls: Calls, labels: dict[tuple[str, int], Consensus]) -> Iterator[_Clip]:
    """The labelled turns with their audio, in one pass over each recording."""
    for call in calls.each():
        by_recording: dict[tuple[Path, object], list[int]] = {}
        for at, turn in enumerate(call.turns):
            if (call.call_id, turn.turn) not in labels:
                continue
            recording = call.recording(turn)
            if recording is None:
                raise CallsError(f"{call.call_id}: turn {turn.turn} is labelled, but has no audio")
            by_recording.setdefault(recording, []).append(at)
        for places in by_recording.values():
            yield from _cut(call, places, labels)


def _cut(
    call: Call, places: Sequence[int], labels: dict[tuple[str, int], Consensus]
) -> Iterator[_Clip]:
    recording = call.recording(call.turns[places[0]])
    assert recording is not None
    spans_s = [(call.turns[at].start_s or 0.0, call.turns[at].end_s or 0.0) for at in places]
    for index, samples in cut(*recording, spans_s):
        turn = call.turns[places[index]].turn
        yield _Clip(call, turn, labels[call.call_id, turn], samples)


def _is_apart(call_id: str, held_out: float) -> bool:
    """Whether a call is held out."""
    digest = hashlib.sha256(f"split {call_id}".encode()).digest()
    return int.from_bytes(digest[:4], "big") < held_out * 2**32


def _row(clip: _Clip, corpus: str, held_out: float) -> dict[str, object]:
    apart = _is_apart(clip.call.call_id, held_out)
    return {
        "path": f"{corpus}/{clip.name}",
        "corpus": f"{corpus}_held_out" if apart else corpus,
        "language": "",
        "speaker": clip.call.call_id,
        "emotion": (Emotion.NEGATIVE if clip.label.negative else Emotion.NON_NEGATIVE).value,
        "negative": int(clip.label.negative),
        "duration_s": f"{clip.samples.size / SAMPLE_RATE:.3f}",
        "split": HELD_OUT_SPLIT if apart else TRAIN_SPLIT,
        "group": "",
        "soft_negative": f"{clip.label.soft_negative:.6f}",
    }


def _table(rows: Sequence[dict[str, object]]) -> str:
    table = StringIO()
    writer = csv.DictWriter(table, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return table.getvalue()
