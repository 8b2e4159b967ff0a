"""A teacher by LoRA, on a tiny random audio language model; nothing is fetched."""

from __future__ import annotations

import io
import json
import resource
import shutil
from pathlib import Path

import numpy as np
import pytest

from pipecat_deescalate.models.errors import AudioError, ModelFileError, UnreadableInputError
from pipecat_deescalate.models.files import OutputError

from ..audio import write_audio
from ..disk import fill_up, no_file_over

torch = pytest.importorskip("torch", reason="the extra `distill` is not installed")
pytest.importorskip("peft", reason="the extra `distill` is not installed")

from pipecat_deescalate.models.lab.audio_lm import AudioLanguageModel  # noqa: E402 - torch
from pipecat_deescalate.models.lab.training.checkpoint import (  # noqa: E402 - torch
    CHECKPOINT_FILE,
    CheckpointError,
    TrainingError,
)
from pipecat_deescalate.models.lab.training.lm_data import (  # noqa: E402 - torch
    class_weights,
    epoch_batches,
    read_turns,
)
from pipecat_deescalate.models.lab.training.lm_recipes import (  # noqa: E402 - torch
    load_distil_recipe,
    load_teacher_recipe,
)
from pipecat_deescalate.models.lab.training.teacher import train_teacher  # noqa: E402 - torch

from .audio_lms import a_recipe, a_turn, nothing, save_turns  # noqa: E402 - torch

NEGATIVE = np.array([True, False, False, False, True, False, False, False])


def adapter(folder: Path) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file  # noqa: PLC0415 - torch

    weights: dict[str, torch.Tensor] = load_file(folder / "adapter_model.safetensors")
    return weights


def saved(state: object) -> bytes:
    content = io.BytesIO()
    torch.save(state, content)
    return content.getvalue()


def test_it_learns_what_the_turns_show(teaching: Path) -> None:
    """A loss that falls on the wrong tokens would leave the turns apart as they were."""
    card = json.loads((teaching / "out" / "teacher.json").read_text())
    assert card["last_loss"] < card["first_loss"] / 2
    assert card["turns"] == 16
    assert card["negative"] == 6
    assert card["held_out"]["roc_auc"] > 0.9
    assert not (teaching / "out" / CHECKPOINT_FILE).exists()


def test_evaluate_reads_the_folder_as_a_model(teaching: Path) -> None:
    """What was measured in training must be what `evaluate --audio-lm` measures later."""
    model = AudioLanguageModel(teaching / "out" / "teacher")
    calm, loud = (
        [model.classify(a_turn(negative=kind, seed=seed), 16_000).p_negative for seed in range(4)]
        for kind in (False, True)
    )
    assert max(filter(None, calm)) < min(filter(None, loud))


