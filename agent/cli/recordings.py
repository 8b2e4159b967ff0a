"""Commands on recorded calls: `analyze`, `simulate`, `assemble`, `calibrate`."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ..console import require_extra
from .app import AudioLmName, Json, Out, RemoteCode, StereoCaller, app


@app.command()
def analyze(
    calls: Annotated[list[Path], typer.Argument(metavar="CALL…", help="Recorded calls.")],
    policy: Annotated[str, typer.Option(help="gentle, balanced, eager or a file.")] = "balanced",
    caller_channel: StereoCaller = None,
    transcript: Annotated[
        Path | None, typer.Option(help="JSON lines: start_s, end_s, text, speaker.")
    ] = None,
    language: Annotated[str, typer.Option(help="The language of the transcript.")] = "en",
    show_text: Annotated[bool, typer.Option(help="Show and keep the caller's words.")] = False,
    started_at: Annotated[
        datetime | None, typer.Option(help="When the call began, for opening hours.")
    ] = None,
    model: Annotated[Path | None, typer.Option(help="A model of your own.")] = None,
    audio_lm: AudioLmName = None,
    trust_remote_code: RemoteCode = False,
    as_json: Json = False,
    out: Out = None,
) -> None:
    """Read recorded calls turn by turn and decide as a live bot would.

    Exit code 2 if any call could not be read; the others are analysed all the same.
    """
    from ..replay.analyze import analyze_files
    from ..replay.classifier_choice import ClassifierChoice

    failed = analyze_files(
        calls,
        policy=policy,
        caller_channel=caller_channel,
        transcript=transcript,
        language=language,
        keep_text=show_text,
        started_at=started_at.astimezone() if started_at else None,
        classifier=ClassifierChoice(
            model=model, audio_lm=audio_lm, trust_remote_code=trust_remote_code
        ),
        as_json=as_json,
        out=out,
    )
    raise typer.Exit(2 if failed else 0)


@app.command()
def calibrate(
    calls: Annotated[
        list[Path], typer.Argument(metavar="CALL…", help="Your own calls, or folders of them.")
    ],
    *,
    out: Annotated[Path, typer.Option(help="The model to write (.onnx), its card beside it.")],
    model: Annotated[Path | None, typer.Option(help="The model to start from.")] = None,
    caller_channel: StereoCaller = None,
    negative_rate: Annotated[
        float, typer.Option(min=0.001, max=0.2, help="Share of negative turns, roughly.")
    ] = 0.02,
) -> None:
    """Re-centre the voice model on your own calls; nobody needs to label them.

    Exit code 2 if any call could not be read; the others count all the same.
    """
    require_extra("train", "onnx")
    from ..lab.calibrate import run_calibration

    failed = run_calibration(
        calls, out=out, model=model, caller_channel=caller_channel, rate=negative_rate
    )
    raise typer.Exit(2 if failed else 0)


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
    caller_channel: StereoCaller = None,
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
    from ..replay.simulate.call_detail import ReportContent
    from ..replay.simulate.command import EngineName, Options, run_simulation
    from ..replay.simulate.statistics.staffing import Service
    from ..replay.simulate.statistics.sweep import Costs

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
            shown=ReportContent(words=report_words, audio=report_audio),
            as_json=as_json,
            out=out,
        )
    )
    raise typer.Exit(2 if failed else 0)


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
    from ..lab.synthetic_calls import write_synthetic_calls

    write_synthetic_calls(
        data, out, split=split, calls=calls, distressed=distressed, seed=seed, texts=texts
    )
