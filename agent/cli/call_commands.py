"""Commands that make tables and data sets of calls: `calls import`, `calls synthesize`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..console import require_extra
from .app import (
    CallerSpeaker,
    Json,
    Language,
    StereoCaller,
    calls_group,
    file_option,
    folder_option,
    path_option,
)


@calls_group.command("import")
def import_command(
    sources: Annotated[
        list[Path],
        typer.Argument(metavar="SOURCE…", help="Recordings, call records or tables of turns."),
    ],
    out: Annotated[Path, file_option("The table of turns (.jsonl or .parquet).")],
    caller_channel: StereoCaller = None,
    transcripts: Annotated[
        Path | None, path_option("Folder of transcripts named like the recordings.")
    ] = None,
    caller_speaker: CallerSpeaker = None,
    recordings: Annotated[
        Path | None, folder_option("Recordings of live calls, named by call id.")
    ] = None,
    language: Language = "en",
    as_json: Json = False,
) -> None:
    """Read recordings and call records into one table of turns.

    Exit code 2 if any source could not be read; the others are imported all the same.
    """
    require_extra("annotate", "duckdb")
    from ..lab.import_calls import run_import

    failed = run_import(
        sources,
        out=out,
        caller_channel=caller_channel,
        transcripts=transcripts,
        caller_speaker=caller_speaker,
        recordings=recordings,
        language=language,
        as_json=as_json,
    )
    raise typer.Exit(2 if failed else 0)


@calls_group.command("synthesize")
def synthesize_command(
    manifest: Annotated[Path, file_option("Manifest of labelled utterances (CSV).")],
    out: Annotated[Path, folder_option("For the calls, calls.csv and labels.csv.")],
    count: Annotated[int, typer.Option(min=1, help="How many calls to make.")] = 100,
    distressed: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Share of distressed calls.")
    ] = 0.01,
    split: Annotated[str, typer.Option(help="Which split of the manifest to use.")] = "eval",
    texts: Annotated[
        Path | None, folder_option("GoEmotions folder: adds transcripts with the same labels.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Another seed makes other calls.")] = 2026,
) -> None:
    """Build labelled calls from labelled utterances, to simulate on."""
    from ..lab.synthetic_calls import write_synthetic_calls

    write_synthetic_calls(
        manifest, out, split=split, calls=count, distressed=distressed, seed=seed, texts=texts
    )
