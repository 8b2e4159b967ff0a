"""Late fusion on synthetic calls: voice, words and both, from labelled clips and labelled texts.

Half of the calls are distressed (see `synthetic_calls`); each clip comes with a text of the same
label. A call's score is its highest leaky sum of evidence, which here includes turns too weak for a
policy to act on: this compares the sources, not policies. It cannot show how a real angry caller's
words and voice go together.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from ...models.fusion import fuse
from ...models.lab.evaluation.evaluation_report import Role, ScoredClip
from ...models.lab.metrics import roc_auc
from ...models.lab.text_corpora import half_spoken, read_goemotions, read_text_recipe
from ...models.readings import EmotionReading, WordReading
from ...models.text.sentiment import load_word_classifier
from ...policies.belief import add_evidence
from ...policies.config import MitigationPolicy
from ..console import format_value
from .synthetic_calls import CallShape, PlannedTurn, group_by_speaker, plan_calls

CALLS = 4_000
SHAPE = CallShape(turns=(8, 8))
SEED = 2026


@dataclass(frozen=True, slots=True)
class SourceComparison:
    """ROC-AUC per call by the source of evidence; `turns` the same per turn."""

    calls: int
    turns_a_call: int
    voice: float
    words: float
    both: float
    turns: dict[str, float]


@dataclass(frozen=True, slots=True)
class _Turn:
    voice: EmotionReading
    words: WordReading
    negative: bool


def compare_sources(
    rows: Sequence[ScoredClip], texts: Path, policy: MitigationPolicy
) -> SourceComparison:
    """Plan calls from zero-shot clips and held-out texts, and score them three ways.

    Raises:
        UnreadableInputError: the texts cannot be read.
    """
    rng = random.Random(SEED)  # noqa: S311 - a draw of turns, not security
    known = [row for row in rows if row.role is Role.ZERO_SHOT and row.p_negative is not None]
    speakers = group_by_speaker(known, lambda row: (row.corpus, row.speaker, row.negative))
    words = _words(texts, rng)
    plans = plan_calls(speakers, calls=CALLS, distressed=0.5, seed=SEED, shape=SHAPE)
    return _report(
        [[_turn(planned, words, rng) for planned in plan.turns] for plan in plans], policy
    )


def _words(folder: Path, rng: random.Random) -> dict[bool, list[WordReading]]:
    """Readings of GoEmotions' test split, half of it as speech recognition would return it."""
    classifier = load_word_classifier()
    corpus = read_goemotions(folder, "test", read_text_recipe().negative_labels)
    found: dict[bool, list[WordReading]] = {False: [], True: []}
    for text, negative in zip(corpus.texts, corpus.negative, strict=True):
        found[bool(negative)].append(classifier.classify(half_spoken(text, rng)))
    return found


def _turn(
    planned: PlannedTurn[ScoredClip], words: dict[bool, list[WordReading]], rng: random.Random
) -> _Turn:
    voice = EmotionReading(planned.item.p_negative, "", 1.0, 0.0)
    return _Turn(voice, rng.choice(words[planned.negative]), planned.negative)


def _report(calls: Sequence[Sequence[_Turn]], policy: MitigationPolicy) -> SourceComparison:
    distressed = [any(turn.negative for turn in call) for call in calls]
    negative = [turn.negative for call in calls for turn in call]
    whole = policy.model_copy(update={"least_turn_evidence": 0.0})
    by_call: dict[str, float] = {}
    by_turn: dict[str, float] = {}
    for source, voice, words in (("voice", 1, 0), ("words", 0, 1), ("both", 1, 1)):
        ratios = [
            [fuse(t.voice if voice else None, t.words if words else None) for t in call]
            for call in calls
        ]
        by_call[source] = roc_auc(distressed, [_highest_support(call, whole) for call in ratios])
        by_turn[source] = roc_auc(negative, [ratio or 0.0 for call in ratios for ratio in call])
    return SourceComparison(len(calls), SHAPE.turns[0], **by_call, turns=by_turn)


def _highest_support(ratios: Sequence[float | None], policy: MitigationPolicy) -> float:
    support = highest = 0.0
    for ratio in ratios:
        support = add_evidence(support, ratio, policy)
        highest = max(highest, support)
    return highest


def print_comparison(report: SourceComparison, console: Console) -> None:
    """Print the comparison on one line."""
    console.print(
        f"{report.calls} synthetic calls, ROC-AUC per call: voice {format_value(report.voice)}, "
        f"words {format_value(report.words)}, both {format_value(report.both)}; per turn: "
        + ", ".join(f"{name} {format_value(auc)}" for name, auc in report.turns.items())
    )
