"""`model evaluate` and `bench` as a user runs them, on little."""

from __future__ import annotations

import csv
import errno
import json
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from pipecat_deescalate.models.lab.corpora import CORPORA
from pipecat_deescalate.models.lab.text_corpora import read_text_recipe

from ...audio import CALM, noise
from ...commands import deescalate

COLUMNS = ("path", "corpus", "language", "speaker", "emotion", "negative", "duration_s", "split")


def a_manifest(folder: Path, classes: int = 2) -> Path:
    """Two corpora of noise; the figures mean nothing."""
    rows = []
    for corpus, split in (("unmet", "eval"), ("cold", "probe")):
        for index in range(6):
            name = f"{corpus}_{index}.wav"
            level = 0.02 * (1 + index)
            soundfile.write(folder / name, noise(0.6, 16_000, seed=index, level=level), 16_000)
            rows.append((name, corpus, "xx", f"s{index % 3}", "any", index % classes, 0.6, split))
    with (folder / "manifest.csv").open("w", newline="") as file:
        csv.writer(file).writerows([COLUMNS, *rows])
    return folder / "manifest.csv"


def test_evaluate_reports_each_corpus_and_the_mean_over_those_never_met(tmp_path: Path) -> None:
    """A probe corpus, or one met in training, must not slip into the zero-shot mean."""
    out = tmp_path / "figures.json"
    run = deescalate("model", "evaluate", "--manifest", a_manifest(tmp_path), "--out", out)
    assert run.returncode == 0, run.stderr
    assert "ROC-AUC" in run.stdout
    report = json.loads(out.read_text())["corpora"]
    assert {row["corpus"]: row["role"] for row in report["corpora"]} == {
        "unmet": "zero-shot",
        "cold": "probe",
    }
    assert report["mean"]["corpora"] == ["unmet"]
    assert report["mean"]["roc_auc"] == report["corpora"][0]["roc_auc"]


def test_an_undefined_figure_is_a_dash_for_people_and_null_for_programs(tmp_path: Path) -> None:
    """A corpus of one class has no ROC-AUC; "nan" in a table or in JSON is of no use to anybody."""
    manifest = a_manifest(tmp_path, classes=1)
    shown = deescalate("model", "evaluate", "--manifest", manifest)
    machine = deescalate("model", "evaluate", "--manifest", manifest, "--json")
    assert (shown.returncode, machine.returncode) == (0, 0), shown.stderr + machine.stderr
    assert " - " in shown.stdout
    assert "nan" not in (shown.stdout + machine.stdout).lower()
    report = json.loads(machine.stdout)["corpora"]
    assert report["mean"] is None
    assert report["corpora"][0]["roc_auc"] is None
    assert "unmet: not in the mean, one class is missing" in shown.stdout


def test_a_damaged_clip_is_named_and_the_rest_is_measured(tmp_path: Path) -> None:
    """It must be known by the exit code and by one line, whatever the corpus is called."""
    manifest = a_manifest(tmp_path)
    manifest.write_text(manifest.read_text().replace(",unmet,", ",unmet[/calls],"))
    (tmp_path / "unmet_0.wav").write_bytes(b"RIFF")
    out = tmp_path / "figures.json"
    run = deescalate("model", "evaluate", "--manifest", manifest, "--out", out)
    assert run.returncode == 2
    assert run.stderr == ""
    assert "unmet[/calls]: 1 of 6 clips could not be heard" in run.stdout
    report = json.loads(out.read_text())["corpora"]
    (line,) = report["failed"]
    assert "unmet_0.wav" in line
    assert run.stdout.count(f"failed: {line}\n") == 1
    assert report["mean"]["roc_auc"] is not None


def test_calls_of_which_none_can_be_read_are_no_result(tmp_path: Path) -> None:
    """A mistyped path would look like calls in which nobody was bothered."""
    run = deescalate("model", "evaluate", "--calls", tmp_path / "missing.wav")
    assert run.returncode == 2
    assert run.stdout == ""
    assert "no call could be read" in run.stderr
    assert "missing.wav: is not there" in run.stderr


