"""Policies in closed loop with a simulated caller who reacts to the bot.

A recording cannot show what a caller would have done after another action. This model answers from
assumptions, not data: bot failures raise a frustration between 0 and 1, help and empathy lower it;
it determines the evidence, whether the caller accepts an offer, and whether the caller hangs up.
Use it to compare policies, and to see which assumptions a choice depends on.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import yaml
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from .....models.errors import PolicyError, first_complaint
from .....models.readings import EmotionReading, TurnReading
from .....policies.config import MitigationPolicy
from .....policies.decide import decide
from .....policies.types import Action, CallState, Decision, Evidence
from .call_costs import difference, least_cost
from .sweep import Costs

MAX_TURNS = 60
_CALLS = 1_000
BUNDLED = "bundled"
Share = Annotated[float, Field(ge=0, le=1)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class RatioDistribution(_Strict):
    """The normal distribution of a turn's log-likelihood ratio, in nats."""

    mean: float
    deviation: Annotated[float, Field(ge=0)]


class CallerModel(_Strict):
    """The assumptions; caller_model.yaml explains each one."""

    upset_at_start: Share
    start_when_upset: Share
    start_otherwise: Share
    failure_rate: Share
    rise_per_failure: Share
    fall_per_success: Share
    fall_per_empathy: Share
    empathy_wears_off: Share
    successes_needed: Annotated[int, Field(ge=1)]
    accepts_offer_calm: Share
    accepts_offer_upset: Share
    hangs_up_above: Share
    hang_up_rate: Share
    seconds_a_turn: Annotated[float, Field(gt=0)]
    negative_above: Share
    heard_calm: RatioDistribution
    heard_negative: RatioDistribution


def load_caller_model(path: str | Path = BUNDLED) -> CallerModel:
    """Load the bundled assumptions, or a YAML file.

    Raises:
        PolicyError: the file cannot be read, or a value is missing, unknown or out of range.
    """
    try:
        if str(path) == BUNDLED:
            text = (resources.files(__package__) / "caller_model.yaml").read_text(encoding="utf-8")
        else:
            text = Path(path).read_text(encoding="utf-8")
        return CallerModel.model_validate(yaml.safe_load(text))
    except ValidationError as error:
        raise PolicyError(path, first_complaint(error, "caller model")) from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise PolicyError(path, "is not a readable YAML file") from error


@dataclass(frozen=True, slots=True)
class ClosedLoop:
    """How calls ended under a policy; shares of calls, and the cost per 1,000 calls.

    `needless` are transfers of callers who did not sound negative at that moment.
    """

    policy: str
    calls: int
    settled: float
    hung_up: float
    transferred: float
    needless: float
    turns: float
    cost: float


@dataclass(slots=True)
class _Caller:
    model: CallerModel
    frustration: float
    successes: int = 0
    empathies: int = 0

    def be_served(self, luck: float) -> None:
        """The bot answers the request: it fails or helps."""
        if luck < self.model.failure_rate:
            self._change(self.model.rise_per_failure)
        else:
            self.successes += 1
            self._change(-self.model.fall_per_success)

    def react(self, action: Action) -> None:
        """React to empathy, if there is any."""
        if action is Action.EMPATHIZE:
            wear = self.model.empathy_wears_off**self.empathies
            self._change(-self.model.fall_per_empathy * wear)
            self.empathies += 1

    def sounds_negative(self) -> bool:
        return self.frustration > self.model.negative_above

    def accepts_offer(self, luck: float) -> bool:
        calm, upset = self.model.accepts_offer_calm, self.model.accepts_offer_upset
        return luck < calm + (upset - calm) * self.frustration

    def hangs_up(self, luck: float) -> bool:
        above = self.model.hangs_up_above
        span = 1 - above
        over = max(0.0, self.frustration - above) / span if span else float(self.frustration >= 1)
        return luck < self.model.hang_up_rate * over

    def _change(self, by: float) -> None:
        self.frustration = min(1.0, max(0.0, self.frustration + by))


def play_calls(
    policy: MitigationPolicy,
    model: CallerModel,
    costs: Costs,
    *,
    handling_s: float,
    calls: int = _CALLS,
    seed: int = 2026,
) -> ClosedLoop:
    """Play calls to their end; all policies get the same callers and the same random numbers."""
    ends = _ends(policy, model, calls=calls, seed=seed)
    return _summed(policy, ends, _costs(ends, costs, handling_s))


def _ends(
    policy: MitigationPolicy, model: CallerModel, *, calls: int, seed: int = 2026
) -> list[_End]:
    return [_play(policy, model, random.Random(f"{seed}/{number}")) for number in range(calls)]  # noqa: S311 - a simulation, not security


def _costs(ends: Sequence[_End], costs: Costs, handling_s: float) -> NDArray[np.float64]:
    """What each call costs, times 1,000."""
    human = handling_s / 60 * costs.minute
    prices = {"lost": costs.missed, "needless": costs.needless + human, "helped": human}
    return 1000 * np.array([prices.get(end.kind, 0.0) for end in ends])


