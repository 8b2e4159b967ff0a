"""The command `deescalate`: one function a command, no logic."""

from __future__ import annotations

import sys
from datetime import datetime
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from ..models.audio import CallerChannel
from ..models.errors import DeescalateError
from .extras import require_extra

app = typer.Typer(
    name="deescalate",
    help="Hear a caller's frustration turn by turn, and do something about it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of the human view.")]
Out = Annotated[Path | None, typer.Option(help="Also write the JSON to this file.")]


@app.callback()
def _options(
    verbose: Annotated[bool, typer.Option(help="Log everything, Pipecat's log included.")] = False,
) -> None:
    from .telemetry import configure_logging

    configure_logging(verbose=verbose)


@app.command()
def analyze(
    calls: Annotated[list[Path], typer.Argument(metavar="CALL…", help="Recorded calls.")],
    policy: Annotated[str, typer.Option(help="gentle, balanced, eager or a file.")] = "balanced",
    caller_channel: Annotated[
        CallerChannel | None, typer.Option(help="The caller's side of a stereo recording.")
    ] = None,
    transcript: Annotated[
        Path | None, typer.Option(help="JSON lines: start_s, end_s, text, speaker.")
    ] = None,
    language: Annotated[str, typer.Option(help="The language of the transcript.")] = "en",
    show_text: Annotated[bool, typer.Option(help="Show and keep the caller's words.")] = False,
    started_at: Annotated[
        datetime | None, typer.Option(help="When the call began, for opening hours.")
    ] = None,
    model: Annotated[Path | None, typer.Option(help="A model of your own.")] = None,
    as_json: Json = False,
    out: Out = None,
) -> None:
    """Read recorded calls turn by turn and decide as a live bot would.

    Exit code 2 if any call could not be read; the others are analysed all the same.
    """
    from .analyze import analyze_files

    failed = analyze_files(
        calls,
        policy=policy,
        caller_channel=caller_channel,
        transcript=transcript,
        language=language,
        keep_text=show_text,
        started_at=started_at.astimezone() if started_at else None,
        model=model,
        as_json=as_json,
        out=out,
    )
    raise typer.Exit(2 if failed else 0)


@app.command()
def evaluate(
    data: Annotated[
        Path | None, typer.Option(help="A manifest of labelled clips (CSV), or its folder.")
    ] = None,
    calls: Annotated[
        Path | None, typer.Option(help="Mono recordings of mostly calm callers: false alarms.")
    ] = None,
    texts: Annotated[
        Path | None, typer.Option(help="Folder of texts: compare voice, words and both.")
    ] = None,
    words: Annotated[
        Path | None, typer.Option(help="Transcripts of --calls by call id (JSON lines, no times).")
    ] = None,
    policy: Annotated[str, typer.Option(help="The policy for --calls.")] = "balanced",
    model: Annotated[Path | None, typer.Option(help="A model of your own.")] = None,
    hf: Annotated[
        str | None, typer.Option(help="Hugging Face audio-classification model: fetches it.")
    ] = None,
    negative_label: Annotated[
        list[str] | None, typer.Option(help="A label of --hf that is negative; several times.")
    ] = None,
    audio_lm: Annotated[
        str | None, typer.Option(help="Hugging Face audio language model: fetches it.")
    ] = None,
    prompt: Annotated[str | None, typer.Option(help="What --audio-lm is asked.")] = None,
    answers: Annotated[
        str | None, typer.Option(help="Its two answers: negative,non-negative.")
    ] = None,
    trust_remote_code: Annotated[
        bool, typer.Option(help="Run the code that comes with --hf or --audio-lm.")
    ] = False,
    out_of_fold: Annotated[
        Path | None, typer.Option(help="out_of_fold.csv of the model's own training run.")
    ] = None,
    card: Annotated[
        Path | None, typer.Option(help="Put the figures of --data into this model card too.")
    ] = None,
    clean: Annotated[bool, typer.Option(help="Leave out the 8 kHz telephone band.")] = False,
    robustness: Annotated[
        bool, typer.Option(help="Also: 16 kHz, mu-law, noise, lost packets (5 times as long).")
    ] = False,
    noise: Annotated[
        Path | None, typer.Option(help="Folder of recorded noise for --robustness.")
    ] = None,
    as_json: Json = False,
    out: Out = None,
) -> None:
    """Measure a model: accuracy by corpus, and false alarms on real calls."""
    from .classifiers import ClassifierChoice
    from .evaluate import Evaluation, run_evaluation

    wanted = Evaluation(
        manifest=data / "manifest.csv" if data is not None and data.is_dir() else data,
        calls=calls,
        texts=texts,
        words=words,
        policy=policy,
        classifier=ClassifierChoice(
            model=model,
            hf=hf,
            audio_lm=audio_lm,
            negative_labels=tuple(negative_label or ()),
            prompt=prompt,
            answers=answers,
            trust_remote_code=trust_remote_code,
        ),
        out_of_fold=out_of_fold,
        clean=clean,
        robustness=robustness,
        noise=noise,
        card=card,
    )
    failed = run_evaluation(wanted, as_json=as_json, out=out)
    raise typer.Exit(2 if failed else 0)


