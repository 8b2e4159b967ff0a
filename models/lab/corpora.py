"""Manifests of the field's corpora, from the folders and file names they are published with.

Each corpus names its source and licence; nothing is downloaded. Anger, disgust, frustration and
disappointment are negative, everything else is not.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import soundfile

from ..errors import UnreadableInputError
from ..files import whole_file
from .corpus_readers import (
    NEGATIVE,
    WORDS,
    LabelledFile,
    Reader,
    by_letter,
    by_parity,
    coded,
    crema_d,
    iemocap,
    meld,
    named,
    women,
)

COLUMNS = (
    "path",
    "corpus",
    "language",
    "speaker",
    "emotion",
    "negative",
    "duration_s",
    "split",
    "group",
    "soft_negative",
)


@dataclass(frozen=True, slots=True)
class Corpus:
    """A corpus on disk; `split` is "train" where the bundled model was trained on it.

    `read` finds the labelled recordings under its folder and skips those without a label.
    """

    name: str
    title: str
    language: str
    source: str
    licence: str
    read: Reader
    example: str
    split: str = "eval"


@dataclass(frozen=True, slots=True)
class BuiltManifest:
    """The number of clips listed by corpus, and a line for each that could not be read."""

    clips: Mapping[str, int]
    failed: tuple[str, ...]


def build_manifest(folders: Mapping[str, Path], out: Path) -> BuiltManifest:
    """Write one manifest of some corpora, by name; recordings that cannot be read are left out.

    Raises UnreadableInputError for an unknown corpus, and for a folder without readable recordings
    of its corpus.
    """
    for name, folder in folders.items():
        if name not in CORPORA:
            raise UnreadableInputError(folder, f"no corpus {name!r}; known: {', '.join(CORPORA)}")
    with whole_file(out) as file:
        table = StringIO()
        writer = csv.writer(table, lineterminator="\n")
        writer.writerow(COLUMNS)
        counts: dict[str, int] = {}
        failed: list[UnreadableInputError] = []
        for name, folder in folders.items():
            rows, unreadable = _rows(CORPORA[name], _clips(name, folder), out.parent.resolve())
            if not rows:
                raise unreadable[0]
            writer.writerows(rows)
            counts[name] = len(rows)
            failed += unreadable
        file.write(table.getvalue().encode())
    return BuiltManifest(counts, tuple(map(str, failed)))


def _clips(name: str, folder: Path) -> list[LabelledFile]:
    corpus = CORPORA[name]
    if not folder.is_dir():
        raise UnreadableInputError(folder, "is not a folder")
    found = list(corpus.read(folder))
    if not found:
        raise UnreadableInputError(
            folder, f"holds no recordings of {corpus.title}, such as {corpus.example}"
        )
    return found


def _rows(
    corpus: Corpus, clips: Sequence[LabelledFile], base: Path
) -> tuple[list[Sequence[object]], list[UnreadableInputError]]:
    rows: list[Sequence[object]] = []
    failed: list[UnreadableInputError] = []
    for clip in clips:
        try:
            rows.append(_row(corpus, clip, base))
        except UnreadableInputError as error:
            failed.append(error)
    return rows, failed


def _row(corpus: Corpus, clip: LabelledFile, base: Path) -> Sequence[object]:
    try:
        duration_s = soundfile.info(clip.path).duration
    except (OSError, soundfile.SoundFileError) as error:
        raise UnreadableInputError(clip.path, f"is not audio ({error})") from error
    place = clip.path.parent.resolve() / clip.path.name  # ".." of a link is another folder
    return (
        Path(os.path.relpath(place, base)).as_posix(),
        corpus.name,
        corpus.language,
        clip.speaker,
        clip.emotion,
        int(clip.emotion in NEGATIVE),
        f"{duration_s:.3f}",
        corpus.split,
        clip.group,
        "" if clip.soft_negative is None else f"{clip.soft_negative:.4f}",
    )


_SEE_PAGE = "see the corpus's page"

CORPORA: Mapping[str, Corpus] = {
    corpus.name: corpus
    for corpus in (
        Corpus(
            "emodb",
            "EmoDB",
            "de",
            "http://emodb.bilderbar.info",
            "free to use, redistributed as CC0",
            named(
                r"(?P<speaker>\d\d)[ab]\d\d(?P<emotion>[WLEAFTN])[a-z]",
                coded("w anger, l boredom, e disgust, a fear, f happiness, t sadness, n neutral"),
                women("08", "09", "13", "14", "16"),
            ),
            "wav/03a01Wa.wav",
            split="train",
        ),
        Corpus(
            "bangla",
            "BanglaSER",
            "bn",
            "https://data.mendeley.com/datasets/t9h6p943xy",
            "CC BY 4.0",
            named(
                r"03-\d\d-(?P<emotion>0[1-5])-\d\d-\d\d-\d\d-(?P<speaker>\d\d)",
                coded("01 happiness, 02 sadness, 03 anger, 04 surprise, 05 neutral"),
                by_parity,
            ),
            "03-01-03-02-01-01-05.wav",
            split="train",
        ),
        Corpus(
            "nemo",
            "nEMO",
            "pl",
            "https://github.com/amu-cai/nEMO",
            "CC BY-NC-SA 4.0",
            named(
                r"(?P<speaker>[A-Z]{2}\d)_(?P<emotion>anger|fear|happiness|neutral|sadness|surprised)_\d+",
                WORDS,
                women("EB0", "IC0", "KD0", "MK0"),
            ),
            "samples/EB0_anger_1.wav",
        ),
        Corpus(
            "turev",
            "TurEV-DB",
            "tr",
            "https://github.com/Xeonen/TurEV-DB",
            "CC BY-NC-ND",
            named(
                r"(?P<speaker>\d{4})_(?P<emotion>kz|sk|mt|hl)_\w+",
                coded("kz anger, sk calm, mt happiness, hl sadness"),
            ),
            "Sound Source/Angry/1157_kz_algi.wav",
        ),
        Corpus(
            "ased",
            "ASED v1",
            "am",
            "https://github.com/Ethio2021/ASED_V1",
            _SEE_PAGE,
            named(
                r"(?P<emotion>[afhns])[1-5]-\d\d-\d\d-0(?P<gender>[12])-(?P<speaker>\d\d)",
                coded("a anger, f fear, h happiness, n neutral, s sadness"),
                lambda match: "female" if match["gender"] == "1" else "male",
            ),
            "a5-07-02-02-65.wav",
        ),
        Corpus(
            "indowave",
            "IndoWaveSentiment",
            "id",
            "https://data.mendeley.com, by its name",
            "CC BY 4.0",
            named(
                r"(?P<speaker>\d\d)-(?P<emotion>0[1-5])-\d\d-\d\d",
                coded("01 neutral, 02 happiness, 03 surprise, 04 disgust, 05 disappointment"),
            ),
            "10-05-02-03.wav",
            split="probe",
        ),
        Corpus(
            "ravdess",
            "RAVDESS (speech)",
            "en",
            "https://zenodo.org/records/1188976",
            "CC BY-NC-SA 4.0",
            named(
                r"03-01-(?P<emotion>0[1-8])-0[12]-0[12]-0[12]-(?P<speaker>\d\d)",
                coded(
                    "01 neutral, 02 calm, 03 happiness, 04 sadness,"
                    " 05 anger, 06 fear, 07 disgust, 08 surprise"
                ),
                by_parity,
            ),
            "Actor_01/03-01-05-01-01-01-01.wav",
        ),
        Corpus(
            "crema-d",
            "CREMA-D",
            "en",
            "https://github.com/CheyneyComputerScience/CREMA-D",
            "ODbL 1.0",
            crema_d,
            "AudioWAV/1001_DFA_ANG_XX.wav",
        ),
        Corpus(
            "tess",
            "TESS",
            "en",
            "https://doi.org/10.5683/SP2/E8H2MF",
            "CC BY-NC-ND 4.0",
            named(
                r"(?P<speaker>OA|YA)F?_[a-z]+_(?P<emotion>angry|disgust|fear|happy|neutral|ps|sad)",
                WORDS,
                lambda _: "female",
            ),
            "OAF_angry/OAF_back_angry.wav",
        ),
        Corpus(
            "savee",
            "SAVEE",
            "en",
            "http://kahlan.eps.surrey.ac.uk/savee",
            _SEE_PAGE,
            named(
                r"(?P<speaker>DC|JE|JK|KL)[/_](?P<emotion>sa|su|[adfhn])\d\d",
                coded(
                    "a anger, d disgust, f fear, h happiness, n neutral, sa sadness, su surprise"
                ),
                lambda _: "male",
            ),
            "AudioData/DC/a01.wav",
        ),
        Corpus(
            "urdu",
            "URDU",
            "ur",
            "https://github.com/siddiquelatif/URDU-Dataset",
            "research only",
            named(
                r"(?P<speaker>S(?P<gender>[MF])\d+)_F\d+_(?P<emotion>[AHNS])\d+",
                coded("a anger, h happiness, n neutral, s sadness"),
                by_letter,
            ),
            "Angry/SM1_F10_A010.wav",
        ),
        Corpus(
            "meld",
            "MELD test, against neutral only",
            "en",
            "https://github.com/declare-lab/MELD",
            "GPL-3.0",
            meld(only_neutral=True),
            "output_repeated_splits_test/dia0_utt0.wav, made of the film of that name",
        ),
        Corpus(
            "meld-all",
            "MELD test, against all labels",
            "en",
            "https://github.com/declare-lab/MELD",
            "GPL-3.0",
            meld(only_neutral=False),
            "output_repeated_splits_test/dia0_utt0.wav, made of the film of that name",
        ),
        Corpus(
            "iemocap",
            "IEMOCAP",
            "en",
            "https://sail.usc.edu/iemocap",
            "on request, " + _SEE_PAGE,
            iemocap,
            "Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_F000.wav",
        ),
    )
}
