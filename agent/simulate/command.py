"""The `simulate` command: hear what is not heard yet, replay all policies, tell."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any

from ...models.audio import CallerChannel
from ...models.errors import DeescalateError
from ...models.files import finite, whole_file
from ...policies.caller_model import closed_loop, load_caller_model
from ...policies.config import MitigationPolicy, load_policy
from ...policies.labels import BatchLabels, CallLabel
from ...policies.replay import CallBatch
from ...policies.simulation import Outcomes
from ...policies.staffing import Service
from ...policies.sweep import Axis, Costs, grid
from ..files import results
from ..progress import Report, stages
from .engine import Engine, hear_locally
from .findings import findings
from .hearing import HearingSettings, Task, tasks_for
from .labels import read_labels
from .outcomes import outcome_files
from .picking import Picker
from .report import render
from .sources import Transcripts, find_calls
from .store import EvidenceStore, FailedCall
from .study import Study
from .sweeping import Sweep, run_sweep, write_policy
from .told import Shown, tell_call
from .view import print_study

_NAMED = 5
"""Of many, how many are named in a message."""


class SimulationError(DeescalateError):
    """The options do not go together, or a run was stopped; the message says what to do."""


class EngineName(StrEnum):
    """What the evidence stage runs on."""

    LOCAL = "local"
    RAY = "ray"


@dataclass(frozen=True, slots=True)
class Options:
    """What `deescalate simulate` was told; places are paths or URLs."""

    calls: Sequence[str]
    policies: Sequence[str]
    labels: str | None = None
    transcripts: str | None = None
    language: str = "en"
    caller_channel: CallerChannel | None = None
    model: str | None = None
    evidence: str = "evidence"
    engine: EngineName = EngineName.LOCAL
    workers: int | None = None
    base_rate: float = 0.01
    calls_a_day: float | None = None
    service: Service = field(default_factory=Service)
    results: str | None = None
    sweep: Sequence[str] = ()
    costs: Costs = field(default_factory=Costs)
    best: Path | None = None
    caller_model: str | None = None
    report: Path | None = None
    report_calls: int = 100
    shown: Shown = field(default_factory=Shown)
    as_json: bool = False
    out: Path | None = None


def run_simulation(options: Options) -> int:
    """Do all of it; return how many calls could not be read.

    Raises:
        DeescalateError: what was asked for cannot be done; known before the work starts.
    """
    policies = _policies(options.policies)
    labels = read_labels(options.labels) if options.labels else None
    sweep = _sweep(options, policies[0], labels)
    caller = load_caller_model(options.caller_model) if options.caller_model else None
    with ExitStack() as stack:
        emit = stack.enter_context(results(as_json=options.as_json, out=options.out))
        writer = stack.enter_context(outcome_files(options.results)) if options.results else None
        if options.best is not None:
            stack.enter_context(whole_file(options.best))  # a bad path is known before the work
        page = stack.enter_context(whole_file(options.report)) if options.report else None
        store, tasks, settings = _evidence(options)
        study, picker = Study(policies, labels), Picker(options.report_calls if page else 0)
        with stages() as progress:
            tick = _counting(progress, "replaying", len(tasks))

            def watch(
                batch: CallBatch, known: BatchLabels | None, seen: Sequence[Outcomes]
            ) -> None:
                picker.see(batch, known, seen)
                tick(batch)

            study.add(store.batches(tasks), writer, watch)
            failed = store.failed(tasks)
            found = findings(
                study,
                costs=options.costs,
                base_rate=options.base_rate,
                service=options.service,
                calls_a_day=options.calls_a_day,
                failed=failed,
                unmatched=_unmatched(study, labels, options),
            )
            if sweep is not None and labels is not None:
                count = _counting(progress, "sweeping", len(tasks))
                swept = run_sweep(policies[0], sweep, labels, partial(store.batches, tasks), count)
                found["sweep"] = swept.told
                if options.best is not None:
                    write_policy(options.best, swept, ", ".join(options.calls))
            if caller is not None:
                found["closed_loop"] = closed_loop(
                    policies, caller, options.costs, handling_s=options.service.handling_s
                )
            if page is not None:
                told = _tell(picker, store, tasks, study, settings=settings, shown=options.shown)
                page.write(render({**found, "calls_told": told}, _title(options)))
        emit(json.dumps(finite(found), allow_nan=False), partial(print_study, found))
    _complain(failed)
    return len(failed)


def _title(options: Options) -> str:
    return f"{', '.join(options.policies)} on {', '.join(options.calls)}"


def _tell(
    picker: Picker,
    store: EvidenceStore,
    tasks: Sequence[Task],
    study: Study,
    *,
    settings: HearingSettings,
    shown: Shown,
) -> list[dict[str, Any]]:
    """The calls that the report shows, told turn by turn."""
    picked, labels = picker.picked(), study.labels or {}
    wanted = {task.source.call_id: task for task in tasks if task.source.call_id in picked}
    rows = store.calls(list(wanted.values()))
    return [
        {
            "kind": kind.value,
            **tell_call(
                rows[call_id],
                wanted[call_id].source,
                study.policies,
                labels.get(call_id),
                settings=settings,
                shown=shown,
            ),
        }
        for call_id, kind in picked.items()
    ]


def _counting(progress: Report, what: str, calls: int) -> Callable[..., None]:
    """Something that reports how many calls went by, a batch at a time."""
    done = 0

    def watch(batch: CallBatch, *_: object) -> None:
        nonlocal done
        done += len(batch.call_ids)
        progress(what, done, calls)

    return watch


def _sweep(
    options: Options, base: MitigationPolicy, labels: dict[str, CallLabel] | None
) -> Sweep | None:
    if not options.sweep:
        if options.best is not None:
            raise SimulationError("--best is the cheapest policy of a --sweep")
        return None
    if labels is None:
        raise SimulationError("a --sweep needs --labels to tell good from bad")
    axes = [Axis.parse(text) for text in options.sweep]
    grid(base, axes)
    return Sweep(axes, options.costs, options.base_rate, options.service)


def _policies(names: Sequence[str]) -> list[MitigationPolicy]:
    policies = [load_policy(name) for name in names]
    seen = [policy.name for policy in policies]
    for name in seen:
        if seen.count(name) > 1:
            raise SimulationError(f"two policies are called {name}; give one another `name`")
    return policies


def _evidence(options: Options) -> tuple[EvidenceStore, list[Task], HearingSettings]:
    """The store, with all calls heard in it, and what they were heard with."""
    transcripts = Transcripts.at(options.transcripts) if options.transcripts else None
    sources = find_calls(
        options.calls, transcripts=transcripts, caller_channel=options.caller_channel
    )
    untimed = options.transcripts if transcripts and not transcripts.by_call else None
    settings = HearingSettings(options.model, options.language, untimed)
    tasks, store = tasks_for(sources, settings), EvidenceStore(options.evidence)
    left = store.missing(tasks)
    done = len(tasks) - len(left)
    with stages() as progress:
        progress("hearing", done, len(tasks))
        try:
            for rows in _engine(options)(left, settings):
                store.add(rows)
                done += len(rows)
                progress("hearing", done, len(tasks))
        except KeyboardInterrupt as error:
            raise SimulationError(
                f"stopped after {done} of {len(tasks)} calls; the same command goes on from there"
            ) from error
    return store, tasks, settings


def _engine(options: Options) -> Engine:
    workers = options.workers or os.cpu_count() or 1
    if options.engine is EngineName.RAY:
        from .ray_engine import hear_on_ray  # noqa: PLC0415 - an extra of its own

        return partial(hear_on_ray, workers=options.workers)
    return partial(hear_locally, workers=workers)


def _unmatched(study: Study, labels: dict[str, CallLabel] | None, options: Options) -> list[str]:
    """Labels without a call, by call id; they are told, and no label at all is an error."""
    if labels is None:
        return []
    unmatched = sorted(labels.keys() - study.labelled_seen)
    if len(unmatched) == len(labels):
        raise SimulationError(f"{options.labels}: no label is for any of these calls")
    if unmatched:
        print(f"deescalate: {_some(unmatched)}: labelled, but not among the calls", file=sys.stderr)
    return unmatched


def _complain(failed: Sequence[FailedCall]) -> None:
    for one in failed[:_NAMED]:
        print(f"deescalate: {one.reason}", file=sys.stderr)
    if len(failed) > _NAMED:
        print(
            f"deescalate: and {len(failed) - _NAMED} more calls that could not be read",
            file=sys.stderr,
        )


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
