"""How the recordings of a corpus are named and where their labels are: one reader per layout."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from ..audio.formats import is_recording
from ..errors import UnreadableInputError

NEGATIVE = frozenset({"anger", "disgust", "frustration", "disappointment"})


@dataclass(frozen=True, slots=True)
class LabelledFile:
    """One recording and its labels, as in a manifest."""

    path: Path
    speaker: str
    emotion: str
    group: str = ""
    soft_negative: float | None = None


Reader = Callable[[Path], Iterator[LabelledFile]]
"""Finds the labelled recordings under a folder; those without a label are left out."""


def _recordings(folder: Path) -> list[Path]:
    found = (path for path in folder.rglob("*") if is_recording(path.name))
    return sorted(  # films have to be made sound first, so that training needs no other decoder
        path for path in found if path.suffix != ".mp4" and not path.name.startswith(".")
    )


def coded(table: str) -> dict[str, str]:
    """Return the emotions by their code in file names, from "01 neutral, 02 calm"."""
    return dict(pair.split() for pair in table.split(", "))


def named(
    pattern: str,
    emotions: Mapping[str, str],
    group: Callable[[re.Match[str]], str] = lambda _: "",
) -> Reader:
    """Return a reader of files named by a pattern with `speaker` and `emotion`.

    The pattern is matched against folder and name without suffix, such as Actor_01/03-01-05. A
    second match is a copy, as in archives that hold all of their folders twice, and is skipped.
    """
    compiled = re.compile(rf".*/(?P<clip>{pattern})", re.IGNORECASE)

    def read(folder: Path) -> Iterator[LabelledFile]:
        seen: set[str] = set()
        for path in _recordings(folder):
            match = compiled.fullmatch(f"{path.parent.parent.name}/{path.parent.name}/{path.stem}")
            if match and match["clip"].lower() not in seen:
                seen.add(match["clip"].lower())
                emotion = emotions[match["emotion"].lower()]
                yield LabelledFile(path, match["speaker"], emotion, group(match))

    return read


def by_letter(match: re.Match[str]) -> str:
    """Return the gender that the name gives as M or F."""
    return "female" if match["gender"].lower() == "f" else "male"


def by_parity(match: re.Match[str]) -> str:
    """Return the gender of a corpus whose men have the odd numbers."""
    return "male" if int(match["speaker"]) % 2 else "female"


def women(*speakers: str) -> Callable[[re.Match[str]], str]:
    """Return what maps a speaker to a gender in a corpus where these speakers are the women."""
    return lambda match: "female" if match["speaker"].upper() in speakers else "male"


WORDS = coded(
    "ang anger, anger anger, angry anger, dis disgust, disgust disgust, exc excitement, fea fear,"
    " fear fear, fru frustration, hap happiness, happiness happiness, happy happiness,"
    " joy happiness, neu neutral, neutral neutral, ps surprise, sad sadness, sadness sadness,"
    " sur surprise, surprise surprise, surprised surprise"
)
"""The name in manifests of each emotion as corpora spell it."""


def _table(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8-sig", errors="replace") as file:
            return list(csv.DictReader(file))
    except (OSError, csv.Error) as error:
        raise UnreadableInputError(path, f"cannot be read ({error})") from error


def crema_d(folder: Path) -> Iterator[LabelledFile]:
    """Read the acted emotion, and the share of raters that heard a negative one in the voice alone.

    The repository's two tables are optional; the audio alone is enough.
    """
    gender = _optional_table(folder / "VideoDemographics.csv", _sexes)
    share = _optional_table(folder / "processedResults" / "tabulatedVotes.csv", _voice_votes)
    read = named(r"(?P<speaker>1\d{3})_[A-Z]{3}_(?P<emotion>ANG|DIS|FEA|HAP|NEU|SAD)_\w+", WORDS)
    clips = folder / "AudioWAV"
    for clip in read(clips if clips.is_dir() else folder):
        group = gender.get(clip.speaker, "")
        yield replace(clip, group=group, soft_negative=share.get(clip.path.stem))


_Value = TypeVar("_Value")


def _optional_table(
    path: Path, read: Callable[[list[dict[str, str]]], dict[str, _Value]]
) -> dict[str, _Value]:
    """Return what `read` finds in a table of CREMA-D; nothing if the file is missing."""
    if not path.is_file():
        return {}
    try:
        return read(_table(path))
    except (KeyError, ValueError, ZeroDivisionError, AttributeError, TypeError) as error:
        raise UnreadableInputError(path, f"is not CREMA-D's table ({error!r})") from error


def _sexes(rows: list[dict[str, str]]) -> dict[str, str]:
    return {row["ActorID"]: row["Sex"].lower() for row in rows}


def _voice_votes(rows: list[dict[str, str]]) -> dict[str, float]:
    """Return the share of anger and disgust by clip; rows 100000 to 199999 are voice alone."""
    return {
        row["fileName"]: (int(row["A"]) + int(row["D"])) / int(row["numResponses"])
        for row in rows
        if int(row[""]) // 100_000 == 1
    }


def meld(*, only_neutral: bool) -> Reader:
    """Return a reader of the test split: anger and disgust against neutral only, or against all."""

    def read(folder: Path) -> Iterator[LabelledFile]:
        tables = sorted(folder.rglob("test_sent_emo.csv"))
        if not tables:
            raise UnreadableInputError(folder, "holds no test_sent_emo.csv of MELD")
        audio = {path.stem: path for path in _recordings(folder) if "test" in path.parent.name}
        if not audio and any(folder.rglob("*.mp4")):
            raise UnreadableInputError(
                folder, "holds films only; put a WAV beside each: ffmpeg -i dia0_utt0.mp4 -ac 1 …"
            )
        try:
            labels = {
                f"dia{row['Dialogue_ID']}_utt{row['Utterance_ID']}": (
                    row["Speaker"],
                    row["Emotion"],
                )
                for row in _table(tables[0])
            }
        except KeyError as error:
            raise UnreadableInputError(tables[0], f"has no column {error}") from error
        for name, (speaker, label) in labels.items():
            emotion = WORDS.get(label, label)
            if name in audio and (not only_neutral or emotion in NEGATIVE | {"neutral"}):
                yield LabelledFile(audio[name], speaker, emotion, _FRIENDS.get(speaker, ""))

    return read


_FRIENDS = {
    **dict.fromkeys(("Monica", "Phoebe", "Rachel"), "female"),
    **dict.fromkeys(("Chandler", "Joey", "Ross"), "male"),
}

_IEMOCAP_LINE = re.compile(r"\[[\d. -]+\]\t(Ses0\d[FM]_\w+)\t([a-z]{3})\t")


def iemocap(folder: Path) -> Iterator[LabelledFile]:
    """Read the raters' majority; turns without one (xxx) and of other emotions are left out."""
    audio = {path.stem: path for path in _recordings(folder)}
    for table in sorted(folder.glob("Session*/dialog/EmoEvaluation/Ses*.txt")):
        for turn, label in _IEMOCAP_LINE.findall(table.read_text("utf-8", errors="replace")):
            gender = turn.rsplit("_", 1)[-1][0]
            if turn in audio and label in WORDS:
                speaker = f"{turn[:5]}{gender}"
                group = "female" if gender == "F" else "male"
                yield LabelledFile(audio[turn], speaker, WORDS[label], group)
