"""Commands that bring calls and labels together: `import`, `select`, `annotate`, and so on."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ..console import require_extra
from .app import Json, Out, StereoCaller, app


@app.command("import")
def import_calls(
    sources: Annotated[
        list[Path], typer.Argument(metavar="SOURCE…", help="Recordings, records of calls, turns.")
    ],
    out: Annotated[Path, typer.Option(help="The turns, as .jsonl or .parquet.")],
    caller_channel: StereoCaller = None,
    transcripts: Annotated[
        Path | None, typer.Option(help="Folder with CALL.jsonl for each recording CALL.")
    ] = None,
    recordings: Annotated[
        Path | None, typer.Option(help="Folder with the recordings of live calls, by call id.")
    ] = None,
    language: Annotated[str, typer.Option(help="The language of the transcripts.")] = "en",
    as_json: Json = False,
) -> None:
    """Bring calls into one table of turns, the form that select and annotate read.

    Exit code 2 if any source could not be read; the others are imported all the same.
    """
    require_extra("annotate", "duckdb")
    from ..lab.import_calls import run_import

    failed = run_import(
        sources,
        out=out,
        caller_channel=caller_channel,
        transcripts=transcripts,
        recordings=recordings,
        language=language,
        as_json=as_json,
    )
    raise typer.Exit(2 if failed else 0)


@app.command()
def select(
    calls: Annotated[
        list[Path], typer.Argument(metavar="CALLS…", help="Turns, as .jsonl or .parquet.")
    ],
    out: Annotated[Path, typer.Option(help="The chosen turns (JSON lines).")],
    rules: Annotated[Path | None, typer.Option(help="Folder of rules of your own (*.sql).")] = None,
    seed: Annotated[int, typer.Option(help="The same seed chooses the same turns.")] = 0,
    per_rule: Annotated[
        int | None, typer.Option(min=0, help="At most so many turns of each rule.")
    ] = None,
    random: Annotated[int, typer.Option(min=0, help="Turns drawn from all of them.")] = 500,
    negatives: Annotated[
        int, typer.Option(min=0, help="Turns that no rule found, for each that one chose.")
    ] = 1,
    as_json: Json = False,
    report: Annotated[Path | None, typer.Option(help="Also write the report to this file.")] = None,
) -> None:
    """Choose the turns that are worth labelling, by rules in SQL and at random."""
    require_extra("annotate", "duckdb")
    from ...models.lab.annotation.selection import Sampling
    from ..lab.select_turns import run_selection

    sampling = Sampling(seed=seed, per_rule=per_rule, random=random, negatives=negatives)
    run_selection(calls, out=out, rules=rules, sampling=sampling, as_json=as_json, report=report)


class ApiChoice(StrEnum):
    """What kind of endpoint `deescalate annotate` speaks to."""

    GEMINI = "gemini"
    OPENAI = "openai"


class StrategyChoice(StrEnum):
    """How `deescalate annotate` asks."""

    SIMPLE = "simple"
    COT_SIMPLE = "cot_simple"
    COT_CONTEXT = "cot_context"
    COT_DETAILED = "cot_detailed"
    PLAN_AND_SOLVE = "plan_and_solve"
    ROLE_PLAY_DETAILED = "role_play_detailed"


_Price = Annotated[
    float | None, typer.Option(min=0, help="Price of a million tokens, for --dry-run.")
]


@app.command()
def annotate(
    calls: Annotated[
        list[Path], typer.Argument(metavar="CALLS…", help="Turns, as .jsonl or .parquet.")
    ],
    *,
    out: Annotated[Path, typer.Option(help="The labels (JSON lines); a run goes on there.")],
    api: Annotated[ApiChoice, typer.Option(help="The kind of endpoint.")],
    endpoint: Annotated[
        str | None,
        typer.Option(help="Where audio is sent: a URL. There is no default."),
    ] = None,
    model: Annotated[str | None, typer.Option(help="The model's name there.")] = None,
    selection: Annotated[
        Path | None, typer.Option(help="Turns of `select`; else all of the caller's with audio.")
    ] = None,
    strategy: Annotated[
        list[StrategyChoice] | None, typer.Option(help="How to ask; again for more ways.")
    ] = None,
    context: Annotated[int, typer.Option(min=0, help="Previous exchanges to show.")] = 3,
    key_variable: Annotated[
        str | None,
        typer.Option(help="Environment variable with the key, else that of the API's vendor."),
    ] = None,
    concurrency: Annotated[int, typer.Option(min=1, max=512, help="Requests in flight.")] = 8,
    timeout_s: Annotated[float, typer.Option(min=0.1, help="For one request.")] = 120.0,
    attempts: Annotated[int, typer.Option(min=1, help="For a turn, if the endpoint fails.")] = 6,
    dry_run: Annotated[bool, typer.Option(help="Count and estimate; send nothing.")] = False,
    audio_price: _Price = None,
    text_price: _Price = None,
    output_price: _Price = None,
    as_json: Json = False,
) -> None:
    """Let a language model that hears label turns, at the endpoint you name.

    Goes on where it stopped: what is in --out is not asked again. Exit code 1 if turns got no
    answer; run it again to ask for them.
    """
    require_extra("annotate", "duckdb")
    from ...models.lab.annotation.client import RetryPolicy
    from ...models.lab.annotation.estimate import Prices
    from ...models.lab.annotation.providers import Api
    from ...models.lab.annotation.strategies import Strategy
    from ..lab.annotate import AnnotationOptions, run_annotation

    failed = run_annotation(
        calls,
        selection=selection,
        options=AnnotationOptions(
            strategies=tuple(
                Strategy(name.value) for name in strategy or [StrategyChoice.COT_DETAILED]
            ),
            context=context,
            api=Api(api.value),
            model=model,
        ),
        endpoint=endpoint,
        key_variable=key_variable,
        concurrency=concurrency,
        retry=RetryPolicy(timeout_s=timeout_s, attempts=attempts),
        out=out,
        prices=Prices(audio=audio_price, text=text_price, output=output_price),
        dry_run=dry_run,
        as_json=as_json,
    )
    raise typer.Exit(1 if failed else 0)


@app.command()
def clips(
    calls: Annotated[
        list[Path], typer.Argument(metavar="CALLS…", help="Turns, as .jsonl or .parquet.")
    ],
    labels: Annotated[list[Path], typer.Option(help="Labels (JSON lines); again for more.")],
    out: Annotated[Path, typer.Option(help="Folder for speech/, its clips and manifest.csv.")],
    corpus: Annotated[str, typer.Option(help="What a recipe calls them.")] = "calls",
    held_out: Annotated[
        float, typer.Option(min=0.0, max=0.9, help="Share of calls kept to measure on.")
    ] = 0.2,
    others_per_negative: Annotated[
        float | None,
        typer.Option(min=0, help="Non-negative turns for each negative one; else all."),
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed draws the same turns.")] = 0,
) -> None:
    """Cut labelled turns out of calls, the form that train, distill and evaluate read."""
    require_extra("annotate", "duckdb")
    from ..lab.train_lm import run_clips

    typer.echo(
        run_clips(
            calls,
            labels=labels,
            out=out,
            corpus=corpus,
            held_out=held_out,
            others_per_negative=others_per_negative,
            seed=seed,
        )
    )


@app.command()
def agreement(
    labels: Annotated[
        list[Path], typer.Argument(metavar="LABELS…", help="Labels of annotators (JSON lines).")
    ],
    reference: Annotated[
        Path | None, typer.Option(help="Labels of a person, to hold the others against.")
    ] = None,
    as_json: Json = False,
    out: Out = None,
) -> None:
    """Measure how far annotators agree, by strategy and context."""
    require_extra("annotate", "duckdb")
    from ..lab.label_agreement import run_agreement

    run_agreement(labels, reference=reference, as_json=as_json, out=out)
