"""Re-centre a model on a deployment, from its unlabelled turns.

All that is assumed is that few of them are negative. With a share r of negative turns, well
calibrated log-likelihood ratios l satisfy mean(sigmoid(l + logit r)) = r: the fixed point of prior
estimation by Saerens, Latinne and Decaestecker, "Adjusting the outputs of a classifier to new a
priori probabilities", 2002, here solved for a shift of l at a known r. Half of that shift is
applied, and at most 1.5 nats: on training corpora that were left out of training, this was best
whether 0 or 10 % of the turns were negative (docs/evaluation.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import onnx

from ...calibration import Calibration
from ...errors import DeescalateError
from ...files import OutputError, whole_file
from ...registry import read_model, write_model

ASSUMED_RATE = 0.02
MIN_TURNS = 100
MAX_SHIFT = 1.5
_STEP = 0.5


class TooFewTurnsError(DeescalateError):
    """The calls have too few turns to re-centre a model on; give more calls."""


@dataclass(frozen=True, slots=True)
class Recalibration:
    """A calibration for one deployment, and its origin; `shift` is in nats."""

    calibration: Calibration
    shift: float
    turns: int
    assumed_rate: float
    over_half: tuple[float, float]
    """Share of the turns over p = 0.5 before and after."""


def recalibrate(
    calibration: Calibration, logits: Sequence[float], assumed_rate: float = ASSUMED_RATE
) -> Recalibration:
    """Return the calibration shifted to fit the logits of a deployment's turns.

    Raises:
        TooFewTurnsError: there are fewer than 100 of them.
        ValueError: the rate is not between 0 and 0.5, or a logit is not finite.
    """
    if not 0 < assumed_rate < 0.5:
        raise ValueError("the assumed rate must be above 0 and below 0.5")
    if len(logits) < MIN_TURNS:
        raise TooFewTurnsError(
            f"{len(logits)} turns were found, {MIN_TURNS} are needed: give more calls"
        )
    values = np.asarray(logits, np.float64)
    if not np.isfinite(values).all():
        raise ValueError("logits must be finite")
    shift = _STEP * _full_shift(calibration, values, assumed_rate)
    moved = replace(calibration, offset=calibration.offset + shift)
    shares = tuple(float(np.mean(_ratios(c, values) > 0)) for c in (calibration, moved))
    return Recalibration(moved, shift, len(values), assumed_rate, (shares[0], shares[1]))


def _full_shift(calibration: Calibration, logits: np.ndarray, rate: float) -> float:
    """Return the shift that gives the assumed rate, by bisection: the mean rises with it."""
    prior = np.log(rate / (1 - rate))
    low, high = -MAX_SHIFT / _STEP, MAX_SHIFT / _STEP
    for _ in range(40):
        middle = (low + high) / 2
        moved = replace(calibration, offset=calibration.offset + middle)
        share = np.mean(1 / (1 + np.exp(-(_ratios(moved, logits) + prior))))
        low, high = (low, middle) if share > rate else (middle, high)
    return (low + high) / 2


def _ratios(calibration: Calibration, logits: np.ndarray) -> np.ndarray:
    return np.array([calibration.log_likelihood_ratio(logit) for logit in logits.tolist()])


def check_output(source: Path, out: Path) -> None:
    """Raise OutputError if a model made from `source` cannot be written to `out`."""
    if out.suffix != ".onnx":
        raise OutputError(out, "a model file must be named *.onnx")
    card = out.with_suffix(".json")
    if card.resolve() == source.with_suffix(".json").resolve():
        raise OutputError(out, "would overwrite the source model or its card")
    if not out.resolve().parent.is_dir():
        raise OutputError(out, "its folder is missing")
    if card.exists() and not out.exists():
        raise OutputError(card, "exists but is not a model card; choose another --out")
    with whole_file(card), whole_file(out):
        pass  # raises if they cannot be written


def write_recalibrated(source: Path, out: Path, made: Recalibration, calls: int) -> str:
    """Write a copy of a model with another calibration, and its card, and return its name.

    The card names the source and drops the evaluation figures: those were the source's.

    Raises:
        ModelFileError: the source is missing or damaged.
        OutputError: `out` cannot be written.
    """
    check_output(source, out)
    original = read_model(source)
    model = onnx.load_model_from_string(original.content)
    properties = {entry.key: entry.value for entry in model.metadata_props}
    name = f"{properties['name']}-recentred"
    properties |= {"calibration": made.calibration.to_json(), "name": name}
    onnx.helper.set_model_props(model, properties)
    content = model.SerializeToString(deterministic=True)
    card = original.card | {
        "bytes": len(content),
        "evaluation": None,
        "recalibration": asdict(made)
        | {"calls": calls, "of": original.card["sha256"], "name": name},
    }
    write_model(out, content, card)
    return name
