"""The `label annotate` command: a language model labels turns, resumed where it stopped."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import BaseModel, Field
from rich.console import Console

from ...models.http import address, secret, tls_context
from ...models.lab.annotation.call_table import HEARABLE, Call, Calls, CallsError
from ...models.lab.annotation.client import AnnotatorClient, Endpoint, RetryPolicy
from ...models.lab.annotation.estimate import Prices, RunEstimate, estimate
from ...models.lab.annotation.jsonl import read_lines
from ...models.lab.annotation.labels import Source
from ...models.lab.annotation.providers import WIRES, Api
from ...models.lab.annotation.results_log import ResultsLog, recorded
from ...models.lab.annotation.runner import (
    AnnotationRun,
    CallTask,
    RunCounts,
    TurnTask,
    prompt_source,
)
from ...models.lab.annotation.strategies import Prompt, Strategy, load_prompt
from ...models.lab.annotation.validation import load_calls
from ..console import UsageError, stages

GEMINI_MODEL = "gemini-3.8-flash"
_Done = set[tuple[str, int, Source]]


@dataclass(frozen=True, slots=True)
class AnnotationOptions:
    """How to ask about turns: the strategies, each as one prompt, and the model that answers."""

    strategies: tuple[Strategy, ...]
    context: int
    api: Api
    model: str | None

    @property
    def annotator(self) -> str:
        """The model's name.

        Raises:
            UsageError: it was not given, and the endpoint has no default model.
        """
        if self.model is None and self.api is not Api.GEMINI:
            raise UsageError("--model: which model is to answer?")
        return self.model or GEMINI_MODEL

    @property
    def prompts(self) -> tuple[Prompt, ...]:
        """The prompts, each once, in the order of the strategies."""
        return tuple(load_prompt(strategy) for strategy in dict.fromkeys(self.strategies))


def run_annotation(
    calls: Sequence[Path],
    *,
    selection: Path | None,
    options: AnnotationOptions,
    endpoint: str | None,
    key_variable: str | None,
    concurrency: int,
    retry: RetryPolicy,
    out: Path,
    prices: Prices,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Label turns into `out`; return how many got no answer this time.

    Turns already in `out` are not asked about again. A dry run sends and writes nothing.

    Raises:
        CallsError: the calls, the selection or `out` cannot be used.
        EndpointError: the endpoint refuses; what was answered before is in `out`.
        OutputError: `out` cannot be written.
        SettingError, UsageError: the endpoint, the key or the model is missing or not valid.
    """
    annotator, wire = options.annotator, WIRES[options.api]
    if dry_run:
        tasks = _tasks(calls, selection, options, {label.key for label in recorded(out)[0]})
        cost = estimate(tasks, wire, context=options.context, prices=prices)
        _show_estimate(cost, as_json=as_json)
        return 0
    if endpoint is None:
        raise UsageError("--endpoint: callers' audio goes only where you say")
    key = secret(None, name="the key", env=key_variable or wire.key_variable)
    where = Endpoint(wire, address(endpoint, name="--endpoint"), annotator, key)
    with ResultsLog(out) as log:
        done = {label.key for label in log.labels}
        tasks = _tasks(calls, selection, options, done)
        client = AnnotatorClient(where, concurrency=concurrency, tls=tls_context(), retry=retry)
        counts = asyncio.run(_run(tasks, client, log, options, concurrency))
    _show_counts(counts, len(done), out, as_json=as_json)
    return counts.failed.total()


async def _run(
    tasks: Sequence[CallTask],
    client: AnnotatorClient,
    log: ResultsLog,
    options: AnnotationOptions,
    concurrency: int,
) -> RunCounts:
    with stages() as progress:
        async with client:
            run = AnnotationRun(
                client,
                log,
                annotator=options.annotator,
                context=options.context,
                concurrency=concurrency,
                progress=progress,
            )
            await run.run(tasks)
    return run.counts


def _tasks(
    paths: Sequence[Path], selection: Path | None, options: AnnotationOptions, done: _Done
) -> list[CallTask]:
    """What is still to be asked, call by call.

    Raises:
        CallsError: a chosen turn is missing, is not the caller's or has no audio; one complaint
            each.
    """
    prompts = options.prompts
    sources = {
        prompt: prompt_source(options.annotator, prompt, options.context) for prompt in prompts
    }
    tasks, complaints = [], []
    with stages() as progress, load_calls(paths) as calls:
        progress("reading", 0, None)
        chosen = set(_chosen(calls, selection))
        missing = calls.choose(chosen)
        if missing:
            complaints.append(f"{selection}: {missing} chosen turns are not in these calls")
        for call in calls.each():
            turns = []
            for at, turn in enumerate(call.turns):
                if (turn.call_id, turn.turn) not in chosen:
                    continue
                complaints += _no_audio(call, at)
                left = tuple(
                    prompt
                    for prompt in prompts
                    if (turn.call_id, turn.turn, sources[prompt]) not in done
                )
                if left:
                    turns.append(TurnTask(at, left))
            if turns:
                tasks.append(CallTask(call, tuple(turns)))
    if complaints:
        raise CallsError(*dict.fromkeys(complaints))
    return tasks


def _no_audio(call: Call, at: int) -> list[str]:
    """Why a chosen turn has no usable audio, if it has none."""
    turn = call.turns[at]
    which = f"call {turn.call_id}, turn {turn.turn}"
    if turn.speaker != "caller":
        return [f"{which}: speaker is {turn.speaker}, not the caller"]
    found = call.recording(turn)
    if found is None:
        return [f"{which}: audio is missing"]
    return [] if found[0].is_file() else [f"call {turn.call_id}: audio: no file {found[0]}"]


class _Chosen(BaseModel):
    call_id: str
    turn: int = Field(ge=0)


def _chosen(calls: Calls, selection: Path | None) -> list[tuple[str, int]]:
    """The turns of a selection, or all of the caller's that have audio."""
    if selection is not None:
        return [(turn.call_id, turn.turn) for turn in read_lines(selection, _Chosen, what="turn")]
    return [
        (call_id, turn)
        for call_id, turn in calls.rows(
            f"SELECT call_id, turn FROM turns WHERE speaker = 'caller' AND {HEARABLE}"  # noqa: S608 - ours
        )
    ]


def _show_estimate(cost: RunEstimate, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(asdict(cost)))
        return
    price = "" if cost.price is None else f", about {cost.price:,.2f} in the currency of the prices"
    Console().print(
        f"nothing was sent: {cost.requests:,} requests about {cost.turns:,} turns of "
        f"{cost.calls:,} calls; {cost.audio_s:,.0f} s of audio; about {cost.audio_tokens:,} "
        f"audio, {cost.text_tokens:,} text and {cost.output_tokens:,} output tokens{price}",
        markup=False,
        soft_wrap=True,
    )


def _show_counts(counts: RunCounts, before: int, out: Path, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"out": str(out), "labels_before": before, **counts.to_dict()}))
    else:
        Console().print(
            f"{out}: {counts.labelled:,} new labels besides {before:,} earlier ones; "
            f"{counts.asked_again:,} answers were unparsable and requested again, "
            f"{counts.unparsable:,} of them stayed unparsable; {counts.input_tokens:,} tokens in, "
            f"{counts.output_tokens:,} out",
            markup=False,
            soft_wrap=True,
        )
    for reason, count in counts.failed.most_common():
        print(
            f"deescalate: {count} turns without an answer ({reason}); run again to retry them",
            file=sys.stderr,
        )
