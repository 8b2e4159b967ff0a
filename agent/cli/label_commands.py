"""Commands that label turns: `label select`, `annotate`, `agreement` and `clips`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ..console import require_extra
from .app import Json, Out, file_option, folder_option, label_group

_Turns = Annotated[
    list[Path],
    typer.Argument(metavar="TURNS…", help="Tables of turns, as `calls import` writes them."),
]


@label_group.command("select")
def select_command(
    turns: _Turns,
    out: Annotated[Path, file_option("The selected turns (JSON lines).")],
    rules: Annotated[Path | None, folder_option("Your own rules (*.sql).")] = None,
    seed: Annotated[int, typer.Option(help="The same seed selects the same turns.")] = 0,
    per_rule: Annotated[
        int | None, typer.Option(min=0, help="Maximum turns from each rule.")
    ] = None,
    random: Annotated[int, typer.Option(min=0, help="Turns to draw at random.")] = 500,
    negatives: Annotated[
        int, typer.Option(min=0, help="Turns that no rule matches, per turn that one does.")
    ] = 1,
    as_json: Json = False,
    report: Annotated[Path | None, file_option("Also write the report to this file.")] = None,
) -> None:
    """Select the turns worth labelling, by SQL rules and at random."""
    require_extra("annotate", "duckdb")
    from ...models.lab.annotation.selection import Sampling
    from ..lab.select_turns import run_selection

    sampling = Sampling(seed=seed, per_rule=per_rule, random=random, negatives=negatives)
    run_selection(turns, out=out, rules=rules, sampling=sampling, as_json=as_json, report=report)


class ApiChoice(StrEnum):
    """Which API the endpoint of `deescalate label annotate` has."""

    GEMINI = "gemini"
    OPENAI = "openai"


class StrategyChoice(StrEnum):
    """How `deescalate label annotate` asks."""

    SIMPLE = "simple"
    COT_SIMPLE = "cot_simple"
    COT_CONTEXT = "cot_context"
    COT_DETAILED = "cot_detailed"
    PLAN_AND_SOLVE = "plan_and_solve"
    ROLE_PLAY_DETAILED = "role_play_detailed"


_Price = Annotated[
    float | None, typer.Option(min=0, help="Price per million tokens, for --dry-run.")
]


@label_group.command("annotate")
def annotate_command(
    turns: _Turns,
    *,
    out: Annotated[Path, file_option("The labels (JSON lines); resumes an earlier run.")],
    api: Annotated[ApiChoice, typer.Option(help="The endpoint's API.")],
    endpoint: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Where to send the audio; there is no default."),
    ] = None,
    model: Annotated[str | None, typer.Option(help="The model's name at the endpoint.")] = None,
    selection: Annotated[
        Path | None, file_option("Turns of `label select`; else all caller turns with audio.")
    ] = None,
    strategy: Annotated[
        list[StrategyChoice] | None, typer.Option(help="How to ask; repeat for several.")
    ] = None,
    context: Annotated[int, typer.Option(min=0, help="Earlier exchanges to show.")] = 3,
    key_variable: Annotated[
        str | None, typer.Option(help="Environment variable with the key; else the API vendor's.")
    ] = None,
    concurrency: Annotated[int, typer.Option(min=1, max=512, help="Concurrent requests.")] = 8,
    timeout_s: Annotated[float, typer.Option(min=0.1, help="Time limit per request.")] = 120.0,
    attempts: Annotated[int, typer.Option(min=1, help="Attempts per turn.")] = 6,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Estimate the cost; send nothing.")
    ] = False,
    audio_price: _Price = None,
    text_price: _Price = None,
    output_price: _Price = None,
    as_json: Json = False,
) -> None:
    """Label turns with an audio language model at your endpoint.

    Turns already in --out are not sent again. Exit code 1 if turns got no answer: run it again.
    """
    require_extra("annotate", "duckdb")
    from ...models.lab.annotation.client import RetryPolicy
    from ...models.lab.annotation.estimate import Prices
    from ...models.lab.annotation.providers import Api
    from ...models.lab.annotation.strategies import Strategy
    from ..lab.annotate import AnnotationOptions, run_annotation

    failed = run_annotation(
        turns,
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


@label_group.command("agreement")
def agreement_command(
    labels: Annotated[
        list[Path], typer.Argument(metavar="LABELS…", help="Labels of annotators (JSON lines).")
    ],
    reference: Annotated[
        Path | None, file_option("A person's labels, to compare the others with.")
    ] = None,
    as_json: Json = False,
    out: Out = None,
) -> None:
    """Measure agreement between annotators, by strategy and context."""
    require_extra("annotate", "duckdb")
    from ..lab.label_agreement import run_agreement

    run_agreement(labels, reference=reference, as_json=as_json, out=out)


@label_group.command("clips")
def clips_command(
    turns: _Turns,
    labels: Annotated[list[Path], file_option("Labels (JSON lines); repeat for more.")],
    out: Annotated[Path, folder_option("For speech/, its clips and manifest.csv.")],
    corpus: Annotated[str, typer.Option(help="The corpus name, for recipes.")] = "calls",
    held_out: Annotated[
        float, typer.Option(min=0.0, max=0.9, help="Share of calls kept for evaluation.")
    ] = 0.2,
    others_per_negative: Annotated[
        float | None,
        typer.Option(min=0, help="Non-negative turns per negative one; all if not given."),
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed draws the same turns.")] = 0,
) -> None:
    """Cut labelled turns into clips for training and evaluation."""
    require_extra("annotate", "duckdb")
    from ..lab.train import run_clips

    typer.echo(
        run_clips(
            turns,
            labels=labels,
            out=out,
            corpus=corpus,
            held_out=held_out,
            others_per_negative=others_per_negative,
            seed=seed,
        )
    )
