"""Manifests are read off the folders and names that the corpora are published with."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from pipecat_deescalate.models.errors import UnreadableInputError
from pipecat_deescalate.models.lab.corpora import (
    COLUMNS,
    CORPORA,
    BuiltManifest,
    build_manifest,
)
from pipecat_deescalate.models.lab.datasets import read_manifest

from ...audio import noise, write_audio

# name: (file, speaker, emotion, negative, group) as the corpora publish them
NAMED = {
    "emodb": [
        ("wav/03a01Wa.wav", "03", "anger", 1, "male"),
        ("wav/16b10Lb.wav", "16", "boredom", 0, "female"),
        ("wav/08a02Ec.wav", "08", "disgust", 1, "female"),
    ],
    "bangla": [
        ("Actor_05/03-01-03-02-01-01-05.wav", "05", "anger", 1, "male"),
        ("Actor_34/03-01-05-01-03-03-34.wav", "34", "neutral", 0, "female"),
    ],
    "nemo": [
        ("samples/EB0_anger_1.wav", "EB0", "anger", 1, "female"),
        ("samples/WR0_surprised_64.wav", "WR0", "surprise", 0, "male"),
    ],
    "turev": [
        ("Sound Source/Angry/1157_kz_algi.wav", "1157", "anger", 1, ""),
        ("Sound Source/Calm/1234_sk_acik.wav", "1234", "calm", 0, ""),
    ],
    "ased": [
        ("angry/a5-07-02-02-65.wav", "65", "anger", 1, "male"),
        ("sad/S4-04-02-01-29.wav", "29", "sadness", 0, "female"),
    ],
    "indowave": [
        ("10-05-02-03.wav", "10", "disappointment", 1, ""),
        ("01-01-01-02.wav", "01", "neutral", 0, ""),
    ],
    "ravdess": [
        ("Actor_12/03-01-05-02-01-02-12.wav", "12", "anger", 1, "female"),
        ("Actor_01/03-01-02-01-02-01-01.wav", "01", "calm", 0, "male"),
    ],
    "tess": [
        ("OAF_angry/OAF_back_angry.wav", "OA", "anger", 1, "female"),
        ("YAF_pleasant_surprised/YAF_back_ps.wav", "YA", "surprise", 0, "female"),
        ("OAF_neutral/OA_bite_neutral.wav", "OA", "neutral", 0, "female"),
    ],
    "savee": [
        ("AudioData/DC/a01.wav", "DC", "anger", 1, "male"),
        ("AudioData/KL/sa15.wav", "KL", "sadness", 0, "male"),
        ("AudioData/JE/su02.wav", "JE", "surprise", 0, "male"),
    ],
    "urdu": [
        ("Angry/SM1_F10_A010.wav", "SM1", "anger", 1, "male"),
        ("Sad/SF3_F2_S054.wav", "SF3", "sadness", 0, "female"),
    ],
}
MELD = """Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID
1,"Why do all your mugs have numbers?",Mark,surprise,positive,0,0
2,Oh.,Rachel,anger,negative,0,1
3,Y'know what?,Joey,neutral,neutral,1,0
4,Ew.,Monica,disgust,negative,2,0
"""
IEMOCAP = """% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]

[6.2901 - 8.2357]\tSes01F_impro01_F000\tneu\t[2.5000, 2.5000, 2.5000]
C-E2:\tNeutral;\t()

[10.0100 - 11.3925]\tSes01F_impro01_M001\tfru\t[2.0000, 2.5000, 3.5000]
C-E2:\tFrustration;\t()

