"""Learn where speakers differ: Fisher's linear discriminant on the voices of turns."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

from ...audio.recording import read_audio
from ...audio.two_voices import DIMENSIONS, WEIGHTS, voice_features
from ...errors import UnreadableInputError
from ...progress import Progress
from ...registry import write_model
from ..datasets import TRAIN_SPLIT, read_manifest, read_rows

NEUTRAL = "neutral"
MIN_TURNS = 4
"""A call or speaker with fewer turns shows too little of what varies."""
REGULARISATION = 1e-3

_Floats = NDArray[np.float64]
_RATE = 16_000


@dataclass(frozen=True, slots=True)
class SpeakersReport:
    """What it was learnt on, and how much more speakers differ than one varies, by dimension."""

    calls: int
    speakers: int
    ratios: list[float]


def train_speakers(data: Path, out: Path, progress: Progress) -> SpeakersReport:
    """Learn the projection; writes it to `out`, with its card beside it.

    What varies within a call is seen in the turns of real calls (`data`/unlabelled), and how
    speakers differ in the neutral clips of the training corpora (`data`/speech).

    Raises:
        UnreadableInputError: a manifest or a recording cannot be read, or there is nothing in it.
    """
    turns = data / "unlabelled" / "manifest.csv"
    rows = read_rows(turns, "path", "call_id")
    clips = data / "speech" / "manifest.csv"
    known = [
        clip
        for clip in read_manifest(clips)
        if clip.split == TRAIN_SPLIT and clip.emotion == NEUTRAL
    ]
    calls = _voices([(row["call_id"], turns.parent / row["path"]) for row in rows], progress)
    speakers = _voices([((clip.corpus, clip.speaker), clip.path) for clip in known], progress)
    for path, found in ((turns, calls), (clips, speakers)):
        if len(found) < 2:
            raise UnreadableInputError(
                path, f"needs {MIN_TURNS} turns of each of two calls or speakers"
            )
    projection, ratios = _discriminant(list(calls.values()), speakers)
    report = SpeakersReport(len(calls), len(speakers), ratios)
    _write(projection, report, out)
    return report


def _voices(
    labelled: Sequence[tuple[Hashable, Path]], progress: Progress
) -> dict[Hashable, _Floats]:
    """The features of the turns of each group with enough of them."""
    groups: dict[Hashable, list[_Floats]] = {}
    for done, (group, path) in enumerate(labelled):
        progress("measuring voices", done, len(labelled))
        features = voice_features(read_audio(path, sample_rate=_RATE), _RATE)
        if features is not None:
            groups.setdefault(group, []).append(features)
    return {name: np.array(some) for name, some in groups.items() if len(some) >= MIN_TURNS}


def _discriminant(
    calls: Sequence[_Floats], speakers: dict[Hashable, _Floats]
) -> tuple[_Floats, list[float]]:
    """The directions of the greatest ratio of the covariance between speakers to that in a call.

    Speakers are compared within their corpus: its microphones are no voices.
    """
    centred = np.concatenate([turns - turns.mean(axis=0) for turns in calls])
    within = centred.T @ centred / (len(centred) - len(calls))
    within += REGULARISATION * np.trace(within) / len(within) * np.eye(len(within))
    means = np.array([turns.mean(axis=0) for turns in speakers.values()])
    corpora = np.array([name[0] for name in speakers])  # type: ignore[index]  # a pair
    for corpus in np.unique(corpora):
        means[corpora == corpus] -= means[corpora == corpus].mean(axis=0)
    ratios, directions = eigh(means.T @ means / len(means), within)
    strongest = np.argsort(-ratios)[:DIMENSIONS]
    return directions[:, strongest], [round(float(ratio), 2) for ratio in ratios[strongest]]


def _write(projection: _Floats, report: SpeakersReport, out: Path) -> None:
    content = BytesIO()
    np.savez_compressed(content, projection=projection)
    card = {
        "name": WEIGHTS.stem,
        "what": "linear discriminant of the voices of turns; tells two speakers in a call",
        "trained_on": {
            f"turns of {report.calls} calls of GetGoing, within a call": "CMU, see NOTICE",
            f"neutral clips of {report.speakers} speakers of EmoDB and BanglaSER": (
                "CC0, CC BY 4.0"
            ),
        },
        "ratios": report.ratios,
        "limits": ["two voices that are much alike count as one", "turns under 0.5 s do not count"],
    }
    write_model(out, content.getvalue(), card)
