"""A logit becomes evidence that can be added up, and survives the trip through a model file."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipecat_deescalate.models.calibration import Calibration

FITTED = Calibration(slope=1.7, offset=-0.4, limit=4.0)
CALIBRATIONS = st.builds(
    Calibration,
    slope=st.floats(1e-3, 1e3),
    offset=st.floats(-10, 10),
    limit=st.floats(0.1, 20),
)


@given(CALIBRATIONS)
def test_json_brings_back_the_same(calibration: Calibration) -> None:
    """A model must mean the same after it was saved."""
    assert Calibration.from_json(calibration.to_json()) == calibration


@given(CALIBRATIONS, st.floats(allow_nan=False), st.floats(allow_nan=False))
def test_more_logit_is_never_less_evidence(c: Calibration, one: float, other: float) -> None:
    """Calibration changes what a score means, never who scores higher; it stays bounded."""
    low, high = sorted([one, other])
    assert c.log_likelihood_ratio(low) <= c.log_likelihood_ratio(high)
    assert abs(c.log_likelihood_ratio(low)) <= c.limit
    assert 0 < c.probability(low) <= c.probability(high) < 1


@given(st.floats(-2, 2))
def test_the_probability_is_that_of_balanced_priors(logit: float) -> None:
    """At equal priors the log odds are the likelihood ratio, which is what policies add up."""
    p = FITTED.probability(logit)
    assert math.log(p / (1 - p)) == pytest.approx(1.7 * logit - 0.4, abs=1e-9)


def test_a_failed_model_is_not_evidence() -> None:
    """NaN compares with nothing: clamping it would make it a score."""
    with pytest.raises(ValueError, match="not a number"):
        FITTED.log_likelihood_ratio(math.nan)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        "{",
        json.dumps({"method": "isotonic", "slope": 1, "offset": 0, "limit": 4}),
        json.dumps({"method": "platt", "slope": 1, "offset": 0}),
        json.dumps({"method": "platt", "slope": 1, "offset": 0, "limit": 4, "more": 1}),
        json.dumps({"method": "platt", "slope": "1", "offset": 0, "limit": 4}),
        json.dumps({"method": "platt", "slope": True, "offset": 0, "limit": 4}),
        json.dumps({"method": "platt", "slope": 0, "offset": 0, "limit": 4}),
        json.dumps({"method": "platt", "slope": -1, "offset": 0, "limit": 4}),
        json.dumps({"method": "platt", "slope": 1, "offset": 0, "limit": 0}),
        '{"method": "platt", "slope": 1, "offset": NaN, "limit": 4}',
        '{"method": "platt", "slope": Infinity, "offset": 0, "limit": 4}',
    ],
)
def test_what_is_no_calibration_is_refused(text: str) -> None:
    """A damaged model file must be found when it is loaded, not when it decides."""
    with pytest.raises(ValueError, match="calibration"):
        Calibration.from_json(text)
