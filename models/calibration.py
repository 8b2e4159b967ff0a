"""From a model's logit to evidence: Platt scaling with a plateau, fitted in training, applied here.

Calibrated at balanced priors the log odds are the natural-log likelihood ratio
ln P(heard | negative) / P(heard | not negative): the deployment's own base rate is added by
whoever decides. Platt, "Probabilistic outputs for support vector machines", 1999.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass

ALARM_NATS = math.log(4)
"""Evidence of p = 0.8."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """log likelihood ratio = slope * logit + offset, held within +-limit.

    `limit` keeps one turn from saying more than the training data could teach. A `plateau` (from,
    to), in nats of that evidence, is where calm callers of real calls still come: over it evidence
    only rises to ALARM_NATS, and goes on from there. Raises ValueError unless all are finite, slope
    and limit above zero, and the plateau starts below ALARM_NATS and ends above it.
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
        if self.plateau and not self.plateau[0] <= ALARM_NATS <= self.plateau[1]:
            raise ValueError("the calibration's plateau must enclose p = 0.8")

    def log_likelihood_ratio(self, logit: float) -> float:
        """Return the natural-log likelihood ratio of a turn. Raises ValueError for a NaN logit."""
        if math.isnan(logit):
            raise ValueError("the logit is not a number")
        evidence = self._on_plateau(self.slope * logit + self.offset)
        return max(-self.limit, min(self.limit, evidence))

    def _on_plateau(self, evidence: float) -> float:
        if self.plateau is None or evidence <= self.plateau[0]:
            return evidence
        start, end = self.plateau
        if evidence >= end:
            return ALARM_NATS + (evidence - end)
        return start + (evidence - start) * (ALARM_NATS - start) / (end - start)

    def probability(self, logit: float) -> float:
        """Return the probability of "negative" when both classes are equally likely beforehand."""
        return 1 / (1 + math.exp(-self.log_likelihood_ratio(logit)))

    def to_json(self) -> str:
        """Return the form that the model file carries."""
        return json.dumps({"method": "platt", **asdict(self)}, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Calibration:
        """Read what `to_json` wrote, or a file without a plateau. Raises ValueError otherwise."""
        try:
            values = json.loads(text)
        except json.JSONDecodeError as error:
            raise ValueError(f"calibration is not JSON ({error})") from error
        if not isinstance(values, dict) or values.pop("method", None) != "platt":
            raise ValueError("calibration is not of the method platt")
        plateau = values.pop("plateau", None)
        if values.keys() != {"slope", "offset", "limit"}:
            raise ValueError("calibration needs exactly slope, offset and limit")
        if plateau is not None and not (isinstance(plateau, list) and len(plateau) == 2):
            raise ValueError("the calibration's plateau has a start and an end")
        if not all(map(_is_number, [*values.values(), *(plateau or [])])):
            raise ValueError("calibration values must be numbers")
        ends = (float(plateau[0]), float(plateau[1])) if plateau else None
        return cls(**{name: float(value) for name, value in values.items()}, plateau=ends)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
