"""Embeddings of clips: the shipped encoder's states, averaged over time, for clips and copies.

Clips pass the telephone band, once unchanged and once per change of the recipe. The shipped encoder
is the full one after width pruning, distillation on degraded audio, key shortening and rounding.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...audio.recording import read_audio
from ...onnx_session import open_session
from ...progress import Progress
from ...readings import SAMPLE_RATE, Samples
from ..channel_effects import Effect, telephone, with_effect
from ..datasets import Clip, cached_rows
from .encoder import CHANNELS, Encoder
from .features import HOP, log_mel
from .graph import embedding_graph
from .int8_saturation import avoid_saturation
from .lda_head import Rows
from .recipe import Recipe
from .width_pruning import prune_width, shorten_keys

_PREPARATION = 2
"""Increase when this module prepares audio differently: it invalidates cached embeddings."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """The audio side of a run: how a clip becomes copies, features and embeddings."""

    recipe: Recipe
    encoder: Encoder
    noises: Sequence[Samples]

    @property
    def noise_digest(self) -> str:
        """Return a digest of the noises."""
        digest = hashlib.sha256()
        for noise in self.noises:
            digest.update(f"{noise.size} ".encode())
            digest.update(noise.tobytes())
        return digest.hexdigest()

    def copy(self, clip: Clip, index: int) -> Samples:
        """Return copy `index` of a clip (0: telephone band only) at a length for the model."""
        samples = read_audio(clip.path)
        if index == 0:
            samples = telephone(samples)
        else:
            change = self.recipe.changes[index - 1]
            rng = np.random.default_rng([self.recipe.seed, clip.key])
            samples = with_effect(samples, change.kind, change.amount, self.noises, rng)
        return fitted(samples, self.recipe)

    def range_turns(self, clips: Sequence[Clip]) -> list[Samples]:
        """Return a sample of clips, unchanged and changed, to measure int8 ranges on."""
        recipe = self.recipe
        drawn = np.random.default_rng(recipe.seed).permutation(len(clips))[: recipe.range_clips]
        copies = len(recipe.changes) + 1
        return [self.copy(clips[i], int(i) % copies) for i in sorted(drawn)]


@dataclass(frozen=True, slots=True)
class Embeddings:
    """The shipped encoder, and its embeddings of the clips and of the calm turns."""

    encoder: Encoder
    rows: Rows
    turns: NDArray[np.float32]


def embed(
    whole: Prepared,
    clips: Sequence[Clip],
    turns: Sequence[Clip],
    drawn: Sequence[Samples],
    *,
    cache: Path,
    progress: Progress,
) -> Embeddings:
    """Make the shipped encoder from the full one, and embed everything with it.

    `drawn` is a sample of the clips, on which weights and ranges are measured.
    """
    recipe = whole.recipe
    features = [log_mel(turn) for turn in drawn]
    progress("pruning", 0, 1)
    small = prune_width(whole.encoder, recipe.hidden_units, features)
    progress("pruning", 1, 1)
    every = [*clips, *turns]
    averages = np.zeros((len(every), 0), np.float32)
    if recipe.student is not None or recipe.soft_labels:
        everything = replace(whole, recipe=recipe.model_copy(update={"every_nth": 1}))
        averages = _averages(everything, every, 0, cache, progress)
    if recipe.student is not None:
        small = _distilled(
            whole, small, averages, features, clips=every, cache=cache, progress=progress
        )
    progress("rounding", 0, 1)
    short = shorten_keys(small, recipe.key_sizes, features)
    prepared = replace(whole, encoder=avoid_saturation(short, features))
    progress("rounding", 1, 1)
    copies = [
        _averages(prepared, clips, i, cache, progress) for i in range(len(recipe.changes) + 1)
    ]
    return Embeddings(
        prepared.encoder,
        _rows(clips, copies, averages[: len(clips)]),
        _averages(prepared, turns, 0, cache, progress),
    )


def _distilled(
    whole: Prepared,
    start: Encoder,
    averages: NDArray[np.float32],
    features: Sequence[NDArray[np.float32]],
    *,
    clips: Sequence[Clip],
    cache: Path,
    progress: Progress,
) -> Encoder:
    """Return `start` after distillation from the full encoder on the clips, without labels.

    `averages` are the full encoder's for the clips, `features` those of a sample of them.
    """
    from .checkpoint import Checkpoint  # noqa: PLC0415 - torch
    from .student import Lessons, teach  # noqa: PLC0415 - torch
    from .voice_teacher import voice_teacher  # noqa: PLC0415 - torch

    recipe = whole.recipe
    assert recipe.student is not None
    teacher = voice_teacher(whole.encoder, recipe.states, averages, features)
    turns = [fitted(read_audio(clip.path), recipe).astype(np.float16) for clip in clips]
    lessons = Lessons(turns, whole.noises, recipe.student, recipe.seed)
    checkpoint = Checkpoint(cache / _student_file(whole, start, [*turns, *features]), {})
    return teach(
        start,
        teacher,
        lessons,
        every_nth=recipe.every_nth,
        checkpoint=checkpoint,
        progress=progress,
    )


def _student_file(
    whole: Prepared, start: Encoder, inputs: Sequence[NDArray[np.float16] | NDArray[np.float32]]
) -> str:
    """Return a checkpoint name with a digest of everything that a student depends on.

    `inputs` are the turns that it learns from and the features that scale its loss.
    """
    recipe = whole.recipe
    digest = hashlib.sha256(f"{recipe.student} {recipe.seed} {recipe.states}".encode())
    digest.update(f"{recipe.every_nth} {start.fingerprint} {whole.noise_digest}".encode())
    for array in inputs:
        digest.update(array.tobytes())
    return f"student-{digest.hexdigest()[:32]}.pt"


def fitted(samples: Samples, recipe: Recipe) -> Samples:
    """Return the first `longest_s` of a clip, padded with silence to `shortest_s`."""
    shortest = round(recipe.shortest_s * SAMPLE_RATE)
    cut = samples[: round(recipe.longest_s * SAMPLE_RATE)]
    return np.pad(cut, (0, max(0, shortest + HOP - cut.size)))


def _averages(
    prepared: Prepared, clips: Sequence[Clip], index: int, cache: Path, progress: Progress
) -> NDArray[np.float32]:
    """Return averages of the recipe's states, (clips, 384 * states); the cache has all states."""
    recipe = prepared.recipe
    graph = embedding_graph(prepared.encoder, recipe.every_nth)
    content = graph.SerializeToString(deterministic=True)
    session = open_session(content)

    def compute(clip: Clip) -> NDArray[np.float32]:
        features = log_mel(prepared.copy(clip, index))[None]
        averages: NDArray[np.float32] = session.run(None, {"log_mel": features})[0].reshape(-1)
        return averages

    encoder = hashlib.sha256(content).hexdigest()
    depends: tuple[object, ...] = (encoder, recipe.shortest_s, recipe.longest_s)
    what = "unchanged"
    if index:
        change = recipe.changes[index - 1]
        what = change.kind.value
        depends = (*depends, recipe.seed, change.amount)
        if change.kind is Effect.NOISE:
            depends = (*depends, prepared.noise_digest)
    every = cached_rows(cache, f"{what} {_PREPARATION} {depends}", clips, compute, progress)
    states = every.reshape(len(clips), recipe.layers + 1, CHANNELS)[:, list(recipe.states)]
    return states.reshape(len(clips), CHANNELS * len(recipe.states))


def _rows(
    clips: Sequence[Clip], copies: Sequence[NDArray[np.float32]], whole: NDArray[np.float32]
) -> Rows:
    changed_copies = [copy - copies[0] for copy in copies[1:]]
    return Rows(
        copies[0],
        np.stack(changed_copies, axis=1)
        if changed_copies
        else np.zeros((len(clips), 0, copies[0].shape[1]), np.float32),
        whole,
        np.array([float(bool(c.negative)) for c in clips]),
        np.array([float(bool(c.negative)) if (p := c.soft_negative) is None else p for c in clips]),
        np.array([c.corpus for c in clips]),
        np.array([f"{c.corpus}/{c.speaker}" for c in clips]),
        np.array([c.emotion for c in clips]),
    )
