"""Replays a policy on many recorded calls at once: `decide`, vectorised over columns of turns.

A test compares it with `decide`, turn by turn. How the caller would have reacted to an action is
unknown: the replay goes on as the recording does.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ....policies.config import MitigationPolicy, OpeningHours, Rules, within_opening_hours
from ....policies.types import Action, Level

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_EMPATHIZE, _OFFER, _TRANSFER = (
    action.rank for action in (Action.EMPATHIZE, Action.OFFER_HUMAN, Action.TRANSFER)
)
_DISTRESSED = Level.DISTRESSED.rank


@dataclass(frozen=True)
class CallBatch:
    """The evidence of some calls in columns: one row per turn, call after call.

    `offsets` has one more entry than there are calls: call i has the turns `offsets[i]` to
    `offsets[i + 1]`. `log_likelihood_ratio` is in nats, NaN if the turn is unknown. `dialog_state`
    is an index into `state_names`, -1 for none. `started_at` holds aware datetimes, None where
    unknown.
    """

    call_ids: tuple[str, ...]
    offsets: Ints
    duration_s: Floats
    started_at: tuple[datetime | None, ...]
    started_at_s: Floats
    ended_at_s: Floats
    log_likelihood_ratio: Floats
    asks_for_human: Bools
    dialog_state: Ints
    state_names: tuple[str, ...] = ()
    _open: dict[OpeningHours, Bools] = field(default_factory=dict, repr=False, compare=False)

    @property
    def turns(self) -> int:
        """The number of turns in all calls."""
        return len(self.log_likelihood_ratio)

    @cached_property
    def call_of_turn(self) -> Ints:
        """The number of each turn's call."""
        return np.repeat(np.arange(len(self.call_ids)), np.diff(self.offsets))

    @cached_property
    def turn_in_call(self) -> Ints:
        """Each turn's number within its call, from 0."""
        return np.arange(self.turns) - self.offsets[:-1][self.call_of_turn]

    @cached_property
    def began_s(self) -> Floats:
        """The second of the (local) day at which each call began; NaN if unknown."""
        return np.array(
            [
                np.nan if at is None else 3600.0 * at.hour + 60.0 * at.minute + at.second
                for at in self.started_at
            ]
        )

    @cached_property
    def steps(self) -> tuple[Ints, ...]:
        """The rows of all first turns, of all second turns and so on; the longest calls first."""
        lengths = np.diff(self.offsets)
        order = np.argsort(-lengths, kind="stable")
        firsts, lengths = self.offsets[:-1][order], lengths[order]
        longest = int(lengths[0]) if len(lengths) else 0
        return tuple(firsts[: int((lengths > step).sum())] + step for step in range(longest))

    def within_opening_hours(self, policy: MitigationPolicy) -> Bools | None:
        """Whether humans answer at the end of each turn; None if they always do."""
        hours = policy.opening_hours
        if hours is None or not any(self.started_at):
            return None
        if hours not in self._open:
            self._open[hours] = np.array(
                [
                    within_opening_hours(policy, self.started_at[call], at_s)
                    for call, at_s in zip(self.call_of_turn, self.ended_at_s.tolist(), strict=True)
                ],
                bool,
            )
        return self._open[hours]

    def first_turn(self, turns: Bools) -> Ints:
        """The number of each call's first marked turn, -1 for none."""
        found = np.full(len(self.call_ids), -1)
        rows = np.flatnonzero(turns)[::-1]
        found[self.call_of_turn[rows]] = self.turn_in_call[rows]
        return found


@dataclass(frozen=True, slots=True)
class Replay:
    """A policy's decisions in the order of the batch's turns; ranks of `Action` and `Level`.

    Turns after a transfer get PROCEED: the bot has left the call by then.
    """

    action: NDArray[np.int8]
    level: NDArray[np.int8]
    belief: Floats
    callback: Bools


class _Limits:
    """A policy's rules as columns: scalars, or one value per turn where dialog states differ."""

    def __init__(self, policy: MitigationPolicy, batch: CallBatch) -> None:
        self.policy = policy
        named = [policy.rules_in(name) for name in batch.state_names]
        self._rules: list[Rules] = [*named, policy]  # -1, no dialog state, is the last
        self._vary = any(rules is not policy for rules in named)
        self._state = batch.dialog_state
        self._columns = {name: self._column(name) for name in Rules.model_fields}

    def _column(self, name: str) -> NDArray[np.float64]:
        values = [_numbers(getattr(rules, name)) for rules in self._rules]
        return np.array(values, np.float64).reshape(len(values), -1)

    def at(self, name: str, rows: Ints, part: int = 0) -> Floats | float:
        """The value of a rule for these turns; `part` 0 is a band's enter, 1 its leave."""
        column = self._columns[name]
        if not self._vary:
            return float(column[-1, part])
        values: Floats = column[self._state[rows], part]
        return values


