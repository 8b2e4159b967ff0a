"""A pruned encoder learns, on degraded audio, to match the full one on clean audio."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("onnx", reason="the extra `train` is not installed")
torch = pytest.importorskip("torch", reason="the extra `distill` is not installed")

from pipecat_deescalate.models.lab.channel_effects import Line  # noqa: E402 - torch
from pipecat_deescalate.models.lab.training.checkpoint import (  # noqa: E402 - torch
    Checkpoint,
    CheckpointError,
)
from pipecat_deescalate.models.lab.training.encoder import (  # noqa: E402 - torch
    Encoder,
    find_base_model,
    read_encoder,
)
from pipecat_deescalate.models.lab.training.features import log_mel  # noqa: E402 - torch
from pipecat_deescalate.models.lab.training.graph import embedding_graph  # noqa: E402 - torch
from pipecat_deescalate.models.lab.training.recipe import StudentConfig  # noqa: E402 - torch
from pipecat_deescalate.models.lab.training.student import Lessons, teach  # noqa: E402 - torch
from pipecat_deescalate.models.lab.training.torch_encoder import (  # noqa: E402 - torch
    encode,
    encoder_of,
    weights_of,
)
from pipecat_deescalate.models.lab.training.voice_teacher import (  # noqa: E402 - torch
    VoiceTeacher,
    voice_teacher,
)
from pipecat_deescalate.models.lab.training.width_pruning import prune_width  # noqa: E402 - torch
from pipecat_deescalate.models.onnx_session import open_session  # noqa: E402 - torch

from ..audio import noise, speech_like  # noqa: E402 - torch

STATES = (0, 1, 2)
EVERY_NTH = 3
LINE = Line(
    clean=0.2,
    noise=0.7,
    noise_db=(5.0, 10.0),
    room=0.2,
    room_s=(0.2, 0.4),
    mu_law=0.2,
    gsm=0.2,
    loss=0.2,
    lost=(0.02, 0.1),
)
CONFIG = StudentConfig(
    steps=12, frames=240, piece_s=(0.5, 0.7), learning_rate=5e-5, checkpoint_every=4, line=LINE
)
TURNS = [speech_like(0.6 + 0.1 * (seed % 3), seed=seed).astype(np.float16) for seed in range(6)]


@pytest.fixture(scope="module")
def whole() -> Encoder:
    """The teacher's encoder."""
    return read_encoder(find_base_model(), 2)


@pytest.fixture(scope="module")
def start(whole: Encoder) -> Encoder:
    """What the student starts from."""
    return prune_width(whole, 256, [log_mel(turn.astype(np.float32)) for turn in TURNS])


@pytest.fixture(scope="module")
def teacher(whole: Encoder) -> VoiceTeacher:
    """A teacher of turns that differ more than these few do."""
    features = [log_mel(turn.astype(np.float32)) for turn in TURNS]
    rng = np.random.default_rng(0)
    heard = np.concatenate([_averages(whole, turn, 1) for turn in features])
    averages = heard.mean(0) + rng.standard_normal((400, heard.shape[1])).astype(np.float32)
    return voice_teacher(whole, STATES, averages, features)


def _averages(encoder: Encoder, features: NDArray[np.float32], nth: int) -> NDArray[np.float32]:
    session = open_session(embedding_graph(encoder, nth).SerializeToString())
    pooled: NDArray[np.float32] = session.run(None, {"log_mel": features[None]})[0]
    return pooled


def _lessons(**changes: object) -> Lessons:
    return Lessons(TURNS, [noise(1.0, seed=3)], CONFIG.model_copy(update=changes), seed=7)


def _nothing(_what: str, _done: int, _all: int) -> None:
    """No progress wanted."""


@pytest.mark.parametrize("frames", [30, 101, 400])
@pytest.mark.parametrize("nth", [1, EVERY_NTH])
def test_it_learns_with_the_encoder_that_ships(whole: Encoder, frames: int, nth: int) -> None:
    """If the torch graph differed, the student would learn what it never computes."""
    features = log_mel(speech_like(frames / 100, seed=frames))
    with torch.no_grad():
        heard = encode(weights_of(whole), torch.from_numpy(features[None]), nth)
    shipped = _averages(whole, features, nth)
    assert heard.averages(STATES).numpy() == pytest.approx(shipped, abs=2e-3)