def test_calls_that_cannot_be_read_do_not_take_the_corpora_with_them(tmp_path: Path) -> None:
    """They come last: the hours before them must not be lost to a mistyped name."""
    manifest, calls = a_manifest(tmp_path), tmp_path / "missing[/it].wav"
    run = deescalate("model", "evaluate", "--manifest", manifest, "--calls", calls, "--json")
    assert run.returncode == 2
    report = json.loads(run.stdout)
    assert report["corpora"]["mean"]["roc_auc"] is not None
    assert report["calls"]["calls"] == 0
    line = f"{calls}: is not there; check the path"
    assert report["calls"]["failed"] == [line]
    shown = deescalate("model", "evaluate", "--manifest", manifest, "--calls", calls)
    assert f"  failed: {line}\n" in shown.stdout


def test_robustness_and_groups_are_in_the_report_where_asked_for(tmp_path: Path) -> None:
    """The longer tables must reach the person and the file, and not stand there unasked."""
    manifest = a_manifest(tmp_path)
    lines = manifest.read_text().splitlines()
    grouped = [f"{line},{'mf'[i % 3 == 0]}" for i, line in enumerate(lines[1:])]
    manifest.write_text("\n".join([f"{lines[0]},group", *grouped]))
    (tmp_path / "noise").mkdir()
    soundfile.write(tmp_path / "noise" / "hiss.wav", noise(0.5, 16_000, seed=9), 16_000)
    out = tmp_path / "figures.json"
    run = deescalate(
        *("model", "evaluate", "--manifest", manifest, "--robustness"),
        *("--noise", tmp_path / "noise", "--out", out),
    )
    assert run.returncode == 0, run.stderr
    assert "I cannot tell" in run.stdout
    assert "largest gap" in run.stdout
    report = json.loads(out.read_text())["corpora"]
    assert len(report["robustness"]) == 5
    assert {g["group"] for c in report["groups"] for g in c["groups"]} == {"m", "f"}
    assert (
        "noise"
        in deescalate("model", "evaluate", "--manifest", manifest, "--noise", tmp_path).stderr
    )


@pytest.mark.parametrize(
    ("option", "name", "complaint"),
    [
        ("--card", "missing.json", os.strerror(errno.ENOENT)),
        ("--card", "manifest.csv", "not a model card"),
        ("--card", "other.json", "is not the card of voice.onnx"),
        ("--texts", "", "labels.txt"),
        ("--texts", "texts", "needs a held-out speaker"),
        ("--robustness --noise", "missing", "no recordings of noise"),
        ("--out-of-fold", "manifest.csv", "has no column"),
        ("--out-of-fold", "unlikely.csv", "'7' is not a probability"),
        ("--out-of-fold", "empty.csv", "has no predictions"),
    ],
)
def test_what_an_option_names_is_looked_at_before_the_work(
    option: str, name: str, complaint: str, tmp_path: Path
) -> None:
    """An hour's figures must not be lost to a typing error, nor a row be left out in silence."""
    manifest = a_manifest(tmp_path, classes=1)
    for clip in tmp_path.glob("*.wav"):
        clip.unlink()  # a run that got to the work would complain of them
    (tmp_path / "other.json").write_text('{"sha256": "another"}')
    (tmp_path / "unlikely.csv").write_text("path,p_speaker_left_out\na/b.wav,7\n")
    (tmp_path / "empty.csv").write_text("path,p_speaker_left_out\n")
    goemotions = tmp_path / "texts" / "goemotions"
    goemotions.mkdir(parents=True)
    labels = [*read_text_recipe().negative_labels, "neutral"]
    (goemotions / "labels.txt").write_text("\n".join(labels))
    (goemotions / "test.tsv").write_text("hello\t0\tid\n")
    run = deescalate("model", "evaluate", "--manifest", manifest, *option.split(), tmp_path / name)
    assert run.returncode == 2
    assert complaint in run.stderr
    assert len(run.stderr.splitlines()) == 1


def test_the_agreement_with_raters_reaches_the_person(tmp_path: Path) -> None:
    """A column that the manifest was given for must not end in the JSON alone."""
    manifest = a_manifest(tmp_path)
    assert "raters" not in deescalate("model", "evaluate", "--manifest", manifest).stdout
    header, *lines = manifest.read_text().splitlines()
    rated = [f"{line},0.{index}" for index, line in enumerate(lines[:6])]
    manifest.write_text("\n".join([f"{header},soft_negative", *rated]))
    run = deescalate("model", "evaluate", "--manifest", manifest)
    assert run.returncode == 0, run.stderr
    assert "unmet: rank correlation with its raters " in run.stdout