def test_the_folder_is_a_model_wherever_it_is_read_from(
    teaching: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A recipe names its model from where the command ran; a bot runs elsewhere."""
    monkeypatch.chdir(teaching)
    recipe = load_teacher_recipe(a_recipe(tmp_path, Path("base"), epochs=1))
    made = train_teacher(recipe, teaching / "data", tmp_path / "out", nothing)
    monkeypatch.chdir(tmp_path)
    assert (
        AudioLanguageModel(made.folder).classify(a_turn(negative=True, seed=1), 16_000).p_negative
    )


def test_a_run_that_was_killed_goes_on_to_the_same_weights(teaching: Path, tmp_path: Path) -> None:
    """Resumed from the wrong step, or with other dropout, it would end elsewhere."""
    recipe = load_teacher_recipe(a_recipe(tmp_path, teaching / "base"))

    def killed(what: str, done: int, _: int) -> None:
        if what == "training" and done == 12:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_teacher(recipe, teaching / "data", tmp_path / "out", killed)
    assert (tmp_path / "out" / CHECKPOINT_FILE).is_file()
    done = []
    train_teacher(
        recipe, teaching / "data", tmp_path / "out", lambda what, at, _: done.append((what, at))
    )
    assert done[0] == ("training", 10)
    whole = adapter(teaching / "out" / "teacher")
    for name, weight in adapter(tmp_path / "out" / "teacher").items():
        torch.testing.assert_close(weight, whole[name])


@pytest.fixture
def interrupted(teaching: Path, tmp_path: Path) -> Path:
    """A run that left a checkpoint after five steps."""
    recipe = load_teacher_recipe(a_recipe(tmp_path, teaching / "base"))

    def killed(_: str, done: int, __: int) -> None:
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_teacher(recipe, teaching / "data", tmp_path / "out", killed)
    return tmp_path


def test_a_checkpoint_of_another_run_is_refused(teaching: Path, interrupted: Path) -> None:
    """Weights of one model, or of other turns, set into another are noise."""
    other = shutil.copytree(teaching / "base", interrupted / "other")
    recipe = load_teacher_recipe(a_recipe(interrupted, other))
    with pytest.raises(
        CheckpointError, match=r"is from another run, with the model .*base, not .*other"
    ):
        train_teacher(recipe, teaching / "data", interrupted / "out", nothing)
    recipe = load_teacher_recipe(a_recipe(interrupted, teaching / "base"))
    fewer = save_turns(interrupted / "data", train=9)
    with pytest.raises(CheckpointError, match="with the turns"):
        train_teacher(recipe, fewer, interrupted / "out", nothing)
    assert not (interrupted / "out" / "teacher").exists()


def test_a_damaged_checkpoint_is_one_line(teaching: Path, interrupted: Path) -> None:
    """A file cut short, or of another program, must not end in torch's own words."""
    checkpoint = interrupted / "out" / CHECKPOINT_FILE
    recipe = load_teacher_recipe(a_recipe(interrupted, teaching / "base"))
    whole = checkpoint.read_bytes()
    for content in (whole[:5_000], b"not a checkpoint", b"", saved([1]), saved({"identity": None})):
        checkpoint.write_bytes(content)
        with pytest.raises(CheckpointError, match=r"is damaged.*delete it") as raised:
            train_teacher(recipe, teaching / "data", interrupted / "out", nothing)
        assert len(str(raised.value).splitlines()) == 1


def test_a_full_disk_leaves_nothing_half_written(teaching: Path, tmp_path: Path) -> None:
    """Half a checkpoint, or half a model, would be taken for a whole one."""
    recipe = load_teacher_recipe(a_recipe(tmp_path, teaching / "base", epochs=1))
    with no_file_over(4_000), pytest.raises(OutputError, match="cannot be written"):
        train_teacher(recipe, teaching / "data", tmp_path / "out", nothing)
    assert list((tmp_path / "out").iterdir()) == []

    def full_at_the_end(what: str, _: int, __: int) -> None:
        if what == "classifying":
            fill_up(4_000)

    with (
        no_file_over(resource.RLIM_INFINITY),
        pytest.raises(OutputError, match="cannot be written"),
    ):
        train_teacher(recipe, teaching / "data", tmp_path / "out", full_at_the_end)
    assert [path.name for path in (tmp_path / "out").iterdir()] == [CHECKPOINT_FILE]


def test_classes_weigh_alike_or_are_sampled() -> None:
    """Negative turns are rare: left as they are, never saying so would be right almost always."""
    weights = class_weights(NEGATIVE, None)
    assert sum(weights[i] for i in (0, 4)) == pytest.approx(sum(weights) / 2)
    assert set(class_weights(NEGATIVE, 1.0)) == {1.0}
    everything = epoch_batches(NEGATIVE, None, batch=3, seed=0, epoch=0)
    assert sorted(i for batch in everything for i in batch) == list(range(8))
    epochs = [
        sorted(i for batch in epoch_batches(NEGATIVE, 1.5, batch=3, seed=0, epoch=e) for i in batch)
        for e in range(8)
    ]
    for drawn in epochs:
        assert len(drawn) == 5
        assert {0, 4} <= set(drawn)
    assert len(set(map(tuple, epochs))) > 1, "the same non-negative turns each epoch"


def test_turns_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    """A bad file found after hours of training costs those hours."""
    speech = save_turns(tmp_path, train=6, held_out=0) / "speech"
    assert len(read_turns(tmp_path).train) == 6
    write_audio(
        speech / "calls" / "4.wav", a_turn(negative=False, seed=1)[:320], 16_000, "pcm16.wav"
    )
    with pytest.raises(AudioError, match=r"4\.wav: 0\.02 s are too short"):
        read_turns(tmp_path)
    (speech / "calls" / "4.wav").unlink()
    with pytest.raises(AudioError, match=r"4\.wav: no such file"):
        read_turns(tmp_path)
    manifest = (speech / "manifest.csv").read_text()
    (speech / "manifest.csv").write_text(manifest.replace(",any,1,", ",any,angry,"))
    with pytest.raises(
        UnreadableInputError, match=r"manifest\.csv: row 1: negative is 'angry', neither"
    ):
        read_turns(tmp_path)
    (speech / "manifest.csv").write_text(manifest.replace(",any,1,", ",any,0,"))
    with pytest.raises(UnreadableInputError, match="has no negative turns in its train split"):
        read_turns(tmp_path)


def test_a_recipe_that_fits_no_model_is_one_line(teaching: Path, tmp_path: Path) -> None:
    """No layers to train, no such model, an unknown key: each says what to change."""
    path = a_recipe(tmp_path, teaching / "base")
    recipe = load_teacher_recipe(path)
    nowhere = recipe.model_copy(
        update={"lora": recipe.lora.model_copy(update={"targets": "no_such_layer"})}
    )
    with pytest.raises(UnreadableInputError, match=r"lora\.targets: no layer name of .*base"):
        train_teacher(nowhere, teaching / "data", tmp_path / "out", nothing)
    absent = recipe.model_copy(update={"model": str(tmp_path / "absent")})
    with pytest.raises(ModelFileError, match="absent: cannot be loaded: it is not on this machine"):
        train_teacher(absent, teaching / "data", tmp_path / "out", nothing)
    (tmp_path / "taken" / "teacher").mkdir(parents=True)
    with pytest.raises(OutputError, match="teacher: exists but has no LoRA weights"):
        train_teacher(recipe, teaching / "data", tmp_path / "taken", nothing)
    path.write_text(path.read_text().replace("warmup:", "warm_up:"))
    with pytest.raises(UnreadableInputError, match=r"schedule\.warmup: missing key"):
        load_teacher_recipe(path)


def test_a_loss_that_is_not_finite_ends_the_run(teaching: Path, tmp_path: Path) -> None:
    """Weights that are not finite would be trained for days, and written."""
    recipe = load_teacher_recipe(a_recipe(tmp_path, teaching / "base", learning_rate=1e30))
    with pytest.raises(TrainingError, match="the loss is not finite; lower the learning rate"):
        train_teacher(recipe, teaching / "data", tmp_path / "out", nothing)
    assert not (tmp_path / "out" / "teacher").exists()


def test_less_memory_gives_the_same_first_step(teaching: Path, tmp_path: Path) -> None:
    """Activations computed again, and batches added up, must not change what is learnt."""
    path = a_recipe(tmp_path, teaching / "base", epochs=1, batch=4)
    usual = load_teacher_recipe(path)
    usual = usual.model_copy(update={"lora": usual.lora.model_copy(update={"dropout": 0.0})})
    thrifty = usual.model_copy(
        update={
            "recompute": True,
            "schedule": usual.schedule.model_copy(update={"batch": 2, "accumulate": 2}),
        }
    )
    for recipe, name in ((usual, "usual"), (thrifty, "thrifty")):
        train_teacher(recipe, teaching / "data", tmp_path / name, nothing)
    weights = adapter(tmp_path / "usual" / "teacher")
    for name, weight in adapter(tmp_path / "thrifty" / "teacher").items():
        torch.testing.assert_close(weight, weights[name], atol=2e-3, rtol=1e-2)


def test_it_trains_in_half_precision(teaching: Path, tmp_path: Path) -> None:
    """bfloat16 is the shipped recipe's precision; the LoRA weights stay in float32."""
    recipe = load_teacher_recipe(a_recipe(tmp_path, teaching / "base", epochs=2))
    recipe = recipe.model_copy(update={"precision": "bfloat16"})
    made = train_teacher(recipe, teaching / "data", tmp_path / "out", nothing)
    assert made.last_loss < made.first_loss
    assert {weight.dtype for weight in adapter(made.folder).values()} == {torch.float32}


def test_the_shipped_recipes_are_valid() -> None:
    """They are read for the first time on a rented GPU."""
    assert load_teacher_recipe().model == "Qwen/Qwen2-Audio-7B-Instruct"
    assert load_distil_recipe().model == "lmms-lab/Aero-1-Audio"
