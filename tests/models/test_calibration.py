"""A logit becomes evidence that can be added up, and survives the trip through a model file."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipecat_deescalate.models.calibration import PLATEAU_TOP, Calibration

FITTED = Calibration(slope=1.7, offset=-0.4, limit=4.0)
PLATEAUS = st.tuples(st.floats(-2, 1.3), st.floats(PLATEAU_TOP, 10))
CALIBRATIONS = st.builds(
    Calibration,
    slope=st.floats(1e-3, 1e3),
    offset=st.floats(-10, 10),
    limit=st.floats(0.1, 20),
    plateau=st.none() | PLATEAUS,
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


def test_a_plateau_holds_what_calm_turns_reach_at_four_in_five() -> None:
    """Loud but calm turns must not pass 0.8; what is angrier than they ever are must."""
    flat = Calibration(slope=1.0, offset=0.0, limit=4.0, plateau=(1.0, 3.0))
    assert flat.log_likelihood_ratio(0.9) == 0.9
    assert flat.probability(2.9) < 0.8
    assert flat.probability(3.0) == pytest.approx(0.8)
    assert flat.log_likelihood_ratio(3.5) == pytest.approx(PLATEAU_TOP + 1.5)
    assert replace(flat, limit=6.0).log_likelihood_ratio(5.0) == 5.0
    assert flat.log_likelihood_ratio(9.0) == 4.0


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
        '{"method": "platt", "slope": 1, "offset": 0, "limit": 4, "plateau": 1}',
        '{"method": "platt", "slope": 1, "offset": 0, "limit": 4, "plateau": [1]}',
        '{"method": "platt", "slope": 1, "offset": 0, "limit": 4, "plateau": [1, "3"]}',
        '{"method": "platt", "slope": 1, "offset": 0, "limit": 4, "plateau": [1, NaN]}',
        '{"method": "platt", "slope": 1, "offset": 0, "limit": 4, "plateau": [2, 3]}',
        '{"method": "platt", "slope": 1, "offset": 0, "limit": 4, "plateau": [1, 1.2]}',
        '{"method": "platt", "slope": Infinity, "offset": 0, "limit": 4}',
    ],
)
def test_what_is_no_calibration_is_refused(text: str) -> None:
    """A damaged model file must be found when it is loaded, not when it decides."""
    with pytest.raises(ValueError, match="calibration"):
        Calibration.from_json(text)
