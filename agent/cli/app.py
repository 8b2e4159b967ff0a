"""The application that the commands belong to, and the options that they share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ...models.audio.recording import CallerChannel
from .deprecated import CommandGroup, RootGroup

COMMANDS = "Commands"
GROUPS = "Your own calls, labels and models"

app = typer.Typer(
    name="deescalate",
    cls=RootGroup,
    help="Detect a caller's frustration turn by turn, and respond to it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _group(name: str, summary: str) -> typer.Typer:
    group = typer.Typer(cls=CommandGroup, help=summary, no_args_is_help=True)
    app.add_typer(group, name=name, rich_help_panel=GROUPS)
    return group


calls_group = _group("calls", "Import recordings as tables of turns; synthesize labelled calls.")
label_group = _group("label", "Select turns, label them with a model, cut them into clips.")
model_group = _group("model", "Train, distill, evaluate and calibrate models.")


def file_option(text: str) -> Any:
    """An option that takes a file; `text` is its help."""
    return typer.Option(metavar="FILE", help=text)


def folder_option(text: str) -> Any:
    """An option that takes a folder."""
    return typer.Option(metavar="FOLDER", help=text)


def path_option(text: str) -> Any:
    """An option that takes a file or a folder."""
    return typer.Option(metavar="PATH", help=text)


StereoCaller = Annotated[
    CallerChannel | None, typer.Option(help="The caller's side of a stereo recording.")
]
CallerSpeaker = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="The caller's name in transcripts that tell no roles."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
Out = Annotated[Path | None, file_option("Also write the JSON to this file.")]
Policy = Annotated[
    str, typer.Option(metavar="POLICY", help="gentle, balanced, eager or a YAML file.")
]
ModelFile = Annotated[Path | None, file_option("A voice model of your own (.onnx).")]
Language = Annotated[str, typer.Option(help="Of the transcripts; several with commas, or auto.")]
AudioLmName = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Hugging Face audio language model; downloaded if needed."),
]
RemoteCode = Annotated[
    bool, typer.Option("--trust-remote-code", help="Run the code that comes with the model.")
]


def _print_version(wanted: bool) -> None:
    if wanted:
        from ... import __version__

        typer.echo(f"deescalate {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    verbose: Annotated[
        bool, typer.Option("--verbose", help="Log everything, including Pipecat's log.")
    ] = False,
    _version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version and exit.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    from ..console import configure_logging

    configure_logging(verbose=verbose)
