"""From labelled calls to a teacher, to its students, and to their figures, on tiny models."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from pipecat_deescalate.agent.cli import app
from pipecat_deescalate.models.audio.recording import read_audio
from pipecat_deescalate.models.errors import UnreadableInputError
from pipecat_deescalate.models.files import OutputError
from pipecat_deescalate.models.lab.datasets import read_manifest

from ..audio import write_audio
from ..commands import in_a_process as deescalate
from ..models.lab.annotation.llm_server import LlmServer, by_loudness

torch = pytest.importorskip("torch", reason="the extra `distill` is not installed")
pytest.importorskip("peft", reason="the extra `distill` is not installed")
pytest.importorskip("duckdb", reason="the extra `annotate` is not installed")

from pipecat_deescalate.models.lab.annotation.call_table import CallsError  # noqa: E402 - DuckDB
from pipecat_deescalate.models.lab.annotation.labelled_clips import (  # noqa: E402 - DuckDB
    Consensus,
    agree,
    sample,
    write_clips,
)
from pipecat_deescalate.models.lab.annotation.labels import read_labels  # noqa: E402 - DuckDB
from pipecat_deescalate.models.lab.annotation.validation import load_calls  # noqa: E402 - DuckDB
from pipecat_deescalate.models.lab.audio_lm import AudioLm  # noqa: E402 - torch
from pipecat_deescalate.models.lab.training.checkpoint import CheckpointError  # noqa: E402 - torch
from pipecat_deescalate.models.lab.training.distil import distil, write_soft_labels  # noqa: E402
from pipecat_deescalate.models.lab.training.lm_recipes import load_distil_recipe  # noqa: E402

from .audio_lms import OTHER_LINE, a_recipe, a_turn, nothing, save_qwen2_audio  # noqa: E402
from .test_teacher import no_file_over  # noqa: E402 - torch

GAP_S = 0.5


def save_calls(
    folder: Path, *, calls: int = 4, turns: int = 3, annotators: tuple[str, ...] = ("a", "b")
) -> tuple[Path, Path]:
    """Write recordings, their turns and annotators' labels; every third turn is negative."""
    rows, labels = [], []
    for call in range(calls):
        parts, at_s = [], 0.0
        for turn in range(turns):
            negative = (turn + call) % 3 == 0
            clip = a_turn(negative=negative, seed=10 * call + turn)
            parts += [clip, np.zeros(int(GAP_S * 16_000), np.float32)]
            end_s = at_s + len(clip) / 16_000
            about = {"call_id": f"call/{call}", "turn": turn}
            where = {"audio": f"{call}.wav", "start_s": at_s, "end_s": end_s}
            rows.append(about | {"speaker": "caller"} | where)
            for annotator, sure in zip(annotators, (0.9, 0.6), strict=False):
                score = sure if negative else 1 - sure
                label = "negative" if negative else "non_negative"
                labels.append(about | {"annotator": annotator, "label": label, "score": score})
            at_s = end_s + GAP_S
        write_audio(folder / f"{call}.wav", np.concatenate(parts), 16_000, "pcm16.wav")
    for name, lines in (("turns.jsonl", rows), ("labels.jsonl", labels)):
        (folder / name).write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return folder / "turns.jsonl", folder / "labels.jsonl"


def clips_of(turns: Path, labels: Path, out: Path) -> None:
    said = agree(read_labels(labels))
    with load_calls([turns]) as calls:
        write_clips(calls, said, out, corpus="calls", held_out=0.5, progress=nothing)


def change(path: Path, line: int, **values: object) -> None:
    """Change values of one line of JSON lines."""
    lines = path.read_text().splitlines()
    lines[line] = json.dumps(json.loads(lines[line]) | values)
    path.write_text("\n".join([*lines, ""]))


def test_the_student_learns_and_the_teacher_counts(teaching: Path, tmp_path: Path) -> None:
    """With the vocabularies mixed up, or the distance left out, nothing would come of the two."""
    teacher = AudioLm(teaching / "out" / "teacher")
    small = save_qwen2_audio(tmp_path / "small", words=OTHER_LINE, seed=1)
    recipe = load_distil_recipe(a_recipe(tmp_path, small, uld_weight=1.5))
    made = distil(recipe, teacher, teaching / "data", tmp_path / "out", nothing)
    student = AudioLm(made.folder)
    assert student.answer(True) != teacher.answer(True)
    assert len(student.processor.tokenizer) != len(teacher.processor.tokenizer)
    assert made.last_loss < 0.7 * made.first_loss
    assert made.held_out is not None
    assert made.held_out.turns == 8
    light = recipe.model_copy(update={"uld_weight": 1e-6})
    alone = distil(light, teacher, teaching / "data", tmp_path / "alone", nothing)
    assert alone.first_loss < made.first_loss


