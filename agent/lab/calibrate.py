"""The `model calibrate` command: re-centre a model on a deployment's own calls."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import typer

from ...models.audio.recording import CallerChannel, open_call
from ...models.errors import DeescalateError, ModelFileError
from ...models.lab.evaluation.recalibration import check_output, recalibrate, write_recalibrated
from ...models.registry import BUNDLED_VOICE
from ...models.voice import OnnxEmotionClassifier
from ..console import complaint, recordings, stages
from ..replay.segments import TurnRules, find_turns
from ..replay.vad import SAMPLE_RATE, WINDOW_MS


def run_calibration(
    calls: Sequence[Path],
    *,
    out: Path,
    model: Path | None,
    caller_channel: CallerChannel | None,
    rate: float,
) -> int:
    """Classify the calls turn by turn, write the model, and print what changed.

    Returns the number of calls that could not be read; each gets a line on stderr.

    Raises:
        TooFewTurnsError: the calls have too few turns.
        ModelFileError, OutputError: the model cannot be read, or the new one written.
    """
    source = model or BUNDLED_VOICE
    check_output(source, out)
    classifier = OnnxEmotionClassifier(source)
    paths = [path for call in calls for path in recordings(call)]
    logits: list[float] = []
    failed: list[str] = []
    with stages() as progress:
        for done, path in enumerate(paths):
            progress("calls", done, len(paths))
            try:
                logits += _logits(path, classifier, caller_channel)
            except DeescalateError as error:
                failed.append(complaint(error))
    for line in failed:
        typer.echo(f"failed: {line}", err=True)
    if not all(map(math.isfinite, logits)):
        raise ModelFileError(source, "its output is not finite")
    made = recalibrate(classifier.calibration, logits, rate)
    name = write_recalibrated(source, out, made, len(paths) - len(failed))
    before, after = made.over_half
    typer.echo(
        f"{out}: {name}, moved by {made.shift:+.2f} nats on {made.turns} turns of "
        f"{len(paths) - len(failed)} calls; share over p = 0.5: {before:.1%}, now {after:.1%}"
    )
    return len(failed)


def _logits(
    path: Path, classifier: OnnxEmotionClassifier, caller_channel: CallerChannel | None
) -> list[float]:
    with open_call(
        path, caller_channel=caller_channel, sample_rate=SAMPLE_RATE, block_ms=WINDOW_MS
    ) as call:
        turns = find_turns(call, TurnRules())
        return [x for turn in turns for x in classifier.logits(turn.samples, turn.sample_rate)]