[12.0 - 13.5]\tSes01F_impro01_M002\txxx\t[2.0000, 2.5000, 3.5000]
"""
VOTES = """"","A","D","F","H","N","S","fileName","numResponses","agreement","emoVote"
"100001",6,2,0,0,2,0,"1001_DFA_ANG_XX",10,0.6,"A"
"100002",0,1,0,0,9,0,"1001_DFA_NEU_XX",10,0.9,"N"
"200001",0,0,0,0,10,0,"1001_DFA_ANG_XX",10,1,"N"
"""


def clip(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_audio(path, noise(0.5, seed=1), 16_000, "pcm16.wav")


def rows(name: str, folder: Path, out: Path) -> list[dict[str, str]]:
    build_manifest({name: folder}, out)
    with out.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("name", NAMED)
def test_a_corpus_is_read_off_its_published_names(name: str, tmp_path: Path) -> None:
    """A clip with another clip's emotion or speaker would spoil every figure unseen."""
    for path, *_ in NAMED[name]:
        clip(tmp_path / "corpus" / path)
    clip(tmp_path / "corpus" / "readme_sound.wav")
    found = rows(name, tmp_path / "corpus", tmp_path / "manifest.csv")
    assert {
        (r["path"], r["speaker"], r["emotion"], int(r["negative"]), r["group"]) for r in found
    } == {(f"corpus/{path}", *rest) for path, *rest in NAMED[name]}
    assert {(r["corpus"], r["language"], r["duration_s"]) for r in found} == {
        (name, CORPORA[name].language, "0.500")
    }


def test_crema_d_has_its_raters_votes_and_its_actors_gender(tmp_path: Path) -> None:
    """Votes on the film instead of the voice would label what is not audible."""
    for name in ("1001_DFA_ANG_XX", "1001_DFA_NEU_XX", "1002_IEO_DIS_HI"):
        clip(tmp_path / "AudioWAV" / f"{name}.wav")
    (tmp_path / "VideoDemographics.csv").write_text(
        "ActorID,Age,Sex,Race,Ethnicity\n1001,51,Male,Caucasian,Not Hispanic\n"
    )
    (tmp_path / "processedResults").mkdir()
    (tmp_path / "processedResults" / "tabulatedVotes.csv").write_text(VOTES)
    build_manifest({"crema-d": tmp_path}, tmp_path / "manifest.csv")
    found = read_manifest(tmp_path / "manifest.csv")
    assert [(c.emotion, c.negative, c.soft_negative, c.group) for c in found] == [
        ("anger", True, 0.8, "male"),
        ("neutral", False, 0.1, "male"),
        ("disgust", True, None, ""),
    ]


def test_a_table_of_crema_d_that_is_none_is_named(tmp_path: Path) -> None:
    """A pointer of Git LFS lies where the votes should: which of the two tables must be known."""
    clip(tmp_path / "AudioWAV" / "1001_DFA_ANG_XX.wav")
    (tmp_path / "processedResults").mkdir()
    votes = tmp_path / "processedResults" / "tabulatedVotes.csv"
    votes.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:1\n")
    with pytest.raises(UnreadableInputError, match=r"tabulatedVotes\.csv: is not CREMA-D's table"):
        build_manifest({"crema-d": tmp_path}, tmp_path / "manifest.csv")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("meld", ["anger", "disgust", "neutral"]),
        ("meld-all", ["anger", "disgust", "neutral", "surprise"]),
    ],
)
def test_meld_has_both_protocols(name: str, expected: list[str], tmp_path: Path) -> None:
    """The two protocols differ by ten points: neither may be taken for the other."""
    (tmp_path / "test_sent_emo.csv").write_text(MELD)
    for place in ("dia0_utt0", "dia0_utt1", "dia1_utt0", "dia2_utt0"):
        clip(tmp_path / "output_repeated_splits_test" / f"{place}.wav")
    clip(tmp_path / "train_splits" / "dia0_utt1.wav")
    found = rows(name, tmp_path, tmp_path / "manifest.csv")
    assert sorted(row["emotion"] for row in found) == expected
    assert all("splits_test" in row["path"] for row in found)
    groups = {row["speaker"]: row["group"] for row in found}
    assert groups["Rachel"] == "female"
    assert groups["Joey"] == "male"


def test_films_of_meld_must_be_made_sound_first(tmp_path: Path) -> None:
    """An empty manifest would not say that only the sound is missing."""
    (tmp_path / "test_sent_emo.csv").write_text(MELD)
    (tmp_path / "dia0_utt0.mp4").write_bytes(b"film")
    with pytest.raises(UnreadableInputError, match="ffmpeg"):
        build_manifest({"meld": tmp_path}, tmp_path / "manifest.csv")


