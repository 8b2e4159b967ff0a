"""The `model evaluate` command: accuracy by corpus, and false alarms on real calls."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

from rich.console import Console

from ...models.errors import DeescalateError
from ...models.files import finite
from ...models.lab.datasets import read_manifest, read_noises
from ...models.lab.evaluation.scoring import (
    EVAL_SPLIT,
    add_evaluation,
    check_card,
    evaluate_manifest,
)
from ...models.lab.text_corpora import read_goemotions, read_text_recipe
from ...models.progress import Progress
from ...models.readings import Samples
from ...models.registry import BUNDLED_VOICE
from ...models.voice import EmotionClassifier
from ...policies.config import MitigationPolicy, load_policy
from ..console import recordings, results, stages
from ..replay.alignment import AlignedTranscript, read_untimed
from ..replay.classifier_choice import ClassifierChoice, choose_classifier
from .evaluation_view import print_report
from .false_alarms import classify_calls, count_false_alarms, print_false_alarms
from .late_fusion_eval import compare_sources, print_comparison
from .synthetic_calls import group_by_speaker


class NothingToEvaluateError(DeescalateError):
    """Neither a manifest nor calls are given or readable, or an option lacks what it belongs to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What to measure, and on what.

    `manifest` lists labelled clips, `calls` is a recording or a folder of them; at least one is
    needed. `texts` (GoEmotions' folder) adds synthetic calls made of the clips and texts; `words`,
    a file of transcripts by call id, decides the `calls` a second time with the words.

    Raises:
        NothingToEvaluateError: an option lacks another that it needs.
    """

    manifest: Path | None = None
    calls: Path | None = None
    texts: Path | None = None
    words: Path | None = None
    policy: str = "balanced"
    classifier: ClassifierChoice = field(default_factory=ClassifierChoice)
    out_of_fold: Path | None = None
    clean: bool = False
    robustness: bool = False
    noise: Path | None = None
    card: Path | None = None

    def __post_init__(self) -> None:
        if self.manifest is None and self.calls is None:
            raise NothingToEvaluateError("name a manifest with --manifest, or calls with --calls")
        if self.texts is not None and self.manifest is None:
            raise NothingToEvaluateError("--texts needs the clips of --manifest")
        if self.words is not None and self.calls is None:
            raise NothingToEvaluateError("--transcripts needs the recordings of --calls")
        if self.noise is not None and not self.robustness:
            raise NothingToEvaluateError("--noise needs --robustness")
        if self.card is not None and not self.classifier.is_a_file:
            raise NothingToEvaluateError("--card needs a model file, not a model by name")


@dataclass(slots=True)
class _Findings:
    """JSON values by name, and the functions that print them."""

    values: dict[str, object] = field(default_factory=dict)
    views: list[Callable[[Console], None]] = field(default_factory=list)

    def show(self, console: Console) -> None:
        for view in self.views:
            view(console)


def run_evaluation(wanted: Evaluation, *, as_json: bool, out: Path | None) -> int:
    """Evaluate on a manifest of labelled clips, on a folder of calls, or on both.

    Returns the number of clips and calls that could not be read.
    """
    paths = recordings(wanted.calls) if wanted.calls is not None else []
    transcripts = read_untimed(wanted.words) if wanted.words is not None else None
    _check(wanted)
    classifier, policy = choose_classifier(wanted.classifier), load_policy(wanted.policy)
    found = _Findings()
    failed = 0
    with results(as_json=as_json, out=out) as emit:
        with stages() as progress:
            if wanted.manifest is not None:
                failed += _on_corpora(
                    found,
                    wanted,
                    manifest=wanted.manifest,
                    classifier=classifier,
                    policy=policy,
                    progress=progress,
                )
            if paths:
                failed += _on_calls(
                    found,
                    paths,
                    transcripts=transcripts,
                    classifier=classifier,
                    policy=policy,
                    progress=progress,
                )
        emit(json.dumps(finite(found.values), indent=2, allow_nan=False), found.show)
    return failed


def _check(wanted: Evaluation) -> None:
    """Raise for unreadable files before the work starts, not after hours of it."""
    if wanted.card is not None:
        check_card(wanted.card, wanted.classifier.model or BUNDLED_VOICE)
    if wanted.texts is not None and wanted.manifest is not None:
        read_goemotions(wanted.texts, "test", read_text_recipe().negative_labels)
        held_out = [clip for clip in read_manifest(wanted.manifest) if clip.split == EVAL_SPLIT]
        if not group_by_speaker(
            held_out, lambda clip: (clip.corpus, clip.speaker, bool(clip.negative))
        ):
            raise NothingToEvaluateError(
                f"{wanted.manifest}: --texts needs a held-out speaker with clips of both classes"
            )


def _noises(wanted: Evaluation) -> list[Samples]:
    if wanted.noise is None:
        return []
    if noises := read_noises(wanted.noise):
        return noises
    raise NothingToEvaluateError(f"{wanted.noise}: no recordings of noise in this folder")


def _on_corpora(
    found: _Findings,
    wanted: Evaluation,
    *,
    manifest: Path,
    classifier: EmotionClassifier,
    policy: MitigationPolicy,
    progress: Progress,
) -> int:
    report = evaluate_manifest(
        classifier,
        manifest,
        telephone=not wanted.clean,
        robustness=wanted.robustness,
        noises=_noises(wanted),
        out_of_fold=wanted.out_of_fold,
        progress=progress,
    )
    found.values["corpora"] = report.as_dict()
    found.views.append(partial(print_report, report))
    if wanted.card is not None:
        add_evaluation(wanted.card, report)
    if wanted.texts is not None:
        comparison = compare_sources(report.rows, wanted.texts, policy)
        found.values["assembled"] = asdict(comparison)
        found.views.append(partial(print_comparison, comparison))
    return len(report.failed)


def _on_calls(
    found: _Findings,
    paths: list[Path],
    *,
    transcripts: dict[str, AlignedTranscript] | None,
    classifier: EmotionClassifier,
    policy: MitigationPolicy,
    progress: Progress,
) -> int:
    classified, unreadable = classify_calls(paths, classifier, progress)
    if not classified and not found.values:
        raise NothingToEvaluateError(f"no call could be read; {unreadable[0]}")
    passes: dict[str, dict[str, AlignedTranscript] | None] = {"calls": None}
    if transcripts is not None:
        passes["calls_with_words"] = transcripts
    for name, said in passes.items():
        alarms = count_false_alarms(
            classified, policy=policy, model=classifier.name, transcripts=said, failed=unreadable
        )
        found.values[name] = asdict(alarms)
        found.views.append(partial(print_false_alarms, alarms))
    return len(unreadable)
