"""A teacher that first says how a turn sounds, and is weaned off saying it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipecat_deescalate.models.lab.datasets import Clip
from pipecat_deescalate.models.lab.training.reasoning import Reasoning, reason

from ..audio import speech_like, write_audio

pytest.importorskip("peft", reason="the extra `distill` is not installed")

from pipecat_deescalate.models.lab.audio_lm import REASONING_PROMPT, AudioLm
from pipecat_deescalate.models.lab.training.lm_recipes import load_teacher_recipe
from pipecat_deescalate.models.lab.training.teacher import train_teacher

from .audio_lms import a_recipe, nothing


@given(st.integers(1, 300), st.integers(2, 200))
def test_the_share_of_explicit_answers_falls_linearly_from_one_to_zero(
    turns: int, steps: int
) -> None:
    """Reasoning that never ends, or ends at once, is not what the schedule is for."""
    reasoning = Reasoning(("it is loud",) * turns, np.random.permutation(turns) / turns)
    before = set(range(turns))
    for step in range(steps):
        done = step / (steps - 1)
        explicit = {turn for turn in range(turns) if reasoning.said(turn, done)}
        assert abs(len(explicit) - turns * (1 - done)) <= 1
        assert explicit <= before, "a turn that was given up must not come back"
        before = explicit
    assert not before


def clips(folder: Path, levels: dict[str, list[float]]) -> list[Clip]:
    """Clips of callers, each at its levels."""
    made = []
    for caller, each in levels.items():
        for index, level in enumerate(each):
            path = folder / f"{caller}-{index}.wav"
            write_audio(path, speech_like(1.0, level=level, seed=index), 16_000, "pcm16.wav")
            made.append(Clip(path, "calls", caller, "any", False, "train"))
    return made


def test_turns_are_compared_with_all_or_with_the_callers_own(tmp_path: Path) -> None:
    """A caller with a loud phone would be loud in every turn, had they not their own measure."""
    loud_line, soft_line, seldom = [0.3, 0.3, 0.29, 0.3, 0.12], [0.02] * 9, [0.02, 0.4]
    found = clips(tmp_path, {"a": loud_line, "b": soft_line, "c": seldom})
    against_all = reason(found, "corpus", 0, nothing).texts
    assert all("other callers" in text for text in against_all)
    assert "the voice is loud" in against_all[0]
    against_own = reason(found, "caller", 0, nothing).texts
    assert "this caller's other turns" in against_own[0]
    assert "the voice is of medium loudness" in against_own[0]
    assert "the voice is soft" in against_own[4]
    assert "other callers" in against_own[-1], "two turns are no measure"


def test_it_learns_to_answer_at_once(teaching: Path, tmp_path: Path) -> None:
    """In the end the label alone is read, from a question that was not asked at the beginning."""
    recipe = load_teacher_recipe(a_recipe(tmp_path, teaching / "base", epochs=10))
    reasoned = recipe.model_copy(update={"reasoning": "corpus"})
    made = train_teacher(reasoned, teaching / "data", tmp_path / "out", nothing)
    assert made.last_loss < made.first_loss / 2
    assert made.held_out is not None
    assert made.held_out.roc_auc > 0.9
    lm = AudioLm(made.folder)
    explicit, label = lm.answer(True, "It is loud."), lm.answer(True)
    assert REASONING_PROMPT in explicit.text
    assert REASONING_PROMPT not in label.text
    assert lm.processor.tokenizer.decode(explicit.tokens).startswith("It is loud. negative")
