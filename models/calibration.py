"""From a model's logit to evidence: Platt scaling and a plateau, fitted in training, applied here.

Calibrated at balanced priors the log odds are the natural-log likelihood ratio
ln P(audio | negative) / P(audio | not negative): whoever decides adds the deployment's own
base rate. Platt, "Probabilistic outputs for support vector machines", 1999.

The plateau is for what acted speech cannot teach: evidence that calm turns of real calls also
reach counts for p = 0.8 at most.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass

PLATEAU_TOP = math.log(0.8 / 0.2)
"""Evidence, in nats, that a plateau ends at: p = 0.8."""
_CATCH_UP = 3.0


@dataclass(frozen=True, slots=True)
class Calibration:
    """log likelihood ratio = slope * logit + offset, pressed by the plateau, held within +-limit.

    `plateau` (start, end; None without): evidence from start to end nats is pressed into start to
    `PLATEAU_TOP`, a straight line; from there it rises three times as fast, until it is where it
    would be without a plateau.
    `limit` keeps one turn from saying more than the training data could teach. Raises ValueError
    unless all are finite, slope and limit above zero, start under and end not under the top.
    """

    slope: float
    offset: float
    limit: float
    plateau: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        values = (self.slope, self.offset, self.limit, *(self.plateau or ()))
        if not all(map(math.isfinite, values)):
            raise ValueError("calibration values must be finite")
        if self.slope <= 0 or self.limit <= 0:
            raise ValueError("calibration slope and limit must be above zero")
        if self.plateau and not self.plateau[0] < PLATEAU_TOP <= self.plateau[1]:
            raise ValueError("calibration plateau must start under p = 0.8 and end above it")

    def log_likelihood_ratio(self, logit: float) -> float:
        """Return the natural-log likelihood ratio of a turn. Raises ValueError for a NaN logit."""
        if math.isnan(logit):
            raise ValueError("the logit is not a number")
        evidence = self._pressed(self.slope * logit + self.offset)
        return max(-self.limit, min(self.limit, evidence))

    def _pressed(self, evidence: float) -> float:
        if self.plateau is None or evidence <= self.plateau[0]:
            return evidence
        start, end = self.plateau
        if evidence >= end:
            return min(evidence, PLATEAU_TOP + _CATCH_UP * (evidence - end))
        pressed = start + (evidence - start) * (PLATEAU_TOP - start) / (end - start)
        return min(PLATEAU_TOP, pressed)  # rounding must not lift it over what is above the end

    def probability(self, logit: float) -> float:
        """Return the probability of "negative" when both classes are equally likely beforehand."""
        return 1 / (1 + math.exp(-self.log_likelihood_ratio(logit)))

    def to_json(self) -> str:
        """Return the form that the model file carries."""
        return json.dumps({"method": "platt", **asdict(self)}, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Calibration:
        """Read what `to_json` wrote. Raises ValueError for anything else."""
        try:
            values = json.loads(text)
        except json.JSONDecodeError as error:
            raise ValueError(f"calibration is not JSON ({error})") from error
        if not isinstance(values, dict) or values.pop("method", None) != "platt":
            raise ValueError("calibration is not of the method platt")
        if values.keys() - {"plateau"} != {"slope", "offset", "limit"}:
            raise ValueError("calibration needs exactly slope, offset and limit, and may plateau")
        plateau = values.pop("plateau", None)
        if plateau is not None and (not isinstance(plateau, list) or len(plateau) != 2):
            raise ValueError("calibration plateau must be a start and an end")
        if not all(map(_is_number, (*values.values(), *(plateau or ())))):
            raise ValueError("calibration values must be numbers")
        numbers = {name: float(value) for name, value in values.items()}
        return cls(**numbers, plateau=(float(plateau[0]), float(plateau[1])) if plateau else None)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
