"""From a model's logit to evidence: Platt scaling, fitted in training, applied here.

Calibrated at balanced priors the log odds are the natural-log likelihood ratio
ln P(heard | negative) / P(heard | not negative): the deployment's own base rate is added by
whoever decides. Platt, "Probabilistic outputs for support vector machines", 1999.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Calibration:
    """log likelihood ratio = slope * logit + offset, held within +-limit.

    `limit` keeps one turn from saying more than the training data could teach. Raises ValueError
    unless all are finite, slope and limit above zero.
    """

    slope: float
    offset: float
    limit: float

    def __post_init__(self) -> None:
        if not all(map(math.isfinite, (self.slope, self.offset, self.limit))):
            raise ValueError("calibration values must be finite")
        if self.slope <= 0 or self.limit <= 0:
            raise ValueError("calibration slope and limit must be above zero")

    def log_likelihood_ratio(self, logit: float) -> float:
        """Return the natural-log likelihood ratio of a turn. Raises ValueError for a NaN logit."""
        if math.isnan(logit):
            raise ValueError("the logit is not a number")
        return max(-self.limit, min(self.limit, self.slope * logit + self.offset))

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
        if values.keys() != {"slope", "offset", "limit"}:
            raise ValueError("calibration needs exactly slope, offset and limit")
        if not all(isinstance(v, int | float) and not isinstance(v, bool) for v in values.values()):
            raise ValueError("calibration values must be numbers")
        return cls(**{name: float(value) for name, value in values.items()})