def _summed(
    policy: MitigationPolicy, ends: Sequence[_End], costs: NDArray[np.float64]
) -> ClosedLoop:
    def share(*kinds: str) -> float:
        return sum(end.kind in kinds for end in ends) / len(ends)

    return ClosedLoop(
        policy=policy.name,
        calls=len(ends),
        settled=share("settled"),
        hung_up=share("lost"),
        transferred=share("helped", "needless"),
        needless=share("needless"),
        turns=sum(end.turns for end in ends) / len(ends),
        cost=float(costs.mean()),
    )


def _cheapest(costs: Sequence[NDArray[np.float64]]) -> tuple[int, int | None]:
    """As `least_cost`, from the costs of the same calls under each policy."""
    return least_cost(
        [float(one.mean()) for one in costs],
        lambda one, other: difference(costs[one] - costs[other]),
    )


@dataclass(frozen=True, slots=True)
class _End:
    kind: str
    turns: int


def _play(policy: MitigationPolicy, model: CallerModel, rng: random.Random) -> _End:
    upset = rng.random() < model.upset_at_start
    caller = _Caller(model, model.start_when_upset if upset else model.start_otherwise)
    state = CallState()
    for turn in range(MAX_TURNS):
        service, noise, taking, patience = rng.random(), rng.gauss(), rng.random(), rng.random()
        caller.be_served(service)
        if caller.successes >= model.successes_needed:
            return _End("settled", turn + 1)
        state, decision = _decided(state, turn, noise, caller, policy)
        offered = decision.action is Action.OFFER_HUMAN and caller.accepts_offer(taking)
        if decision.action is Action.TRANSFER or offered:
            return _End("helped" if caller.sounds_negative() else "needless", turn + 1)
        caller.react(decision.action)
        if caller.hangs_up(patience):
            return _End("lost", turn + 1)
    return _End("lost", MAX_TURNS)


def _decided(
    state: CallState, turn: int, noise: float, caller: _Caller, policy: MitigationPolicy
) -> tuple[CallState, Decision]:
    ratio = caller.model.heard_negative if caller.sounds_negative() else caller.model.heard_calm
    length_s = caller.model.seconds_a_turn
    reading = TurnReading(
        index=turn,
        started_at_s=turn * length_s,
        ended_at_s=(turn + 1) * length_s,
        voice=EmotionReading(None, "caller model", length_s, 0.0),
        words=None,
        log_likelihood_ratio=ratio.mean + ratio.deviation * noise,
    )
    return decide(state, Evidence(reading), policy)


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """The cost of each policy with one assumption changed, and the cheapest policy.

    `kept` is the first policy that the calls do not tell apart from the cheapest.
    """

    assumption: str
    value: float
    costs: dict[str, float]
    cheapest: str
    kept: str


def sensitivities(
    policies: Sequence[MitigationPolicy],
    model: CallerModel,
    costs: Costs,
    *,
    handling_s: float,
    calls: int = 300,
    factors: Sequence[float] = (0.5, 1.5),
) -> list[Sensitivity]:
    """Change one assumption at a time by these factors, and play again.

    Values are clipped to their range.
    """
    found = []
    for key, value in _numbers_of(model).items():
        for factor in factors:
            changed = _with(model, key, value * factor)
            played = [
                _costs(_ends(policy, changed, calls=calls), costs, handling_s)
                for policy in policies
            ]
            names = [policy.name for policy in policies]
            means = {name: float(one.mean()) for name, one in zip(names, played, strict=True)}
            actual = _numbers_of(changed)[key]
            best = min(names, key=lambda name: means[name])
            found.append(Sensitivity(key, actual, means, best, names[_cheapest(played)[0]]))
    return found


def _numbers_of(model: CallerModel) -> dict[str, float]:
    """All values by key, dotted if nested."""
    flat: dict[str, float] = {}
    for key, value in model.model_dump().items():
        if isinstance(value, dict):
            flat |= {f"{key}.{name}": float(number) for name, number in value.items()}
        else:
            flat[key] = float(value)
    return flat


def _with(model: CallerModel, key: str, value: float) -> CallerModel:
    values: dict[str, Any] = model.model_dump()
    name, _, part = key.partition(".")
    if part:
        values[name][part] = value
    elif name == "successes_needed":
        values[name] = max(1, round(value))
    elif name == "seconds_a_turn":
        values[name] = value
    else:
        values[name] = min(1.0, value)
    return CallerModel.model_validate(values)


def closed_loop(
    policies: Sequence[MitigationPolicy], model: CallerModel, costs: Costs, *, handling_s: float
) -> dict[str, Any]:
    """All policies with the same callers, and how the choice depends on each assumption.

    `cheapest` is the policy that costs least, None if the calls do not tell it from the others.
    """
    ends = [_ends(policy, model, calls=_CALLS) for policy in policies]
    paid = [_costs(one, costs, handling_s) for one in ends]
    kept, least = _cheapest(paid)
    by_choice = [policies[kept], *policies[:kept], *policies[kept + 1 :]]
    return {
        "assumptions": model.model_dump(),
        "policies": [asdict(_summed(*one)) for one in zip(policies, ends, paid, strict=True)],
        "cheapest": None if least is None else policies[least].name,
        "doubts": [
            asdict(one) for one in sensitivities(by_choice, model, costs, handling_s=handling_s)
        ],
    }
