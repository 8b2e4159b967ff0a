"""The application that the commands belong to, and the options that they share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ...models.audio.recording import CallerChannel

app = typer.Typer(
    name="deescalate",
    help="Hear a caller's frustration turn by turn, and do something about it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

StereoCaller = Annotated[
    CallerChannel | None, typer.Option(help="The caller's side of a stereo recording.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of the human view.")]
Out = Annotated[Path | None, typer.Option(help="Also write the JSON to this file.")]
AudioLmName = Annotated[
    str | None, typer.Option(help="Hugging Face audio language model: fetches it.")
]
RemoteCode = Annotated[bool, typer.Option(help="Run the code that comes with a model.")]


@app.callback()
def _options(
    verbose: Annotated[bool, typer.Option(help="Log everything, Pipecat's log included.")] = False,
) -> None:
    from ..console import configure_logging

    configure_logging(verbose=verbose)