@app.command()
def manifest(
    corpora: Annotated[
        list[str] | None, typer.Argument(metavar="NAME=FOLDER…", help="None: list the names.")
    ] = None,
    out: Annotated[Path, typer.Option(help="The manifest to write.")] = Path("manifest.csv"),
) -> None:
    """List the clips of corpora on disk, as `evaluate --data` reads them; nothing is fetched."""
    from rich.console import Console

    from .manifest import print_corpora, run_manifest

    if corpora:
        typer.echo(run_manifest(corpora, out))
    else:
        print_corpora(Console())


@app.command()
def calibrate(
    calls: Annotated[
        list[Path], typer.Argument(metavar="CALL…", help="Your own calls, or folders of them.")
    ],
    *,
    out: Annotated[Path, typer.Option(help="The model to write (.onnx), its card beside it.")],
    model: Annotated[Path | None, typer.Option(help="The model to start from.")] = None,
    caller_channel: Annotated[
        CallerChannel | None, typer.Option(help="The caller's side of a stereo recording.")
    ] = None,
    negative_rate: Annotated[
        float, typer.Option(min=0.001, max=0.2, help="Share of negative turns, roughly.")
    ] = 0.02,
) -> None:
    """Re-centre the voice model on your own calls; nobody needs to label them.

    Exit code 2 if any call could not be read; the others count all the same.
    """
    require_extra("train", "onnx")
    from .calibrate import run_calibration

    failed = run_calibration(
        calls, out=out, model=model, caller_channel=caller_channel, rate=negative_rate
    )
    raise typer.Exit(2 if failed else 0)


class Trainable(StrEnum):
    """What `deescalate train` can make."""

    VOICE = "voice"
    WORDING = "wording"
    REQUESTS = "requests"
    FUSION = "fusion"
    TEACHER = "teacher"


RemoteCode = Annotated[bool, typer.Option(help="Run the code that comes with a model.")]


@app.command()
def train(
    what: Annotated[
        Trainable, typer.Argument(help="Fusion needs voice and wording first.")
    ] = Trainable.VOICE,
    *,
    data: Annotated[Path, typer.Option(help="Folder with speech/, noise/, unlabelled/, text/.")],
    out: Annotated[Path, typer.Option(help="Folder for what is made, and for the cache.")],
    recipe: Annotated[Path | None, typer.Option(help="A recipe of your own (YAML).")] = None,
    model: Annotated[
        str | None, typer.Option(help="teacher: the audio language model: fetches it.")
    ] = None,
    trust_remote_code: RemoteCode = False,
) -> None:
    """Train a model; the same again from the same seed, and resumed if it was interrupted."""
    if what is Trainable.TEACHER:
        require_extra("distill", "torch", "transformers", "peft")
        from .teaching import run_teacher

        typer.echo(
            run_teacher(
                data=data, out=out, recipe=recipe, model=model, trust_remote_code=trust_remote_code
            )
        )
        return
    if model is not None or trust_remote_code:
        raise typer.BadParameter("--model and --trust-remote-code are for teacher")
    require_extra("train", "onnx", "scipy", "sklearn")
    from .training import run_training

    typer.echo(run_training(what.value, data=data, out=out, recipe=recipe))