def test_a_checkpoint_under_another_teacher_is_refused(teaching: Path, tmp_path: Path) -> None:
    """Half of a run by one teacher and half by another has no name."""
    recipe = load_distil_recipe(a_recipe(tmp_path, teaching / "base", uld_weight=1.0))

    def killed(_: str, done: int, __: int) -> None:
        if done == 5:
            raise KeyboardInterrupt

    teacher, another = AudioLm(teaching / "out" / "teacher"), AudioLm(teaching / "base")
    with pytest.raises(KeyboardInterrupt):
        distil(recipe, teacher, teaching / "data", tmp_path / "out", killed)
    with pytest.raises(CheckpointError, match="with the teacher"):
        distil(recipe, another, teaching / "data", tmp_path / "out", nothing)


def test_soft_labels_are_the_teachers(teaching: Path, tmp_path: Path) -> None:
    """Our own student would learn from other turns' labels, or be measured on the teacher's."""
    teacher = AudioLm(teaching / "out" / "teacher")
    assert write_soft_labels(teacher, teaching / "data", tmp_path, nothing) == 16
    source = read_manifest(teaching / "data" / "speech" / "manifest.csv")
    written = read_manifest(tmp_path / "speech" / "manifest.csv")
    assert len(written) == len(source)
    for before, after in zip(source, written, strict=True):
        assert after.path.resolve() == before.path.resolve()
        assert (after.negative, after.split) == (before.negative, before.split)
        assert (after.soft_negative is not None) == (after.split == "train")
    clip = written[3]
    assert clip.soft_negative == pytest.approx(
        teacher.p_negative([read_audio(clip.path)])[0], abs=1e-5
    )


def test_labels_do_not_take_the_place_of_those_they_are_made_from(teaching: Path) -> None:
    """What annotators said would be gone, after one wrong `--out`."""
    manifest = teaching / "data" / "speech" / "manifest.csv"
    before = manifest.read_bytes()
    with pytest.raises(OutputError, match="would overwrite the source manifest"):
        write_soft_labels(
            AudioLm(teaching / "out" / "teacher"), teaching / "data", teaching / "data", nothing
        )
    assert manifest.read_bytes() == before


