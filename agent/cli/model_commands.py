"""Commands that make and measure models: `model train`, `distill`, `evaluate` and so on."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ..console import require_extra
from .app import (
    AudioLmName,
    Json,
    ModelFile,
    Out,
    Policy,
    RemoteCode,
    StereoCaller,
    file_option,
    folder_option,
    model_group,
    path_option,
)

_Recipe = Annotated[Path | None, file_option("A recipe of your own (YAML).")]
_Made = Annotated[Path, folder_option("For the model, and for the training cache.")]


class Trainable(StrEnum):
    """What `deescalate model train` can make."""

    VOICE = "voice"
    WORDING = "wording"
    REQUESTS = "requests"
    FUSION = "fusion"
    SPEAKERS = "speakers"
    TEACHER = "teacher"


@model_group.command("train")
def train_command(
    what: Annotated[
        Trainable, typer.Argument(help="Train voice and wording before fusion.")
    ] = Trainable.VOICE,
    *,
    data: Annotated[Path, folder_option("With speech/, noise/, unlabelled/, text/.")],
    out: _Made,
    recipe: _Recipe = None,
    model: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="teacher: audio language model; downloaded if needed."),
    ] = None,
    trust_remote_code: RemoteCode = False,
) -> None:
    """Train a model reproducibly; resumes if interrupted."""
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
    """How `deescalate model distill` hands a teacher's knowledge on."""

    ULD = "uld"
    LABELS = "labels"


@model_group.command("distill")
def distill_command(
    *,
    teacher: Annotated[str, typer.Option(help="Folder of `train teacher`, or a model's name.")],
    data: Annotated[Path, folder_option("With speech/, as `label clips` writes it.")],
    out: _Made,
    loss: Annotated[
        Distillation,
        typer.Option(help="uld: an audio language model; labels: data for `train voice`."),
    ] = Distillation.ULD,
    student: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="uld: audio language model; downloaded if needed."),
    ] = None,
    recipe: _Recipe = None,
    trust_remote_code: RemoteCode = False,
) -> None:
    """Distill a large model into a smaller one; resumes if interrupted."""
    require_extra("distill", "torch", "transformers", "peft")
    from ..lab.train import run_distillation, run_soft_labels

    if loss is Distillation.ULD:
        made = run_distillation(
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
        made = run_soft_labels(
            teacher=teacher, data=data, out=out, trust_remote_code=trust_remote_code
        )
    typer.echo(made)


@model_group.command("evaluate")
def evaluate_command(
    manifest: Annotated[
        Path | None, path_option("Manifest of labelled clips (CSV), or its folder.")
    ] = None,
    calls: Annotated[
        Path | None, path_option("Mono recordings of mostly calm callers: counts false alarms.")
    ] = None,
    texts: Annotated[
        Path | None, folder_option("GoEmotions folder: compares voice, words and both.")
    ] = None,
    transcripts: Annotated[
        Path | None, path_option("Transcripts of --calls: JSON lines without times.")
    ] = None,
    policy: Policy = "balanced",
    model: ModelFile = None,
    hf: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Hugging Face audio classifier; downloaded if needed."),
    ] = None,
    negative_label: Annotated[
        list[str] | None, typer.Option(help="A negative label of --hf; repeat for more.")
    ] = None,
    audio_lm: AudioLmName = None,
    prompt: Annotated[str | None, typer.Option(help="The prompt for --audio-lm.")] = None,
    answers: Annotated[
        str | None, typer.Option(help="Its two answers, such as negative,non-negative.")
    ] = None,
    trust_remote_code: RemoteCode = False,
    out_of_fold: Annotated[
        Path | None, file_option("out_of_fold.csv of the model's training run.")
    ] = None,
    card: Annotated[Path | None, file_option("Model card (.json) to add the figures to.")] = None,
    clean: Annotated[
        bool, typer.Option("--clean", help="Do not limit clips to the 8 kHz telephone band.")
    ] = False,
    robustness: Annotated[
        bool,
        typer.Option(
            "--robustness", help="Also 16 kHz, mu-law, noise, packet loss (5 times slower)."
        ),
    ] = False,
    noise: Annotated[Path | None, folder_option("Recorded noise for --robustness.")] = None,
    as_json: Json = False,
    out: Out = None,
) -> None:
    """Measure accuracy by corpus, and false alarms on real calls."""
    from ..lab.evaluate import Evaluation, run_evaluation
    from ..replay.classifier_choice import ClassifierChoice

    if manifest is not None and manifest.is_dir():
        manifest /= "manifest.csv"
    wanted = Evaluation(
        manifest=manifest,
        calls=calls,
        texts=texts,
        words=transcripts,
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


@model_group.command("calibrate")
def calibrate_command(
    calls: Annotated[
        list[Path], typer.Argument(metavar="CALL…", help="Your own calls, or folders of them.")
    ],
    *,
    out: Annotated[Path, file_option("The new model (.onnx); its card goes beside it.")],
    model: Annotated[
        Path | None, file_option("The model to start from; else the bundled one.")
    ] = None,
    caller_channel: StereoCaller = None,
    negative_rate: Annotated[
        float, typer.Option(min=0.001, max=0.2, help="Rough share of negative turns.")
    ] = 0.02,
) -> None:
    """Re-centre the voice model on your own calls; no labels needed.

    Exit code 2 if any call could not be read; the others count all the same.
    """
    require_extra("train", "onnx")
    from ..lab.calibrate import run_calibration

    failed = run_calibration(
        calls, out=out, model=model, caller_channel=caller_channel, rate=negative_rate
    )
    raise typer.Exit(2 if failed else 0)


@model_group.command("manifest")
def manifest_command(
    corpora: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME=FOLDER…", help="Corpora on disk; none lists the names."),
    ] = None,
    out: Annotated[Path, file_option("The manifest to write.")] = Path("manifest.csv"),
) -> None:
    """List the labelled clips of corpora on disk in a CSV file."""
    from rich.console import Console

    from ..lab.manifest import print_corpora, run_manifest

    if corpora:
        typer.echo(run_manifest(corpora, out))
    else:
        print_corpora(Console())