class Distillation(StrEnum):
    """How `deescalate distill` hands a teacher's knowledge on."""

    ULD = "uld"
    LABELS = "labels"


@app.command()
def distill(
    *,
    teacher: Annotated[str, typer.Option(help="Folder of `train teacher`, or a model's name.")],
    data: Annotated[Path, typer.Option(help="Folder with speech/, as `clips` writes it.")],
    out: Annotated[Path, typer.Option(help="Folder for what is made.")],
    loss: Annotated[
        Distillation, typer.Option(help="uld: an audio language model; labels: for train voice.")
    ] = Distillation.ULD,
    student: Annotated[
        str | None, typer.Option(help="uld: the audio language model: fetches it.")
    ] = None,
    recipe: Annotated[Path | None, typer.Option(help="uld: your own recipe (YAML).")] = None,
    trust_remote_code: RemoteCode = False,
) -> None:
    """Teach a smaller model what a teacher hears; resumed if it was interrupted."""
    require_extra("distill", "torch", "transformers", "peft")
    from .teaching import run_distillation, run_soft_labels

    if loss is Distillation.ULD:
        told = run_distillation(
            teacher=teacher,
            data=data,
            out=out,
            recipe=recipe,
            student=student,
            trust_remote_code=trust_remote_code,
        )
    elif student is not None or recipe is not None:
        raise typer.BadParameter("--student and --recipe are for --loss uld")
    else:
        told = run_soft_labels(
            teacher=teacher, data=data, out=out, trust_remote_code=trust_remote_code
        )
    typer.echo(told)


class Benchmark(StrEnum):
    """What `deescalate bench` can measure."""

    SPEED = "speed"
    LIVE = "live"
    SIMULATE = "simulate"


@app.command()
def bench(
    what: Annotated[
        Benchmark, typer.Argument(help="The models, bots with and without a guard, simulation.")
    ] = Benchmark.SPEED,
    *,
    call: Annotated[
        Path | None,
        typer.Option(
            help="speed: also `analyze` this; live: its caller calls; simulate: a folder."
        ),
    ] = None,
    caller_channel: Annotated[
        CallerChannel | None, typer.Option(help="live: the caller's side of a stereo recording.")
    ] = None,
    runs: Annotated[int, typer.Option(min=5, help="speed: runs for each turn length.")] = 50,
    quick: Annotated[bool, typer.Option(help="live: a minute, to see that it works.")] = False,
    as_json: Json = False,
    out: Out = None,
) -> None:
    """Measure on this machine: the models beside Smart Turn v3.2, or live bots on loopback."""
    from .benchmarks.command import run_live, run_simulation, run_speed

    say = partial(typer.echo, err=True)
    if what is Benchmark.SPEED:
        run_speed(call=call, runs=runs, as_json=as_json, out=out, say=say)
        return
    if call is None:
        raise typer.BadParameter(f"{what.value} needs recordings", param_hint="--call")
    if what is Benchmark.SIMULATE:
        run_simulation(calls=call, as_json=as_json, out=out, say=say)
        return
    run_live(
        call=call, caller_channel=caller_channel, quick=quick, as_json=as_json, out=out, say=say
    )


class PhoneVendor(StrEnum):
    """Whose media streams `deescalate demo` answers."""

    TWILIO = "twilio"


