"""A grid of policies around one: what each costs, and the Pareto front."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from .....models.errors import PolicyError, first_complaint
from .....policies.config import MitigationPolicy
from .tally import Tally

MAX_POLICIES = 20_000
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Axis:
    """One key of a policy, dotted if nested, and the values to try."""

    key: str
    values: tuple[float | str, ...]

    @classmethod
    def parse(cls, text: str) -> Axis:
        """Read `key=from:to:step`, both ends included, or `key=one,another`.

        Raises:
            PolicyError: it is neither.
        """
        key, _, said = text.partition("=")
        try:
            if ":" in said:
                start, end, step = map(float, said.split(":"))
                count = int((end - start) / step + _ROUNDING) + 1
                if count < 1:
                    raise ValueError
                values: tuple[float | str, ...] = tuple(
                    round(start + index * step, 9) for index in range(count)
                )
            else:
                values = tuple(_number_or_text(value) for value in said.split(",") if value)
        except (ValueError, ZeroDivisionError):
            values = ()
        if not key or not values:
            raise PolicyError(text, "write --sweep key=from:to:step or key=one,another")
        return cls(key.strip(), values)


def _number_or_text(value: str) -> float | str:
    try:
        return float(value)
    except ValueError:
        return value.strip()


@dataclass(frozen=True, slots=True)
class Candidate:
    """One policy of a grid, its settings, and how far they are from those of the base policy."""

    settings: dict[str, float | str]
    policy: MitigationPolicy
    distance: float


def grid(base: MitigationPolicy, axes: Sequence[Axis]) -> tuple[list[Candidate], int]:
    """All combinations that are valid policies, and the number of invalid ones.

    Raises:
        PolicyError: a key does not exist, there are too many combinations, or all are invalid.
    """
    written = base.model_dump(mode="json")
    for axis in axes:
        _place(written, axis.key)
    combinations = 1
    for axis in axes:
        combinations *= len(axis.values)
    if combinations > MAX_POLICIES:
        raise PolicyError("--sweep", f"{combinations} policies are too many ({MAX_POLICIES})")
    found: list[Candidate] = []
    complaint = ""
    for values in itertools.product(*(axis.values for axis in axes)):
        settings = dict(zip((axis.key for axis in axes), values, strict=True))
        try:
            policy = policy_with(base, settings)
        except ValidationError as error:
            complaint = complaint or first_complaint(error)
            continue
        distance = sum(_distance(_value(written, axis.key), axis, settings) for axis in axes)
        found.append(Candidate(settings, policy, distance))
    if not found:
        raise PolicyError("--sweep", f"no combination is a valid policy: {complaint}")
    return found, combinations - len(found)


def _value(written: dict[str, Any], key: str) -> Any:
    place, name = _place(written, key)
    return place[name]


def _distance(base: Any, axis: Axis, settings: dict[str, float | str]) -> float:
    """From the base policy's value, in parts of the axis; 1 for another word."""
    numbers = [value for value in axis.values if isinstance(value, float)]
    value = settings[axis.key]
    if isinstance(value, float) and isinstance(base, int | float):
        return abs(value - base) / ((max(numbers) - min(numbers)) or 1.0)
    return float(value != base)


def policy_with(base: MitigationPolicy, settings: dict[str, float | str]) -> MitigationPolicy:
    """A copy of a policy with other values; raises ValidationError if they are not valid."""
    written = copy.deepcopy(base.model_dump(mode="json"))
    for key, value in settings.items():
        place, name = _place(written, key)
        place[name] = value
    return MitigationPolicy.model_validate(written)


def _place(written: dict[str, Any], key: str) -> tuple[dict[str, Any], str]:
    """The mapping that holds a dotted key, and its last part."""
    *path, name = key.split(".")
    place: Any = written
    for part in path:
        place = place.get(part) if isinstance(place, dict) else None
    if not isinstance(place, dict) or name not in place or isinstance(place[name], dict):
        raise PolicyError("--sweep", f"{key}: no such value in a policy")
    return place, name


@dataclass(frozen=True, slots=True)
class Costs:
    """Costs in one currency.

    `missed`: a distressed caller who was offered no human by the third negative turn;
    `needless`: the transfer of a calm caller who had not asked; `minute`: a minute of human work.
    """

    missed: float = 20.0
    needless: float = 5.0
    minute: float = 1.0


@dataclass(frozen=True, slots=True)
class Point:
    """A candidate on labelled calls: shares in [0, 1], cost per 1,000 calls at the base rate."""

    missed: float
    false_transfers: float
    cost: float


def point_of(counts: Tally, costs: Costs, *, base_rate: float, handling_s: float) -> Point:
    """The point of a policy's counts, which must include labelled calls of both kinds."""
    missed = 1 - counts.caught_in_time / counts.distressed
    false = counts.calm_transferred / counts.calm
    right = counts.distressed_transferred / counts.distressed
    transfers = base_rate * right + (1 - base_rate) * false
    cost = 1000 * (
        base_rate * missed * costs.missed
        + (1 - base_rate) * false * costs.needless
        + transfers * handling_s / 60 * costs.minute
    )
    return Point(missed, false, cost)


def pareto_front(points: Sequence[Point]) -> list[int]:
    """The points that no other beats in both missed distress and false transfers.

    Sorted by false transfers, fewest first; equal points are represented by the first.
    """
    order = sorted(
        range(len(points)), key=lambda i: (points[i].false_transfers, points[i].missed, i)
    )
    front: list[int] = []
    for index in order:
        if not front or points[index].missed < points[front[-1]].missed:
            front.append(index)
    return front


def cheapest(points: Sequence[Point], distances: Sequence[float] = ()) -> int:
    """The cheapest point; of equals the one nearest to the base policy, or the first."""
    away = distances or [0.0] * len(points)
    return min(range(len(points)), key=lambda index: (points[index].cost, away[index], index))