def test_weights_survive_the_way_to_torch_and_back(start: Encoder) -> None:
    """A map that came back transposed or out of order would ruin the student on its export."""
    features = log_mel(speech_like(1.0, seed=1))
    before = _averages(start, features, EVERY_NTH)
    after = _averages(encoder_of(weights_of(start)), features, EVERY_NTH)
    assert np.corrcoef(before[0], after[0])[0, 1] > 0.999


def test_a_student_comes_nearer_to_its_teacher(
    start: Encoder, teacher: VoiceTeacher, tmp_path: Path
) -> None:
    """A loss that did not fall would leave the closed-form start, at twenty minutes' cost."""
    lessons = _lessons(steps=60, learning_rate=2e-4)
    taught = teach(
        start,
        teacher,
        lessons,
        every_nth=EVERY_NTH,
        checkpoint=Checkpoint(tmp_path / "student.pt", {}),
        progress=_nothing,
    )
    assert _miss(taught, teacher, lessons) < 0.9 * _miss(start, teacher, lessons)


def _miss(student: Encoder, teacher: VoiceTeacher, lessons: Lessons) -> float:
    """The miss on copies of the turns that no step has drawn."""
    clean, changed = lessons.draw(10_000, np.arange(len(TURNS)))
    with torch.no_grad():
        states = encode(weights_of(student), changed, EVERY_NTH)
        return float(teacher.miss(clean, states, EVERY_NTH).total)


def test_a_broken_off_run_goes_on_to_the_same_student(
    start: Encoder, teacher: VoiceTeacher, tmp_path: Path
) -> None:
    """What is lost to an interruption is some steps, not the run, and not the result."""

    def run(folder: str, progress: object = _nothing) -> Encoder:
        checkpoint = Checkpoint(tmp_path / f"{folder}.pt", {"start": "pruned"})
        return teach(
            start,
            teacher,
            _lessons(),
            every_nth=EVERY_NTH,
            checkpoint=checkpoint,
            progress=progress,  # type: ignore[arg-type]
        )

    def stop(_what: str, done: int, _all: int) -> None:
        if done == 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run("broken", stop)
    first, again = run("whole"), run("broken")
    assert np.array_equal(first.layers[0].qkv.weight, again.layers[0].qkv.weight)
    assert first.layers[1].fc2.bias == pytest.approx(again.layers[1].fc2.bias, abs=1e-6)


def test_a_checkpoint_of_another_start_is_refused(
    start: Encoder, teacher: VoiceTeacher, tmp_path: Path
) -> None:
    """A student that went on from another recipe's weights could never be made again."""

    def run(name: str) -> None:
        checkpoint = Checkpoint(tmp_path / "student.pt", {"recipe": name})
        lessons = _lessons(steps=1)
        teach(
            start,
            teacher,
            lessons,
            every_nth=EVERY_NTH,
            checkpoint=checkpoint,
            progress=_nothing,
        )

    run("one")
    with pytest.raises(CheckpointError, match="with the recipe one, not two"):
        run("two")


def test_every_turn_is_heard_before_one_comes_again() -> None:
    """Were the batches drawn by length alone, short turns could be left out of a run."""
    batches = _lessons(steps=4).batches()
    assert len(batches) == 4
    for epoch in (batches[:2], batches[2:]):
        assert sorted(np.concatenate(epoch)) == list(range(len(TURNS)))


def test_what_is_heard_is_as_long_as_what_is_aimed_at() -> None:
    """The states are matched frame by frame: a copy that was shifted or cut would teach noise."""
    lessons = _lessons()
    clean, changed = lessons.draw(0, np.array([0, 1, 2]))
    again = lessons.draw(0, np.array([0, 1, 2]))
    assert clean.shape == changed.shape == (3, 80, clean.shape[2])
    assert torch.equal(changed, again[1])
    assert not torch.equal(changed, lessons.draw(1, np.array([0, 1, 2]))[1])
