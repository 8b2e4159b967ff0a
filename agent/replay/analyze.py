"""The `analyze` command: several calls, one view or file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from pathlib import Path

from ...models.audio.recording import CallerChannel
from ...models.errors import DeescalateError
from ...policies.config import load_policy
from ..console import UsageError, is_one_of, print_failure, recordings, results, stages
from .call import analyze_call
from .classifier_choice import ClassifierChoice, choose_classifier
from .view import print_call


def analyze_files(
    calls: Sequence[Path],
    *,
    policy: str,
    caller_channel: CallerChannel | None,
    transcript: Path | None,
    caller_speaker: str | None,
    language: str,
    keep_text: bool,
    started_at: datetime | None,
    classifier: ClassifierChoice,
    as_json: bool,
    out: Path | None,
) -> int:
    """Analyse each call and print it as soon as it is done; return how many could not be read.

    JSON has one record per line. `out` appears only once all calls are done.
    """
    calls, failed = _recordings(calls)
    if transcript is not None and len(calls) > 1:
        raise UsageError("--transcripts belongs to one call; analyse the calls one by one")
    if out is not None and is_one_of(out, calls):
        raise UsageError(f"--out {out} is one of the recordings")
    rules, voice = load_policy(policy), choose_classifier(classifier)
    with results(as_json=as_json, out=out) as emit:
        for path in calls:
            try:
                with stages() as progress:
                    record = analyze_call(
                        path,
                        policy=rules,
                        classifier=voice,
                        caller_channel=caller_channel,
                        transcript=transcript,
                        caller_speaker=caller_speaker,
                        language=language,
                        keep_text=keep_text,
                        started_at=started_at,
                        on_progress=partial(progress, path.name),
                    )
            except Exception as error:  # noqa: BLE001 - one recording must not fail all others
                failed += 1
                print_failure(path, error)
                continue
            emit(json.dumps(record.to_dict(), ensure_ascii=False), partial(print_call, record))
    return failed


def _recordings(calls: Sequence[Path]) -> tuple[list[Path], int]:
    """The recordings named, and those of the folders named; and how many folders have none."""
    found: list[Path] = []
    failed = 0
    for call in calls:
        try:
            found += recordings(call)
        except DeescalateError as error:
            failed += 1
            print_failure(call, error)
    return found, failed