def test_manifest_lists_corpora_and_reads_them(tmp_path: Path) -> None:
    """What `manifest` writes goes straight into `evaluate`; a bad name is one line."""
    for index, name in enumerate(("EB0_anger_1", "EB0_fear_2", "WR0_anger_3", "WR0_sadness_4")):
        clip = noise(0.6, 16_000, seed=index, level=0.05 * (1 + index))
        soundfile.write(tmp_path / f"{name}.wav", clip, 16_000)
    listed = deescalate("model", "manifest").stdout
    assert all(corpus.source in listed and corpus.licence in listed for corpus in CORPORA.values())
    out = tmp_path / "list.csv"
    run = deescalate("model", "manifest", f"nemo={tmp_path}", "--out", out)
    assert run.returncode == 0, run.stderr
    assert "4 clips of nemo" in run.stdout
    assert deescalate("model", "evaluate", "--manifest", out).returncode == 0
    bad = deescalate("model", "manifest", tmp_path, "--out", out)
    assert bad.returncode == 2
    assert "NAME=FOLDER" in bad.stderr
    assert len(bad.stderr.splitlines()) == 1
    assert "NAME=FOLDER" in deescalate("model", "manifest", "nemo=", "--out", out).stderr
    (tmp_path / "EB0_fear_2.wav").write_text("no audio")
    partly = deescalate("model", "manifest", f"nemo={tmp_path}", "--out", out)
    assert partly.returncode == 2
    assert "3 clips of nemo; 1 left out, such as" in partly.stderr
    assert len(out.read_text().splitlines()) == 1 + 3


def test_evaluate_counts_alarms_with_and_without_words(tmp_path: Path) -> None:
    """Every turn is in the distribution, and words that have no times find their turns."""
    audio, rate = soundfile.read(CALM, dtype="float32")
    calls = tmp_path / "calls"
    calls.mkdir()
    soundfile.write(calls / "one.wav", audio[:, 0], rate)
    words = tmp_path / "words.jsonl"
    lines = CALM.with_suffix(".jsonl").read_text().splitlines()
    said = [json.loads(line) for line in lines]
    words.write_text(
        "\n".join(
            json.dumps({"call_id": "one", "order": i, "speaker": s["speaker"], "text": s["text"]})
            for i, s in enumerate(said)
        )
    )
    run = deescalate("model", "evaluate", "--calls", calls, "--transcripts", words, "--json")
    assert run.returncode == 0, run.stderr
    report = json.loads(run.stdout)
    assert sum(report["calls"]["histogram"]) == report["calls"]["turns"] == 4
    assert report["calls_with_words"]["transferred"] == []


def test_evaluate_says_what_is_missing(tmp_path: Path) -> None:
    """Nothing named, an empty folder, a manifest that is not there: one line each."""
    assert "--manifest" in deescalate("model", "evaluate").stderr
    assert "no recordings" in deescalate("model", "evaluate", "--calls", tmp_path).stderr
    missing = deescalate("model", "evaluate", "--manifest", tmp_path)
    assert missing.returncode == 2
    assert missing.stderr.startswith(f"deescalate: {tmp_path / 'manifest.csv'}: ")
    assert len(missing.stderr.splitlines()) == 1


def test_bench_measures_both_models_by_turn_length(tmp_path: Path) -> None:
    """The ratios must be those of the medians beside them."""
    out = tmp_path / "bench.json"
    run = deescalate("bench", "--runs", "5", "--out", out)
    assert run.returncode == 0, run.stderr
    report = json.loads(out.read_text())
    assert [row["turn_s"] for row in report["latency"]] == [0.5, 1.0, 2.0, 4.0, 8.0]
    for row in report["latency"]:
        assert row["ours"]["runs"] == row["smart_turn"]["runs"] == 5
        ratio = row["ours"]["median_ms"] / row["smart_turn"]["median_ms"]
        assert np.isclose(row["ratio"], ratio)
