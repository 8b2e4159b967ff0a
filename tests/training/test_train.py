"""A training run, whole: from audio files to a model that the runtime loads."""

from __future__ import annotations

import json
import resource
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx", reason="the extra `train` is not installed")

from pipecat_deescalate.models.calibration import Calibration
from pipecat_deescalate.models.errors import UnreadableInputError
from pipecat_deescalate.models.files import OutputError
from pipecat_deescalate.models.lab.channel_effects import Effect
from pipecat_deescalate.models.lab.evaluation.evaluation_report import Role
from pipecat_deescalate.models.lab.evaluation.scoring import add_evaluation, evaluate_manifest
from pipecat_deescalate.models.lab.training.lda_head import UnlearnableError
from pipecat_deescalate.models.lab.training.recipe import (
    Change,
    CorpusRecipe,
    Recipe,
    StudentConfig,
    load_recipe,
)
from pipecat_deescalate.models.lab.training.train_voice import TrainingResult, train_voice
from pipecat_deescalate.models.onnx_session import open_session
from pipecat_deescalate.models.readings import EmotionReading, Samples

from ..audio import speech_like, write_audio
from ..disk import fill_up, no_file_over


def _quiet(_what: str, _done: int, _all: int) -> None:
    """No progress wanted."""


def _recipe(**changes: object) -> Recipe:
    corpora = (
        CorpusRecipe(name="first", licence="none"),
        CorpusRecipe(name="second", licence="none"),
    )
    tiny = {"corpora": corpora, "folds": 2, "range_clips": 8, "student": None}
    return load_recipe().model_copy(update=tiny | changes)


def _short_student() -> StudentConfig:
    """The shipped student with little time to learn."""
    student = load_recipe().student
    assert student is not None
    return student.model_copy(update={"steps": 3, "frames": 240})


