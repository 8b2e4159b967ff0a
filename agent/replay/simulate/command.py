"""The `simulate` command: extract missing evidence, replay all policies, report."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any

from duckdb import DuckDBPyConnection

from ....models.audio.folders import LeftOut
from ....models.audio.recording import CallerChannel
from ....models.errors import DeescalateError, shown
from ....models.files import finite, whole_file
from ....models.progress import Progress
from ....policies.config import MitigationPolicy, load_policy
from ...console import complaint, report_left_out, results, stages
from .call_detail import ReportContent, serialize_call
from .call_index import CallIndex
from .comparison import Batches, Comparison
from .decision_export import decision_files
from .duckdb_io import scratch
from .engine import Engine, extract_locally
from .evidence_cache import EvidenceCache, default_place
from .evidence_columns import EvidenceColumns
from .find_calls import find_calls
from .label_files import read_call_labels
from .recording_evidence import EvidenceSettings, tasks_for
from .report import render
from .report_sampling import CallKind, CallSampler
from .run_sweep import Sweep, run_sweep, write_policy
from .statistics.call_costs import CallCosts
from .statistics.caller_model import closed_loop, load_caller_model
from .statistics.staffing import Service
from .statistics.sweep import Axis, Costs, grid
from .summary import simulation_summary
from .terminal_view import print_summary
from .transcript_lookup import TranscriptIndex
from .transcripts_beside import TranscriptsBeside

_NAMED = 5
"""A message names at most this many."""


class SimulationError(DeescalateError):
    """Options that do not go together, or a stopped run; the message says what to do."""


class EngineName(StrEnum):
    """What the evidence stage runs on."""

    LOCAL = "local"
    RAY = "ray"


@dataclass(frozen=True, slots=True)
class Options:
    """The options of `deescalate simulate`; places are paths or URLs.

    Evidence is kept in the user's cache folder unless `evidence` says where. `transcripts_beside`
    looks for transcripts beside the recordings if `transcripts` names none.
    """

    calls: Sequence[str]
    policies: Sequence[str]
    labels: str | None = None
    transcripts: str | None = None
    caller_speaker: str | None = None
    transcripts_beside: bool = True
    language: str = "en"
    caller_channel: CallerChannel | None = None
    model: str | None = None
    evidence: str | None = None
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
    shown: ReportContent = field(default_factory=ReportContent)
    as_json: bool = False
    out: Path | None = None


def run_simulation(options: Options) -> int:
    """Run a simulation; return the exit code.

    That is 2 if calls could not be read, 1 if labels are missing for the --sweep, else 0.

    Raises:
        DeescalateError: the options cannot work; known before the work starts.
    """
    policies = _policies(options.policies)
    place = default_place(options.calls) if options.evidence is None else options.evidence
    sweep = _sweep(options, policies[0])
    caller = load_caller_model(options.caller_model) if options.caller_model else None
    with ExitStack() as stack:
        emit = stack.enter_context(results(as_json=options.as_json, out=options.out))
        writer = stack.enter_context(decision_files(options.results)) if options.results else None
        best = stack.enter_context(whole_file(options.best)) if options.best else None
        page = stack.enter_context(whole_file(options.report)) if options.report else None
        database = stack.enter_context(scratch(place))
        left_out = LeftOut()
        index, evidence = _evidence(options, database, place, left_out)
        sampler = CallSampler(options.report_calls if page else 0)
        with stages() as progress:
            batches = partial(_counted, progress, index, evidence)
            comparison = Comparison(policies)
            call_costs = CallCosts(
                options.costs, base_rate=options.base_rate, handling_s=options.service.handling_s
            )
            comparison.add(batches("replaying"), writer, [sampler.add, call_costs.add])
            found = simulation_summary(
                comparison,
                call_costs,
                costs=options.costs,
                base_rate=options.base_rate,
                service=options.service,
                calls_a_day=options.calls_a_day,
                failed=evidence.failed(),
                unmatched=index.unmatched(),
            )
            warned = evidence.warned()
            found["left_out"] = asdict(left_out)
            found["warnings"] = [asdict(one) for one in warned]
            swept = None
            if sweep is not None:
                again, missing = partial(batches, "sweeping"), found["labels_missing"]
                swept = run_sweep(policies[0], sweep, again, missing)
                found["sweep"] = swept.summary
                if best is not None:
                    write_policy(best, swept, _places(options))
            if caller is not None:
                found["closed_loop"] = closed_loop(
                    policies, caller, options.costs, handling_s=options.service.handling_s
                )
            if page is not None:
                shown = _shown_calls(sampler.sampled(), index, evidence, policies, options.shown)
                levels = [_levels(policy) for policy in policies]
                content = {**found, "levels": levels, "calls_told": shown}
                page.write(render(content, _title(options)))
        emit(json.dumps(finite(found), allow_nan=False), partial(print_summary, found))
    refused = swept is not None and swept.policy is None
    _print_places(options, place, refused=refused)
    report_left_out(left_out)
    _print_some([f"{one.call_id}: {one.reason}" for one in warned], "warnings")
    _print_some([one.reason for one in evidence.failed()], "calls that could not be read")
    return 2 if evidence.failed() else int(refused)


def _counted(progress: Progress, index: CallIndex, evidence: EvidenceColumns, what: str) -> Batches:
    """The batches of calls, reporting how many calls are done."""
    done = 0
    for batch, labels in evidence.batches():
        yield batch, labels
        done += len(batch.call_ids)
        progress(what, done, len(index))


def _title(options: Options) -> str:
    return f"{', '.join(options.policies)} on {_places(options)}"


def _places(options: Options) -> str:
    return shown(", ".join(options.calls))


def _levels(policy: MitigationPolicy) -> dict[str, float]:
    """The beliefs at which a report draws lines; a dialog state may have others."""
    return {
        "prior": policy.expected_negative_rate,
        "strained": policy.strained.enter,
        "distressed": policy.distressed.enter,
    }


def _shown_calls(
    sampled: Mapping[str, CallKind],
    index: CallIndex,
    evidence: EvidenceColumns,
    policies: Sequence[MitigationPolicy],
    shown: ReportContent,
) -> list[dict[str, Any]]:
    """The calls that the report shows, turn by turn."""
    call_ids = list(sampled)
    tasks, rows = index.tasks(call_ids), evidence.in_full(call_ids)
    labels = index.labels(call_ids)
    return [
        {
            "kind": kind.value,
            **serialize_call(
                rows[call_id], tasks[call_id].source, policies, labels.get(call_id), shown
            ),
        }
        for call_id, kind in sampled.items()
    ]


def _sweep(options: Options, base: MitigationPolicy) -> Sweep | None:
    if not options.sweep:
        if options.best is not None:
            raise SimulationError("--best needs a --sweep to choose from")
        return None
    if options.labels is None:
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


def _evidence(
    options: Options, database: DuckDBPyConnection, place: str, left_out: LeftOut
) -> tuple[CallIndex, EvidenceColumns]:
    """The calls and their evidence, once all of it is extracted."""
    transcripts = TranscriptIndex(database, options.transcripts) if options.transcripts else None
    beside = TranscriptsBeside()
    settings = EvidenceSettings(options.model, options.language)
    sources = find_calls(
        options.calls,
        transcripts=transcripts,
        beside=beside if options.transcripts_beside and transcripts is None else None,
        caller_channel=options.caller_channel,
        caller_speaker=options.caller_speaker,
        left_out=left_out,
    )
    index = CallIndex(database, tasks_for(sources, settings))
    said = transcripts.complaints() if transcripts else beside.complaints()
    for line in said:
        print(f"deescalate: {line}", file=sys.stderr)
    evidence = EvidenceColumns(database, index, EvidenceCache(place))
    if options.labels is not None:
        index.label(read_call_labels(options.labels))
        _check_labels(index, options.labels)
    evidence.gather()
    missing = evidence.missing()
    done, total = len(index) - len(missing), len(index)
    with stages() as progress:
        progress("extracting evidence", done, total)
        try:
            for rows in _engine(options)(missing, settings):
                evidence.keep(rows)
                done += len(rows)
                progress("extracting evidence", done, total)
        except KeyboardInterrupt as error:
            raise SimulationError(
                f"stopped after {done} of {total} calls; the same command goes on from there"
            ) from error
    evidence.gather()
    evidence.sort()
    return index, evidence


def _engine(options: Options) -> Engine:
    workers = options.workers or os.cpu_count() or 1
    if options.engine is EngineName.RAY:
        from .ray_engine import extract_on_ray  # noqa: PLC0415 - an extra of its own

        return partial(extract_on_ray, workers=options.workers)
    return partial(extract_locally, workers=workers)


def _check_labels(index: CallIndex, labels: str) -> None:
    """Warn about labels that match no call; if none match, that is an error."""
    unmatched = index.unmatched()
    if unmatched and len(unmatched) == index.labelled:
        raise SimulationError(f"{labels}: no label is for any of these calls")
    if unmatched:
        print(f"deescalate: {_some(unmatched)}: labelled, but not among the calls", file=sys.stderr)


def _print_some(lines: Sequence[str], what: str) -> None:
    for line in lines[:_NAMED]:
        print(f"deescalate: {complaint(line)}", file=sys.stderr)
    if len(lines) > _NAMED:
        print(f"deescalate: and {len(lines) - _NAMED} more {what}", file=sys.stderr)


def _print_places(options: Options, place: str, *, refused: bool) -> None:
    """Say where everything was written, on stderr, where it disturbs no JSON."""
    for what, where in (
        ("evidence", place),
        ("decisions", options.results),
        ("policy", None if refused else options.best),
        ("report", options.report),
        ("JSON", options.out),
    ):
        if where is not None:
            print(f"deescalate: {what} in {where}", file=sys.stderr)
    if refused and options.best is not None:
        print(f"deescalate: {options.best} is not written: too few labels", file=sys.stderr)


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