def test_clips_are_the_labelled_turns(tmp_path: Path) -> None:
    """A turn cut elsewhere, or a call in both splits, would make every later figure wrong."""
    turns, labels = save_calls(tmp_path, calls=8)
    change(labels, 0, label=None, score=None, answer="cannot say")
    change(labels, 1, label=None, score=None, answer="cannot say")
    clips_of(turns, labels, tmp_path / "data")
    with (tmp_path / "data" / "speech" / "manifest.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 8 * 3 - 1
    assert {row["soft_negative"] for row in rows} == {"0.750000", "0.250000"}
    splits: dict[str, set[str]] = {}
    for row in rows:
        assert row["negative"] == str(int(row["soft_negative"] == "0.750000"))
        assert row["path"].count("/") == 1, "a call's id must not become folders"
        splits.setdefault(row["speaker"], set()).add(row["split"])
    assert all(len(split) == 1 for split in splits.values())
    assert set.union(*splits.values()) == {"train", "eval"}


def test_others_are_drawn_for_each_negative_turn() -> None:
    """Ninety-nine calm turns for an angry one teach to say calm; figures want them all the same."""
    labels = {(f"c{n % 50}", n): Consensus(float(n % 20 == 0)) for n in range(1_000)}
    drawn = sample(labels, others_per_negative=1.5, seed=1, held_out=0.2)
    apart = set(sample(labels, others_per_negative=0, seed=1, held_out=0.2))
    apart = {key for key in apart if not labels[key].negative}
    calls = {call for call, _ in apart}
    train = [key for key in drawn if key[0] not in calls]
    negative = sum(labels[key].negative for key in train)
    assert all(key in drawn for key, label in labels.items() if label.negative)
    assert len(train) == negative + math.ceil(1.5 * negative)
    assert 0.1 < len(calls) / 50 < 0.3
    assert apart == {key for key, label in labels.items() if key[0] in calls and not label.negative}
    assert drawn == sample(labels, others_per_negative=1.5, seed=1, held_out=0.2)
    assert drawn != sample(labels, others_per_negative=1.5, seed=2, held_out=0.2)


def test_clips_that_are_there_stay(tmp_path: Path) -> None:
    """A folder of speech may hold more than this command can make again."""
    turns, labels = save_calls(tmp_path)
    (tmp_path / "data" / "speech").mkdir(parents=True)
    (tmp_path / "data" / "speech" / "mine.wav").touch()
    with pytest.raises(OutputError, match="speech: already exists"):
        clips_of(turns, labels, tmp_path / "data")
    assert (tmp_path / "data" / "speech" / "mine.wav").exists()


@pytest.mark.parametrize(
    ("file", "line", "values", "complaint"),
    [
        ("labels", 4, {"label": "furious"}, r"labels\.jsonl: line 5: label: "),
        ("labels", 4, {"call_id": "other"}, "1 labelled turns are not in the calls"),
        ("turns", 2, {"audio": None}, "call/0: turn 2 is labelled, but has no audio"),
        ("turns", 2, {"start_s": 90.0, "end_s": 91.0}, r"0\.wav: a turn begins at 90\.00 s"),
        ("turns", 2, {"audio": "absent.wav"}, r"absent\.wav: "),
    ],
)
def test_labels_and_calls_that_do_not_fit_write_nothing(
    tmp_path: Path, file: str, line: int, values: dict[str, object], complaint: str
) -> None:
    """Left out in silence, such turns would be missed by nobody until the model was."""
    turns, labels = save_calls(tmp_path)
    change(turns if file == "turns" else labels, line, **values)
    with pytest.raises((CallsError, UnreadableInputError), match=complaint) as raised:
        clips_of(turns, labels, tmp_path / "data")
    assert len(str(raised.value).splitlines()) == 1
    assert not (tmp_path / "data" / "speech").exists()


def test_a_full_disk_leaves_no_clips(tmp_path: Path) -> None:
    """Half of the clips would be trained on as if they were all."""
    turns, labels = save_calls(tmp_path)
    with no_file_over(4_000), pytest.raises(OutputError, match="cannot be written"):
        clips_of(turns, labels, tmp_path / "data")
    assert not list((tmp_path / "data").iterdir())


OWN_RECIPE = """
{name: ours, version: "1", seed: 1, corpora: [{name: calls, licence: ours}],
 heads: [{states: [2], penalty: 0.2}], shortest_s: 0.3, longest_s: 8.0, changes: [],
 folds: 2, range_clips: 4, calibration_limit: 4.0}
"""


def losses(card: Path) -> tuple[float, float]:
    made = json.loads(card.read_text())
    return made["first_loss"], made["last_loss"]


def test_the_commands_go_from_calls_to_a_model_in_production(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each command must read what the one before it wrote, and both language models learn."""
    table, human = save_calls(tmp_path, calls=8, annotators=("anna",))
    base = save_qwen2_audio(tmp_path / "base", hidden=64)
    small = save_qwen2_audio(tmp_path / "small", words=OTHER_LINE, seed=1)
    calls, chosen, labels = (tmp_path / name for name in ("c.parquet", "chosen.jsonl", "l.jsonl"))
    data, made, own, teacher, student = (
        tmp_path / name for name in ("data", "made", "own", "made/teacher", "made/student")
    )
    own_recipe = tmp_path / "ours.yaml"
    own_recipe.write_text(OWN_RECIPE)
    monkeypatch.setenv("OPENAI_API_KEY", "none")

    def run(command: str, *arguments: str | Path) -> str:
        done = CliRunner().invoke(app, [*command.split(), *map(str, arguments)])
        assert done.exit_code == 0, (done.output, done.exception)
        return done.output

    run("calls import", table, "--out", calls)
    run("label select --random 100", calls, "--out", chosen)
    with LlmServer(judge=by_loudness, key=None) as server:
        to_server = ("--endpoint", server.url, "--model", "stub", "--selection", chosen)
        run("label annotate --api openai", calls, *to_server, "--out", labels)
    agreed = json.loads(run("label agreement --json", labels, "--reference", human))
    assert agreed["against_reference"][0]["kappa"]["value"] > 0.9
    run("label clips", calls, "--labels", labels, "--out", data, "--held-out", "0.4")
    to_made = ("--data", data, "--out", made, "--recipe", a_recipe(tmp_path, base))
    assert "ROC-AUC" in run("model train teacher", *to_made)
    to_made = (*to_made[:-1], a_recipe(tmp_path, base, uld_weight=1.5))
    assert "ROC-AUC" in run("model distill", "--teacher", teacher, "--student", small, *to_made)
    for card in (teacher.with_suffix(".json"), student.with_suffix(".json")):
        first, last = losses(card)
        assert last < 0.8 * first
    figures = run(
        "model evaluate --json --clean", "--manifest", data / "speech", "--audio-lm", student
    )
    assert "calls_held_out" in figures
    run("model distill --loss labels", "--teacher", teacher, "--data", data, "--out", own)
    run("model train voice", "--data", own, "--out", made, "--recipe", own_recipe)
    run(
        "model evaluate --json --clean",
        "--manifest",
        data / "speech",
        "--model",
        made / "voice.onnx",
    )
    run("analyze --json", tmp_path / "0.wav", "--model", made / "voice.onnx")


def test_without_data_the_command_ends_in_one_line(tmp_path: Path) -> None:
    """A user without any data must not be shown a traceback, nor anything be fetched."""
    run = deescalate("model", "train", "teacher", "--data", tmp_path, "--out", tmp_path / "out")
    assert run.returncode == 2
    assert run.stderr.startswith(f"deescalate: {tmp_path / 'speech' / 'manifest.csv'}: cannot be")
    assert len(run.stderr.splitlines()) == 1