@pytest.fixture(scope="module")
def result(tiny_data: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainingResult:
    """One finished run."""
    return train_voice(_recipe(), tiny_data, tmp_path_factory.mktemp("run"), _quiet)


class _Trained:
    """The model of a run, as the runtime uses one."""

    name = "trained"

    def __init__(self, model: Path) -> None:
        self._session = open_session(model)
        properties = self._session.get_modelmeta().custom_metadata_map
        self._calibration = Calibration.from_json(properties["calibration"])

    def classify(self, audio: Samples, sample_rate: int) -> EmotionReading:
        logit = self._session.run(["logit"], {"samples": audio})[0]
        p = self._calibration.probability(float(logit[0]))
        return EmotionReading(p, self.name, len(audio) / sample_rate, 0.0)


def test_a_run_learns_what_there_is_to_learn(result: TrainingResult, tiny_data: Path) -> None:
    """The whole chain, audio to probability, must separate the classes on left-out clips."""
    found = evaluate_manifest(_Trained(result.model), tiny_data / "speech" / "manifest.csv")
    assert found.mean is not None
    assert found.mean.corpora == ("held_back",)
    assert found.mean.roc_auc > 0.9
    assert set(result.left_out_corpus) == set(result.left_out_speakers) == {"first", "second"}


def test_the_same_seed_gives_the_same_model(
    result: TrainingResult, tiny_data: Path, tmp_path: Path
) -> None:
    """A model that cannot be made again cannot be trusted or repaired."""
    again = train_voice(_recipe(), tiny_data, tmp_path, _quiet)
    assert again.model.read_bytes() == result.model.read_bytes()
    assert again.calibration == result.calibration


def test_a_student_is_trained_and_the_same_again(
    result: TrainingResult, tiny_data: Path, tmp_path: Path
) -> None:
    """The shipped recipe has a student: its run must end, differ from one without, and repeat."""
    pytest.importorskip("torch", reason="the extra `distill` is not installed")
    recipe = _recipe(student=_short_student())
    first = train_voice(recipe, tiny_data, tmp_path / "one", _quiet)
    assert first.model.read_bytes() != result.model.read_bytes()
    again = train_voice(recipe, tiny_data, tmp_path / "two", _quiet)
    assert again.left_out_corpus == pytest.approx(first.left_out_corpus, abs=0.01)
    resumed = train_voice(recipe, tiny_data, tmp_path / "one", _quiet)
    assert resumed.model.read_bytes() == first.model.read_bytes()


def test_a_student_of_too_deep_an_encoder_is_refused(tmp_path: Path) -> None:
    """It would fail half an hour into the run."""
    values = load_recipe().model_dump(mode="json") | {"heads": [{"states": [3], "penalty": 0.2}]}
    path = tmp_path / "recipe.yaml"
    path.write_text(json.dumps(values))
    with pytest.raises(UnreadableInputError, match="a student has two layers"):
        load_recipe(path)


def test_another_seed_gives_another_model(
    result: TrainingResult, tiny_data: Path, tmp_path: Path
) -> None:
    """If the seed did nothing, the test above would prove nothing."""
    other = train_voice(_recipe(seed=7), tiny_data, tmp_path, _quiet)
    assert other.model.read_bytes() != result.model.read_bytes()


def test_a_broken_off_run_goes_on_from_its_cache(
    result: TrainingResult, tiny_data: Path, tmp_path: Path
) -> None:
    """Hours of feature extraction must survive an interruption, and leave no half a model."""

    def stop(what: str, done: int, _all: int) -> None:
        if what == "fitting":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_voice(_recipe(), tiny_data, tmp_path, stop)
    assert not list(tmp_path.glob("*.onnx"))
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").iterdir()}
    again = train_voice(_recipe(), tiny_data, tmp_path, _quiet)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").iterdir()} == before
    assert again.model.read_bytes() == result.model.read_bytes()


def test_a_full_disk_leaves_an_older_run_as_it_was(
    result: TrainingResult, tiny_data: Path, tmp_path: Path
) -> None:
    """New predictions beside an older model would be taken for that model's."""
    made = shutil.copytree(result.model.parent, tmp_path / "made")
    before = {path.name: path.read_bytes() for path in made.iterdir() if path.is_file()}

    def full_at_the_end(what: str, _done: int, _all: int) -> None:
        if what == "exporting":
            fill_up(100_000)

    with (
        no_file_over(resource.RLIM_INFINITY),
        pytest.raises(OutputError, match="cannot be written"),
    ):
        train_voice(_recipe(seed=7), tiny_data, made, full_at_the_end)
    assert {path.name: path.read_bytes() for path in made.iterdir() if path.is_file()} == before


@pytest.mark.parametrize("frames", [30, 31, 100, 333, 799, 800])
def test_a_turn_of_any_length_costs_no_padding(result: TrainingResult, frames: int) -> None:
    """The model takes 0.3 to 8 s as they are and answers with one finite number."""
    turn = speech_like(frames / 100, seed=frames)
    logit = open_session(result.model).run(["logit"], {"samples": turn})[0]
    assert logit.shape == (1,)
    assert np.isfinite(logit).all()


def test_arousal_and_valence_need_emotions_that_are_placed(
    result: TrainingResult, tiny_data: Path, tmp_path: Path
) -> None:
    """Labels of a corpus that the recipe does not place must give no made-up coordinates."""
    assert result.affect == {}
    assert _outputs(result.model) == {"logit", "course"}
    placed = _recipe(changes=(), circumplex_degrees={"any": 45.0})
    both = train_voice(placed, tiny_data, tmp_path, _quiet)
    assert _outputs(both.model) == {"logit", "arousal", "valence", "course"}


def _outputs(model: Path) -> set[str]:
    return {output.name for output in open_session(model).get_outputs()}


def test_the_file_says_what_it_is(result: TrainingResult) -> None:
    """The runtime reads name, rate and calibration from the model itself."""
    properties = open_session(result.model).get_modelmeta().custom_metadata_map
    assert properties["name"] == "voice-3.2"
    assert properties["sample_rate"] == "16000"
    assert properties["training_corpora"] == "first, second"
    assert properties["recipe_sha256"] == result.recipe_sha256
    assert Calibration.from_json(properties["calibration"]) == result.calibration
    assert result.model.stat().st_size < 4_000_000


def test_the_card_takes_its_figures_from_the_runs(result: TrainingResult, tiny_data: Path) -> None:
    """A figure in the card that no run wrote is a claim without evidence."""
    card = result.model.with_suffix(".json")
    kept = result.model.with_name("out_of_fold.csv")
    manifest = tiny_data / "speech" / "manifest.csv"
    report = evaluate_manifest(_Trained(result.model), manifest, out_of_fold=kept)
    add_evaluation(card, report)
    values = json.loads(card.read_text())
    assert values["training"]["left_out_corpus"] == result.left_out_corpus
    assert values["evaluation"]["mean"]["roc_auc"] == report.mean.roc_auc if report.mean else None
    roles = {c["corpus"]: c["role"] for c in values["evaluation"]["corpora"]}
    assert roles == {
        "held_back": Role.ZERO_SHOT,
        "first": Role.SPEAKERS_LEFT_OUT,
        "second": Role.SPEAKERS_LEFT_OUT,
    }


def test_what_is_for_evaluation_is_never_trained_on(tiny_data: Path, tmp_path: Path) -> None:
    """One slip here and every figure in the README is worthless."""
    recipe = _recipe(corpora=(CorpusRecipe(name="held_back", licence="none"),))
    with pytest.raises(UnreadableInputError, match="may not be trained on"):
        train_voice(recipe, tiny_data, tmp_path, _quiet)


def test_a_teachers_labels_count_instead_of_the_manifests(tiny_data: Path, tmp_path: Path) -> None:
    """Were soft_negative not read, distilling into our own student would change nothing."""
    data = shutil.copytree(tiny_data, tmp_path / "data")
    manifest = data / "speech" / "manifest.csv"
    header, *rows = manifest.read_text().splitlines()
    lines = [f"{header},soft_negative"]
    lines += [f"{row},{0.9 if row.split(',')[5] == '0' else 0.2}" for row in rows]
    manifest.write_text("\n".join(lines))
    with pytest.raises(UnlearnableError, match="16 clips: left-out clips get the wrong sign"):
        train_voice(_recipe(changes=()), data, tmp_path / "run", _quiet)


Rewrite = Callable[[list[str]], str]


@pytest.mark.parametrize(
    ("corpus_speaker_negative", "complaint"),
    [
        (lambda row: f"{row[1]},xx,{row[3]},any,0", "clips of both classes are needed"),
        (
            lambda row: f"{row[1]},xx,{row[3]},any,{int(row[1] == 'first')}",
            "clips of both classes are needed",
        ),
        (lambda row: f"first,xx,{row[5]},any,{row[5]}", "clips of both classes are needed"),
        (lambda row: f"first,xx,ann,any,{row[5]}", "clips of one speaker only"),
    ],
)
def test_labels_that_train_nothing_are_named(
    tiny_data: Path, tmp_path: Path, corpus_speaker_negative: Rewrite, complaint: str
) -> None:
    """With calm clips only, the message must not be about contradictions or a division by 0."""
    data = shutil.copytree(tiny_data, tmp_path / "data")
    manifest = data / "speech" / "manifest.csv"
    header, *rows = (line.split(",") for line in manifest.read_text().splitlines())
    rows = [row for row in rows if row[-1] == "train"]
    lines = [f"{row[0]},{corpus_speaker_negative(row)},0.8,train" for row in rows]
    manifest.write_text("\n".join([",".join(header), *lines]))
    names = sorted({line.split(",")[1] for line in lines})
    corpora = tuple(CorpusRecipe(name=name, licence="none") for name in names)
    with pytest.raises(UnlearnableError, match=complaint):
        train_voice(
            _recipe(changes=(), soft_labels=0.0, corpora=corpora), data, tmp_path / "run", _quiet
        )


def test_silence_teaches_nothing(tiny_data: Path, tmp_path: Path) -> None:
    """A recorder that wrote zeros must not end in a division by zero."""
    data = shutil.copytree(tiny_data, tmp_path / "data")
    for clip in (data / "speech").rglob("*.wav"):
        write_audio(clip, np.zeros(12_800, np.float32), 16_000, "pcm16.wav")
    with pytest.raises(UnlearnableError, match="sound the same"):
        train_voice(_recipe(changes=()), data, tmp_path / "run", _quiet)


def test_other_noises_give_another_model(tiny_data: Path, tmp_path: Path) -> None:
    """Averages kept from a run with other noises would be taken for those of these."""
    noisy = Change(kind=Effect.NOISE, amount=(5.0, 20.0), weight=1.0)
    recipe = _recipe(changes=(noisy,), range_clips=1, seed=6)  # ranges measured without noise
    data = shutil.copytree(tiny_data, tmp_path / "data")
    before = train_voice(recipe, data, tmp_path / "before", _quiet)
    hum = speech_like(1.0, seed=8)
    write_audio(data / "noise" / "hiss.wav", hum, 16_000, "pcm16.wav")
    after = train_voice(recipe, data, tmp_path / "after", _quiet, tmp_path / "before" / "cache")
    assert after.model.read_bytes() != before.model.read_bytes()


def test_missing_noises_are_named_before_the_run(tiny_data: Path, tmp_path: Path) -> None:
    """A wrong folder must not end in an error of numpy's after the clips were read."""
    data = shutil.copytree(tiny_data, tmp_path / "data")
    (data / "noise" / "hiss.wav").unlink()
    with pytest.raises(UnreadableInputError, match="noise: has no recordings"):
        train_voice(_recipe(), data, tmp_path / "out", _quiet)


def test_calm_turns_that_are_not_there_are_missed(tiny_data: Path, tmp_path: Path) -> None:
    """The card would name real calls as what calibrated the model, and none would have."""
    data = shutil.copytree(tiny_data, tmp_path / "data")
    calls = data / "calls" / "getgoing" / "calls.csv"
    calls.write_text("path,caller\n" + "".join(f"none.wav,{caller}\n" for caller in range(3)))
    with pytest.raises(UnreadableInputError, match="only of callers in the evaluation"):
        train_voice(_recipe(), data, tmp_path / "out", _quiet)


def test_missing_data_are_named(tmp_path: Path) -> None:
    """A run without its data must end with the path that is missing."""
    with pytest.raises(UnreadableInputError, match=r"manifest\.csv"):
        train_voice(_recipe(), tmp_path, tmp_path / "out", _quiet)


def test_a_recipe_with_an_unknown_key_is_refused(tmp_path: Path) -> None:
    """A misspelt key would silently train another model."""
    path = tmp_path / "recipe.yaml"
    path.write_text("nmae: voice\n")
    with pytest.raises(UnreadableInputError, match=r"recipe\.yaml"):
        load_recipe(path)