def _numbers(value: object) -> tuple[float, ...]:
    if isinstance(value, Action):
        return (float(value.rank),)
    if isinstance(value, str):
        return (float(value == "transfer"),)
    if isinstance(value, int):
        return (float(value),)
    return (value.enter, value.leave)  # type: ignore[attr-defined] # a Band, the one kind left


class _State:
    """The `CallState` of all calls, the longest call first."""

    def __init__(self, calls: int) -> None:
        self.support = np.zeros(calls)
        self.level = np.zeros(calls, np.int8)
        self.distressed_turns = np.zeros(calls, np.int32)
        self.empathy_streak = np.zeros(calls, np.int32)
        self.turns_since_empathy = np.zeros(calls, np.int32)
        self.requests = np.zeros(calls, np.int32)
        self.offered = np.zeros(calls, bool)
        self.transferred = np.zeros(calls, bool)


def replay(batch: CallBatch, policy: MitigationPolicy) -> Replay:
    """Decide all turns of all calls as `decide` would one by one."""
    limits = _Limits(policy, batch)
    available = batch.within_opening_hours(policy)
    state = _State(len(batch.call_ids))
    found = Replay(
        np.zeros(batch.turns, np.int8),
        np.zeros(batch.turns, np.int8),
        np.zeros(batch.turns),
        np.zeros(batch.turns, bool),
    )
    for rows in batch.steps:
        negative = _observe(state, batch, rows, limits, found)
        humans = available[rows] if available is not None else np.ones(len(rows), bool)
        asks = batch.asks_for_human[rows]
        action = _choose(state, _Turns(negative, asks, humans), rows, limits)
        _remember(state, action)
        found.action[rows] = action
        found.callback[rows] = (action == _OFFER) & ~humans
    return found


def _observe(
    state: _State,
    batch: CallBatch,
    rows: Ints,
    limits: _Limits,
    found: Replay,
) -> Bools:
    """Take the next turn of each call that has one; return which turns are negative."""
    n, llr, policy = len(rows), batch.log_likelihood_ratio[rows], limits.policy
    faded = policy.memory * state.support[:n]
    least, limit = policy.least_turn_evidence, policy.max_turn_evidence
    added = np.maximum(0.0, faded + np.clip(llr, -limit, limit))
    says_nothing = np.isnan(llr) | ((llr > 0) & (llr < least))
    support = state.support[:n] = np.where(says_nothing, faded, added)
    prior = policy.expected_negative_rate
    belief = 1.0 / (1.0 + (1.0 - prior) / prior * np.exp(-support))
    before = state.level[:n]
    distressed = belief >= np.where(
        before == _DISTRESSED, limits.at("distressed", rows, 1), limits.at("distressed", rows)
    )
    strained = belief >= np.where(
        before > 0, limits.at("strained", rows, 1), limits.at("strained", rows)
    )
    level = np.where(distressed, _DISTRESSED, strained).astype(np.int8)
    negative = (llr > 0) & (llr >= least)
    rested = state.turns_since_empathy[:n] >= limits.at("empathy_cooldown", rows)
    state.distressed_turns[:n] = np.where(distressed, state.distressed_turns[:n] + negative, 0)
    state.empathy_streak[:n][rested] = 0
    state.offered[:n] &= distressed
    state.requests[:n] += batch.asks_for_human[rows]
    found.level[rows] = state.level[:n] = level
    found.belief[rows] = belief
    return negative


@dataclass(frozen=True, slots=True)
class _Turns:
    """Marks turns of one step: negative, asking for a human, with a human available."""

    negative: Bools
    asks: Bools
    humans: Bools


def _choose(state: _State, turns: _Turns, rows: Ints, limits: _Limits) -> NDArray[np.int8]:
    """The action for each call's turn; stronger actions overwrite weaker ones."""
    n, negative, asks, humans = len(rows), turns.negative, turns.asks, turns.humans
    highest, level = limits.at("highest_action", rows), state.level[:n]
    patient = state.empathy_streak[:n] < limits.at("max_empathy", rows)
    distressed = negative & (level == _DISTRESSED)
    persists = state.distressed_turns[:n] >= limits.at("transfer_after", rows)
    action = np.zeros(n, np.int8)
    action[negative & (level > 0) & patient & (highest >= _EMPATHIZE)] = _EMPATHIZE
    action[distressed & ~state.offered[:n] & (highest >= _OFFER)] = _OFFER
    action[distressed & persists & humans & (highest >= _TRANSFER)] = _TRANSFER
    at_once = (state.requests[:n] > 1) | (np.asarray(limits.at("explicit_request", rows)) > 0)
    action[asks] = _OFFER
    action[asks & humans & at_once] = _TRANSFER
    action[state.transferred[:n]] = 0
    return action


def _remember(state: _State, action: NDArray[np.int8]) -> None:
    n, empathized = len(action), action == _EMPATHIZE
    state.empathy_streak[:n] += empathized
    state.turns_since_empathy[:n] = np.where(empathized, 0, state.turns_since_empathy[:n] + 1)
    state.offered[:n] |= action == _OFFER
    state.transferred[:n] |= action == _TRANSFER
