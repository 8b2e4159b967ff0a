"""What an operator configures: a policy is one YAML file, checked key by key."""

from __future__ import annotations

import re
from datetime import datetime, time, timedelta
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from ..models.errors import PolicyError, first_complaint
from .types import Action

PRESETS = ("gentle", "balanced", "eager")

_CLOCK = re.compile(r"\d\d:\d\d(:\d\d)?")
Probability = Annotated[float, Field(gt=0, lt=1)]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
_WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Band(_Strict):
    """A level with hysteresis: entered at one belief, left only below a lower one."""

    enter: Probability
    leave: Probability

    @model_validator(mode="after")
    def _leave_below_enter(self) -> Self:
        if self.leave > self.enter:
            raise ValueError(f"leave ({self.leave}) must not be above enter ({self.enter})")
        return self


class Rules(_Strict):
    """What may differ between dialog states."""

    strained: Band = Band(enter=0.025, leave=0.015)
    distressed: Band = Band(enter=0.03, leave=0.02)
    max_empathy: Annotated[int, Field(ge=0, description="empathic turns in a row")] = 2
    empathy_cooldown: Annotated[int, Field(ge=0, description="turns of rest after those")] = 2
    transfer_after: Annotated[int, Field(ge=1, description="distressed turns to a transfer")] = 2
    explicit_request: Literal["offer", "transfer"] = "transfer"
    highest_action: Action = Action.TRANSFER

    @model_validator(mode="after")
    def _levels_in_order(self) -> Self:
        if self.distressed.enter < self.strained.enter:
            raise ValueError("distressed.enter must not be below strained.enter")
        if self.distressed.leave < self.strained.leave:
            raise ValueError("distressed.leave must not be below strained.leave")
        return self


class OpeningHours(_Strict):
    """When humans answer, in the time zone where they work.

    Hours that pass midnight belong to the day on which they open. `opens` equal to `closes` is all
    day, as is 00:00 to 24:00.
    """

    timezone: str = "UTC"
    days: Annotated[tuple[Weekday, ...], Field(min_length=1)] = ("mon", "tue", "wed", "thu", "fri")
    opens: time
    closes: time

    @field_validator("opens", "closes", mode="before")
    @classmethod
    def _written_as_a_time(cls, value: object, info: ValidationInfo) -> object:
        """YAML reads an unquoted 17:00 as a number, and an offset would contradict the zone."""
        if info.field_name == "closes" and value in ("24:00", "24:00:00"):
            return time(0)
        if isinstance(value, time) and value.tzinfo is None:
            return value
        if isinstance(value, str) and _CLOCK.fullmatch(value):
            return value
        raise ValueError('write it in quotes, such as "09:00"')

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError(f"unknown time zone {name!r}") from error
        return name

    def is_open(self, at: datetime) -> bool:
        """Whether humans answer at this moment (an aware datetime)."""
        local = at.astimezone(ZoneInfo(self.timezone))
        now, today = local.time(), local.weekday()
        if self.opens == self.closes:
            return _WEEKDAYS[today] in self.days
        if self.opens < self.closes:
            return _WEEKDAYS[today] in self.days and self.opens <= now < self.closes
        if now >= self.opens:
            return _WEEKDAYS[today] in self.days
        return now < self.closes and _WEEKDAYS[today - 1] in self.days


class MitigationPolicy(Rules):
    """When to empathise, offer a human and hand over.

    The belief of a call is `expected_negative_rate` as prior odds, plus the leaky sum of the
    turns' log-likelihood ratios: each is cut to `max_turn_evidence` nats either way, and
    `memory` is the share of the sum that survives a turn. A turn counts as angry from
    `least_turn_evidence` nats on. Less adds nothing: the weak readings of one caller share a
    cause, their voice or their line, and would add up to a certainty that no turn supports.
    """

    name: str = "custom"
    expected_negative_rate: Annotated[float, Field(gt=0, le=0.5)] = 0.01
    memory: Annotated[float, Field(ge=0, lt=1)] = 0.8
    least_turn_evidence: Annotated[float, Field(ge=0, le=20)] = 1.1
    max_turn_evidence: Annotated[float, Field(gt=0, le=20)] = 3.0
    opening_hours: OpeningHours | None = None
    dialog_states: dict[str, dict[str, Any]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _some_turn_counts(self) -> Self:
        if self.least_turn_evidence > self.max_turn_evidence:
            raise ValueError("least_turn_evidence must not be above max_turn_evidence")
        return self

    @model_validator(mode="after")
    def _overrides_are_rules(self) -> Self:
        for state in self.dialog_states:
            try:
                self.rules_in(state)
            except ValidationError as error:
                raise ValueError(f"dialog_states.{state}.{first_complaint(error)}") from error
        return self

    def rules_in(self, dialog_state: str | None) -> Rules:
        """The rules in force in one of the bot's dialog states."""
        overrides = self.dialog_states.get(dialog_state) if dialog_state is not None else None
        if overrides is None:
            return self
        base = {key: getattr(self, key) for key in Rules.model_fields}
        return Rules.model_validate({**base, **overrides})


def within_opening_hours(
    policy: MitigationPolicy, moment: datetime | None, after_s: float = 0.0
) -> bool:
    """Whether humans answer some seconds after a moment (an aware datetime).

    They always do if the policy has no opening hours or the moment is unknown.
    """
    hours = policy.opening_hours
    return hours is None or moment is None or hours.is_open(moment + timedelta(seconds=after_s))


def load_policy(name_or_path: str | Path) -> MitigationPolicy:
    """Load a preset by name, or a policy from a YAML file.

    A file is read each time but parsed only when its text is new; the parsed policy is shared.

    Raises:
        PolicyError: no such preset or file, not YAML, an unknown key or a value out of range.
    """
    if str(name_or_path) in PRESETS:
        preset = resources.files(__package__) / "presets" / f"{name_or_path}.yaml"
        return _parse(preset.read_text(encoding="utf-8"), str(name_or_path))
    path = Path(name_or_path)
    if path.suffix not in {".yaml", ".yml"} and not path.exists():
        raise PolicyError(path, f"no such policy; use {', '.join(PRESETS)} or a YAML file")
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PolicyError(path, getattr(error, "strerror", None) or "not a text file") from error
    return _parse(text, str(path))


@lru_cache(maxsize=32)
def _parse(text: str, source: str) -> MitigationPolicy:
    try:
        values = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}" if mark else ""
        raise PolicyError(source, f"not valid YAML{where}") from error
    if not isinstance(values, dict):
        raise PolicyError(source, "a policy is a mapping of keys to values")
    values.setdefault("name", Path(source).stem)
    try:
        return MitigationPolicy.model_validate(values)
    except ValidationError as error:
        raise PolicyError(source, first_complaint(error)) from error
