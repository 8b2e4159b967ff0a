"""The `evaluate` command: accuracy by corpus, and false alarms on real calls."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.table import Table

from ..models.classifier import load_classifier
from ..models.errors import DeescalateError
from ..models.evaluation.evaluate import add_evaluation, evaluate
from ..models.evaluation.report import EvaluationReport
from ..policies.config import load_policy
from .alarms import count_alarms, hear_calls, print_alarms
from .assembled import compare_sources, print_assembled
from .files import results
from .progress import Report, stages
from .untimed import UntimedTranscript, read_untimed

_AUDIO = {".flac", ".mp3", ".oga", ".ogg", ".opus", ".wav"}


class NothingToEvaluateError(DeescalateError):
    """Neither a manifest nor calls were named, or a folder of calls holds none."""


def run_evaluation(
    *,
    manifest: Path | None,
    calls: Path | None,
    texts: Path | None,
    words: Path | None,
    policy: str,
    model: Path | None,
    out_of_fold: Path | None,
    clean: bool,
    card: Path | None,
    as_json: bool,
    out: Path | None,
) -> int:
    """Evaluate on a manifest of labelled clips, on a folder of calls, or on both.

    Returns how many calls could not be read.

    `texts` (GoEmotions' folder) adds calls assembled from the clips and texts; `words`, a file of
    transcripts by call id, decides the `calls` a second time with the words.
    """
    if manifest is None and calls is None:
        raise NothingToEvaluateError("name a manifest with --data, or calls with --calls")
    if texts is not None and manifest is None:
        raise NothingToEvaluateError("--texts are put together with the clips of --data")
    if words is not None and calls is None:
        raise NothingToEvaluateError("--words belong to the recordings of --calls")
    recordings = _recordings(calls) if calls is not None else []
    transcripts = read_untimed(words) if words is not None else None
    classifier, rules = load_classifier(model), load_policy(policy)
    found: dict[str, object] = {}
    failed = 0
    views: list[Callable[[Console], None]] = []
    with results(as_json=as_json, out=out) as emit:
        with stages() as progress:
            if manifest is not None:
                report = evaluate(
                    classifier,
                    manifest,
                    telephone=not clean,
                    out_of_fold=out_of_fold,
                    progress=progress,
                )
                found["corpora"] = report.as_dict()
                if card is not None:
                    add_evaluation(card, report)
                views.append(partial(_print_corpora, report))
                if texts is not None:
                    assembled = compare_sources(report.rows, texts, rules)
                    found["assembled"] = asdict(assembled)
                    views.append(partial(print_assembled, assembled))
            if recordings:
                on_call = partial(_one_more, progress, "calls", len(recordings))
                heard, unreadable = hear_calls(recordings, classifier, on_call)
                failed = len(unreadable)
                passes: dict[str, dict[str, UntimedTranscript] | None] = {"calls": None}
                if transcripts is not None:
                    passes["calls_with_words"] = transcripts
                for name, said in passes.items():
                    alarms = count_alarms(
                        heard,
                        policy=rules,
                        model=classifier.name,
                        transcripts=said,
                        failed=unreadable,
                    )
                    found[name] = asdict(alarms)
                    views.append(partial(print_alarms, alarms))

        def show(console: Console) -> None:
            for view in views:
                view(console)

        emit(json.dumps(found, indent=2, allow_nan=False), show)
    return failed


def _one_more(progress: Report, what: str, total: int, done: int) -> None:
    progress(what, done, total)


def _recordings(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return [folder]
    found = sorted(path for path in folder.iterdir() if path.suffix in _AUDIO)
    if not found:
        raise NothingToEvaluateError(f"{folder}: no recordings in this folder")
    return found


def _print_corpora(report: EvaluationReport, console: Console) -> None:
    line = "8 kHz telephone band" if report.telephone else "as recorded"
    table = Table(title=f"{report.model}, {line}")
    for name in ("corpus", "", "ROC-AUC", "95 %", "accuracy", "negative", "not negative", "ECE"):
        table.add_column(name)
    for row in report.corpora:
        low, high = row.roc_auc_interval.low, row.roc_auc_interval.high
        table.add_row(
            row.corpus,
            row.role.value,
            f"{row.roc_auc:.3f}",
            f"{low:.3f} to {high:.3f}",
            f"{row.accuracy:.3f}",
            f"{row.negative.precision:.2f} / {row.negative.recall:.2f}",
            f"{row.not_negative.precision:.2f} / {row.not_negative.recall:.2f}",
            f"{row.calibration_error:.3f}",
        )
    if report.mean is not None:
        mean = report.mean
        table.add_row(
            "mean",
            "zero-shot",
            f"{mean.roc_auc:.3f}",
            "",
            f"{mean.accuracy:.3f}",
            f"{mean.negative.precision:.2f} / {mean.negative.recall:.2f}",
            f"{mean.not_negative.precision:.2f} / {mean.not_negative.recall:.2f}",
            f"{mean.calibration_error:.3f}",
            style="bold",
        )
    console.print(table, "negative and not negative: precision / recall at p = 0.5")
