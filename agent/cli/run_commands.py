"""Commands that run what is there: `analyze`, `simulate`, `demo`, `doctor`, `bench`."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ..console import require_extra
from .app import (
    COMMANDS,
    AudioLmName,
    CallerSpeaker,
    Json,
    Language,
    ModelFile,
    Out,
    Policy,
    RemoteCode,
    StereoCaller,
    app,
    file_option,
    folder_option,
    path_option,
)


@app.command("analyze", rich_help_panel=COMMANDS)
def analyze_command(
    calls: Annotated[list[Path], typer.Argument(metavar="CALL…", help="Recorded calls.")],
    policy: Policy = "balanced",
    caller_channel: StereoCaller = None,
    transcripts: Annotated[
        Path | None,
        path_option("The call's transcript: JSON lines, or as speech services write it."),
    ] = None,
    caller_speaker: CallerSpeaker = None,
    language: Language = "en",
    show_text: Annotated[
        bool, typer.Option("--show-text", help="Show and keep the caller's words.")
    ] = False,
    started_at: Annotated[
        datetime | None, typer.Option(help="When the call began, for the opening hours.")
    ] = None,
    model: ModelFile = None,
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
        transcript=transcripts,
        caller_speaker=caller_speaker,
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


class EngineChoice(StrEnum):
    """What runs the inference of `deescalate simulate`."""

    LOCAL = "local"
    RAY = "ray"


@app.command("simulate", rich_help_panel=COMMANDS)
def simulate_command(
    calls: Annotated[
        list[str], typer.Argument(metavar="CALLS…", help="Recordings, folders, manifests, URLs.")
    ],
    policy: Annotated[
        list[str] | None,
        typer.Option(
            metavar="POLICY", help="gentle, balanced, eager or a YAML file; repeat to compare."
        ),
    ] = None,
    labels: Annotated[
        str | None,
        file_option("Table with call_id and either distressed, or start_s, end_s, negative."),
    ] = None,
    transcripts: Annotated[
        str | None, path_option("Folder of transcripts by call id, or one file without times.")
    ] = None,
    caller_speaker: CallerSpeaker = None,
    ignore_transcripts: Annotated[
        bool, typer.Option("--ignore-transcripts", help="Ignore transcripts beside the recordings.")
    ] = False,
    language: Language = "en",
    caller_channel: StereoCaller = None,
    model: Annotated[str | None, file_option("A voice model of your own (.onnx).")] = None,
    evidence: Annotated[
        str | None,
        folder_option("Evidence of calls read before; in your cache folder if not given."),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes; one per core if not given.")
    ] = None,
    engine: Annotated[EngineChoice, typer.Option(help="ray runs on several machines.")] = (
        EngineChoice.LOCAL
    ),
    base_rate: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Expected share of distressed calls.")
    ] = 0.01,
    calls_a_day: Annotated[
        float | None,
        typer.Option(min=1, help="Calls per day to staff for; as recorded if not given."),
    ] = None,
    handling_s: Annotated[
        float, typer.Option(min=1, help="Handling time of a transferred call, in seconds.")
    ] = 360.0,
    wait_s: Annotated[
        float, typer.Option(min=0, help="Maximum wait for an agent, in seconds.")
    ] = 20.0,
    results: Annotated[str | None, folder_option("Write all decisions here, as Parquet.")] = None,
    sweep: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=FROM:TO:STEP", help="Vary the first policy; repeat for more."),
    ] = None,
    missed_cost: Annotated[
        float, typer.Option(min=0, help="Cost of a missed distressed caller.")
    ] = 20.0,
    needless_cost: Annotated[float, typer.Option(min=0, help="Cost of a needless transfer.")] = 5.0,
    minute_cost: Annotated[
        float, typer.Option(min=0, help="Cost of a minute of a human's time.")
    ] = 1.0,
    best: Annotated[
        Path | None, file_option("Write the policy that the --sweep chooses here.")
    ] = None,
    caller_model: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Also simulate callers who react: bundled, or a YAML file."
        ),
    ] = None,
    report: Annotated[Path | None, file_option("Write a report to read (HTML).")] = None,
    report_calls: Annotated[
        int, typer.Option(min=0, help="Calls to show in the report, some of each kind.")
    ] = 100,
    report_words: Annotated[
        bool, typer.Option("--report-words", help="Include what the callers said.")
    ] = False,
    report_audio: Annotated[
        bool, typer.Option("--report-audio", help="Include the audio of the calls.")
    ] = False,
    as_json: Json = False,
    out: Out = None,
) -> None:
    """Replay policies on recorded calls and compare their outcomes.

    Exit code 2 if any call could not be read; the others are counted all the same. Exit code 1 if
    there are too few labels for a --sweep to name a winner.
    """
    require_extra("simulate", "duckdb", "fsspec", "pyarrow")
    from ..replay.simulate.call_detail import ReportContent
    from ..replay.simulate.command import EngineName, Options, run_simulation
    from ..replay.simulate.statistics.staffing import Service
    from ..replay.simulate.statistics.sweep import Costs

    if engine is EngineChoice.RAY:
        require_extra("ray", "ray")
    exit_code = run_simulation(
        Options(
            calls=calls,
            policies=policy or ["balanced"],
            labels=labels,
            transcripts=transcripts,
            caller_speaker=caller_speaker,
            transcripts_beside=not ignore_transcripts,
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
    raise typer.Exit(exit_code)


class PhoneVendor(StrEnum):
    """Whose media streams `deescalate demo` answers."""

    TWILIO = "twilio"


@app.command("demo", rich_help_panel=COMMANDS)
def demo_command(
    host: Annotated[
        str, typer.Option(help="Address to listen on; other machines need a token.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0 takes a free port.")] = 7860,
    policy: Policy = "balanced",
    call: Annotated[
        Path | None, file_option("Play this recording to the bot; no browser needed.")
    ] = None,
    caller_channel: StereoCaller = None,
    phone: Annotated[
        PhoneVendor | None, typer.Option(help="Also answer phone calls, at /phone.")
    ] = None,
) -> None:
    """Talk in your browser to a bot that detects frustration; no keys."""
    require_extra("demo", "aiortc", "fastapi", "uvicorn", "espeakng_loader", "pocketsphinx")
    from ..demo.command import run_demo

    run_demo(
        host=host,
        port=port,
        policy=policy,
        call=call,
        caller_channel=caller_channel,
        phone=phone is not None,
    )


@app.command("doctor", rich_help_panel=COMMANDS)
def doctor_command(
    bot: Annotated[Path, typer.Argument(metavar="BOT.py", help="The bot's file.")],
    as_json: Json = False,
    out: Out = None,
) -> None:
    """Check the guard's place in a bot's pipeline, without a call.

    Exit code 1 if something keeps it from that.
    """
    from ..doctor import run_doctor

    raise typer.Exit(1 if run_doctor(bot, as_json=as_json, out=out) else 0)


@app.command("bench", rich_help_panel=COMMANDS)
def bench_command(
    runs: Annotated[int, typer.Option(min=5, help="Runs per turn length.")] = 50,
    as_json: Json = False,
    out: Out = None,
) -> None:
    """Measure inference time on this machine, next to Smart Turn v3.2."""
    from ..lab.speed import run_bench

    run_bench(runs=runs, as_json=as_json, out=out)
