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

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from .....models.errors import PolicyError, first_complaint
from .....models.readings import EmotionReading, TurnReading
from .....policies.config import MitigationPolicy
from .....policies.decide import decide
from .....policies.types import Action, CallState, Decision, Evidence
from .sweep import Costs

MAX_TURNS = 60
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
    calls: int = 1_000,
    seed: int = 2026,
) -> ClosedLoop:
    """Play calls to their end; all policies get the same callers and the same random numbers."""
    ends = [_play(policy, model, random.Random(f"{seed}/{number}")) for number in range(calls)]  # noqa: S311 - a simulation, not security

    def share(*kinds: str) -> float:
        return sum(end.kind in kinds for end in ends) / calls

    transferred, needless, hung_up = share("helped", "needless"), share("needless"), share("lost")
    return ClosedLoop(
        policy=policy.name,
        calls=calls,
        settled=share("settled"),
        hung_up=hung_up,
        transferred=transferred,
        needless=needless,
        turns=sum(end.turns for end in ends) / calls,
        cost=1000
        * (
            hung_up * costs.missed
            + needless * costs.needless
            + transferred * handling_s / 60 * costs.minute
        ),
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
    """The cost of each policy with one assumption changed, and the cheapest policy."""

    assumption: str
    value: float
    costs: dict[str, float]
    cheapest: str


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
            played = {
                policy.name: play_calls(
                    policy, changed, costs, handling_s=handling_s, calls=calls
                ).cost
                for policy in policies
            }
            actual = _numbers_of(changed)[key]
            found.append(
                Sensitivity(key, actual, played, min(played, key=lambda name: played[name]))
            )
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
    """All policies with the same callers, and how the choice depends on each assumption."""
    played = [play_calls(policy, model, costs, handling_s=handling_s) for policy in policies]
    return {
        "assumptions": model.model_dump(),
        "policies": [asdict(one) for one in played],
        "doubts": [
            asdict(one) for one in sensitivities(policies, model, costs, handling_s=handling_s)
        ],
    }
