"""Commands that measure and make models: `evaluate`, `manifest`, `train`, `distill`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ..console import require_extra
from .app import AudioLmName, Json, Out, RemoteCode, app


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
    audio_lm: AudioLmName = None,
    prompt: Annotated[str | None, typer.Option(help="What --audio-lm is asked.")] = None,
    answers: Annotated[
        str | None, typer.Option(help="Its two answers: negative,non-negative.")
    ] = None,
    trust_remote_code: RemoteCode = False,
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
    from ..lab.evaluate import Evaluation, run_evaluation
    from ..replay.classifier_choice import ClassifierChoice

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

    from ..lab.manifest import print_corpora, run_manifest

    if corpora:
        typer.echo(run_manifest(corpora, out))
    else:
        print_corpora(Console())


class Trainable(StrEnum):
    """What `deescalate train` can make."""

    VOICE = "voice"
    WORDING = "wording"
    REQUESTS = "requests"
    FUSION = "fusion"
    TEACHER = "teacher"


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
        from ..lab.train import run_teacher

        typer.echo(
            run_teacher(
                data=data, out=out, recipe=recipe, model=model, trust_remote_code=trust_remote_code
            )
        )
        return
    if model is not None or trust_remote_code:
        raise typer.BadParameter("--model and --trust-remote-code are for teacher")
    require_extra("train", "onnx", "scipy", "sklearn")
    from ..lab.train import run_training

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
    from ..lab.train import run_distillation, run_soft_labels

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