def test_iemocap_has_the_raters_majority(tmp_path: Path) -> None:
    """Turns without a majority have no label, and the speaker is who talks, not who is filmed."""
    session = tmp_path / "Session1"
    for turn in ("F000", "M001", "M002"):
        clip(session / "sentences/wav/Ses01F_impro01" / f"Ses01F_impro01_{turn}.wav")
    (session / "dialog/EmoEvaluation").mkdir(parents=True)
    (session / "dialog/EmoEvaluation/Ses01F_impro01.txt").write_text(IEMOCAP)
    found = rows("iemocap", tmp_path, tmp_path / "manifest.csv")
    assert [(r["speaker"], r["emotion"], r["negative"], r["group"]) for r in found] == [
        ("Ses01F", "neutral", "0", "female"),
        ("Ses01M", "frustration", "1", "male"),
    ]


def test_several_corpora_make_one_manifest_that_can_be_read_back(tmp_path: Path) -> None:
    """What `manifest` writes is what `evaluate` reads, wherever the corpora lie."""
    for name in ("emodb", "nemo"):
        for path, *_ in NAMED[name]:
            clip(tmp_path / "disk" / name / path)
    (tmp_path / "lists").mkdir()
    out = tmp_path / "lists" / "manifest.csv"
    folders = {name: tmp_path / "disk" / name for name in ("emodb", "nemo")}
    assert build_manifest(folders, out) == BuiltManifest({"emodb": 3, "nemo": 2}, ())
    assert out.read_text().splitlines()[0] == ",".join(COLUMNS)
    clips = read_manifest(out)
    assert all(c.path.is_file() for c in clips)
    assert {c.corpus: c.split for c in clips} == {"emodb": "train", "nemo": "eval"}


@pytest.mark.parametrize("name", ["ravdess", "tess", "savee"])
def test_a_copy_of_a_corpus_within_itself_is_listed_once(name: str, tmp_path: Path) -> None:
    """Archives hold their folders twice: clips that count double make intervals too narrow."""
    for path, *_ in NAMED[name]:
        clip(tmp_path / "corpus" / path)
        clip(tmp_path / "corpus" / "the same again" / path)
    built = build_manifest({name: tmp_path / "corpus"}, tmp_path / "manifest.csv")
    assert built.clips == {name: len(NAMED[name])}


def test_a_manifest_behind_a_link_finds_its_clips(tmp_path: Path) -> None:
    """The folder above a link is not the one that its name shows."""
    clip(tmp_path / "emodb" / "03a01Wa.wav")
    (tmp_path / "far" / "lists").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "far" / "lists")
    out = tmp_path / "link" / "manifest.csv"
    build_manifest({"emodb": tmp_path / "emodb"}, out)
    assert [c.path.is_file() for c in read_manifest(out)] == [True]


def test_a_recording_that_cannot_be_read_is_left_out_and_named(tmp_path: Path) -> None:
    """One damaged file must not keep a corpus of thousands from being listed."""
    for name in ("03a01Wa", "08a02Ec"):
        clip(tmp_path / f"{name}.wav")
    (tmp_path / "08a02Ec.wav").write_bytes(b"")
    built = build_manifest({"emodb": tmp_path}, tmp_path / "manifest.csv")
    assert built.clips == {"emodb": 1}
    (line,) = built.failed
    assert "08a02Ec.wav: is not audio" in line
    assert [c.path.name for c in read_manifest(tmp_path / "manifest.csv")] == ["03a01Wa.wav"]


def test_what_is_no_such_corpus_is_one_line(tmp_path: Path) -> None:
    """A typing error must not write an empty manifest."""
    out = tmp_path / "manifest.csv"
    with pytest.raises(UnreadableInputError, match="known: emodb, "):
        build_manifest({"emo": tmp_path}, out)
    with pytest.raises(UnreadableInputError, match="such as wav/03a01Wa"):
        build_manifest({"emodb": tmp_path}, out)
    (tmp_path / "03a01Wa.wav").write_text("version https://git-lfs.github.com/spec/v1")
    with pytest.raises(UnreadableInputError, match="is not audio"):
        build_manifest({"emodb": tmp_path}, out)
    assert not out.exists()