@app.command()
def demo(
    host: Annotated[
        str, typer.Option(help="Where to listen; others than this machine need a token.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0 is a free one.")] = 7860,
    policy: Annotated[str, typer.Option(help="gentle, balanced, eager or a file.")] = "balanced",
    call: Annotated[
        Path | None, typer.Option(help="Play this recording to the bot; no browser needed.")
    ] = None,
    caller_channel: Annotated[
        CallerChannel | None, typer.Option(help="The caller's side of a stereo recording.")
    ] = None,
    phone: Annotated[
        PhoneVendor | None, typer.Option(help="Answer phone calls, too, at /phone.")
    ] = None,
) -> None:
    """Talk to a voice bot that notices, in the browser; it needs no keys."""
    require_extra("demo", "aiortc", "fastapi", "uvicorn", "espeakng_loader", "pocketsphinx")
    from .demo.command import run_demo

    run_demo(
        host=host,
        port=port,
        policy=policy,
        call=call,
        caller_channel=caller_channel,
        phone=phone is not None,
    )


class EngineChoice(StrEnum):
    """What `deescalate simulate` hears calls on."""

    LOCAL = "local"
    RAY = "ray"


@app.command()
def simulate(
    calls: Annotated[
        list[str], typer.Argument(metavar="CALLS…", help="Recordings, folders, manifests, URLs.")
    ],
    policy: Annotated[
        list[str] | None, typer.Option(help="gentle, balanced, eager or a file; again for more.")
    ] = None,
    labels: Annotated[
        str | None, typer.Option(help="Table: call_id with distressed, or with stretches.")
    ] = None,
    transcripts: Annotated[
        str | None, typer.Option(help="Folder of <call id>.jsonl, or one file of untimed lines.")
    ] = None,
    language: Annotated[str, typer.Option(help="The language of the transcripts.")] = "en",
    caller_channel: Annotated[
        CallerChannel | None, typer.Option(help="The caller's side of stereo recordings.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="A model of your own.")] = None,
    evidence: Annotated[
        str, typer.Option(help="Folder for what was heard; a run goes on from what is there.")
    ] = "evidence",
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes; one a core if not given.")
    ] = None,
    engine: Annotated[EngineChoice, typer.Option(help="Ray for many machines.")] = (
        EngineChoice.LOCAL
    ),
    base_rate: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Share of distressed calls to expect.")
    ] = 0.01,
    calls_a_day: Annotated[
        float | None,
        typer.Option(min=1, help="Calls a day to staff for; as recorded if not given."),
    ] = None,
    handling_s: Annotated[
        float, typer.Option(min=1, help="Seconds that a human takes for a transfer.")
    ] = 360.0,
    wait_s: Annotated[float, typer.Option(min=0, help="Seconds that a transfer may wait.")] = 20.0,
    results: Annotated[
        str | None, typer.Option(help="Folder for all decisions as Parquet.")
    ] = None,
    sweep: Annotated[
        list[str] | None, typer.Option(help="key=from:to:step of the first policy; several times.")
    ] = None,
    missed_cost: Annotated[float, typer.Option(min=0, help="Of a missed caller.")] = 20.0,
    needless_cost: Annotated[float, typer.Option(min=0, help="Of a needless transfer.")] = 5.0,
    minute_cost: Annotated[float, typer.Option(min=0, help="Of a minute of a human.")] = 1.0,
    best: Annotated[Path | None, typer.Option(help="Write the cheapest policy here.")] = None,
    caller_model: Annotated[
        str | None, typer.Option(help="Also play a made-up caller: bundled, or a YAML file.")
    ] = None,
    report: Annotated[Path | None, typer.Option(help="Write a report to read (HTML).")] = None,
    report_calls: Annotated[
        int, typer.Option(min=0, help="How many calls the report shows, some of each kind.")
    ] = 100,
    report_words: Annotated[bool, typer.Option(help="With what the callers said.")] = False,
    report_audio: Annotated[
        bool, typer.Option(help="With the calls' audio, to listen to.")
    ] = False,
    as_json: Json = False,
    out: Out = None,
) -> None:
    """Replay escalation policies on recorded calls, and compare what they would have done.

    Exit code 2 if any call could not be read; the others are counted all the same.
    """
    require_extra("simulate", "duckdb", "fsspec", "pyarrow")
    from ..policies.staffing import Service
    from ..policies.sweep import Costs
    from .simulate.command import EngineName, Options, run_simulation
    from .simulate.told import Shown

    if engine is EngineChoice.RAY:
        require_extra("ray", "ray")
    failed = run_simulation(
        Options(
            calls=calls,
            policies=policy or ["balanced"],
            labels=labels,
            transcripts=transcripts,
            language=language,
            caller_channel=caller_channel,
            model=model,
            evidence=evidence,
            engine=EngineName(engine.value),
            workers=workers,
            base_rate=base_rate,
            calls_a_day=calls_a_day,
            service=Service(handling_s=handling_s, wait_s=wait_s),
            results=results,
            sweep=sweep or [],
            costs=Costs(missed=missed_cost, needless=needless_cost, minute=minute_cost),
            best=best,
            caller_model=caller_model,
            report=report,
            report_calls=report_calls,
            shown=Shown(words=report_words, audio=report_audio),
            as_json=as_json,
            out=out,
        )
    )
    raise typer.Exit(2 if failed else 0)


@app.command("import")
def import_calls(
    sources: Annotated[
        list[Path], typer.Argument(metavar="SOURCE…", help="Recordings, records of calls, turns.")
    ],
    out: Annotated[Path, typer.Option(help="The turns, as .jsonl or .parquet.")],
    caller_channel: Annotated[
        CallerChannel | None, typer.Option(help="The caller's side of stereo recordings.")
    ] = None,
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
    from .importing import run_import

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
    from ..models.annotation.selection import Sampling
    from .select import run_selection

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
    from ..models.annotation.client import Patience
    from ..models.annotation.estimate import Prices
    from ..models.annotation.prompts import Strategy
    from ..models.annotation.wire import Api
    from .annotate import Asking, run_annotation

    failed = run_annotation(
        calls,
        selection=selection,
        asking=Asking(
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
        patience=Patience(timeout_s=timeout_s, attempts=attempts),
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
) -> None:
    """Cut labelled turns out of calls, the form that train, distill and evaluate read."""
    require_extra("annotate", "duckdb")
    from .teaching import run_clips

    typer.echo(run_clips(calls, labels=labels, out=out, corpus=corpus, held_out=held_out))


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
    from .agreement import run_agreement

    run_agreement(labels, reference=reference, as_json=as_json, out=out)


@app.command()
def assemble(
    data: Annotated[Path, typer.Option(help="A manifest of labelled utterances (CSV).")],
    out: Annotated[Path, typer.Option(help="Folder for the calls, calls.csv and labels.csv.")],
    calls: Annotated[int, typer.Option(min=1, help="How many calls.")] = 100,
    distressed: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Share of calls with distress.")
    ] = 0.01,
    split: Annotated[str, typer.Option(help="Which utterances of the manifest.")] = "eval",
    texts: Annotated[
        Path | None, typer.Option(help="Folder of texts: transcripts of the same labels, too.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Another number gives other calls.")] = 2026,
) -> None:
    """Put labelled telephone calls together from utterances, to simulate on."""
    from .simulate.assemble import assemble as put_together

    put_together(data, out, split=split, calls=calls, distressed=distressed, seed=seed, texts=texts)


def main() -> None:
    """Run the command; an error of ours is one line on stderr and exit code 2."""
    try:
        app()
    except DeescalateError as error:
        print(f"deescalate: {error}", file=sys.stderr)
        sys.exit(2)
    except OSError as error:  # such as a full disk, or a reader of our output that went away
        where = f"{error.filename}: " if error.filename else ""
        print(f"deescalate: {where}{error.strerror}", file=sys.stderr)
        sys.exit(2)
