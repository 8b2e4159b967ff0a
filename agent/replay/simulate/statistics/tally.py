"""Counts what a policy did on many recorded calls; `figures` adds uncertainty.

Counts are integers and add up, so calls can come in any order and in any number of batches. A
replay cannot know how the caller would have reacted: it counts what the policy would have done had
the call gone on as recorded.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from datetime import date
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from .....policies.types import Action
from ..vectorized import CallBatch, Replay
from .call_labels import BatchLabels

IN_TIME = 3
"""A distressed caller is caught in time by the end of the third negative turn."""
_TURN_BINS = 50
_SECOND_BINS = 3_600
_NEGATIVE_BINS = 21
_OFFER, _TRANSFER = Action.OFFER_HUMAN.rank, Action.TRANSFER.rank

Counts = NDArray[np.int64]


def _zeros(size: int) -> Callable[[], Counts]:
    return lambda: np.zeros(size, np.int64)


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts over calls under one policy.

    `first_action_turn` and `first_action_s` are histograms of when the first action came (turns
    from 0, seconds; the last bin takes the rest), `transfers_by_hour` of the hour of the day.
    Distressed calls: `answered` got any action once there was distress, `caught` were offered a
    human or transferred, each also in time (`IN_TIME`); `negative_before_action` is a histogram,
    over calls with timed labels, of the negative turns before the answer (all of them if there was
    none). Calm calls: `calm_touched` got any action, `calm_offered` an offer and `calm_transferred`
    a transfer that they had not asked for.
    """

    calls: int = 0
    turns: int = 0
    unknown_turns: int = 0
    turns_after_transfer: int = 0
    calls_by_highest_action: Counts = field(default_factory=_zeros(len(Action)))
    turns_by_action: Counts = field(default_factory=_zeros(len(Action)))
    first_action_turn: Counts = field(default_factory=_zeros(_TURN_BINS))
    first_action_s: Counts = field(default_factory=_zeros(_SECOND_BINS))
    transferred: int = 0
    transferred_on_request: int = 0
    callbacks: int = 0
    calls_by_hour: Counts = field(default_factory=_zeros(24))
    transfers_by_hour: Counts = field(default_factory=_zeros(24))
    distressed: int = 0
    answered: int = 0
    answered_in_time: int = 0
    caught: int = 0
    caught_in_time: int = 0
    distressed_transferred: int = 0
    negative_before_action: Counts = field(default_factory=_zeros(_NEGATIVE_BINS))
    calm: int = 0
    calm_touched: int = 0
    calm_offered: int = 0
    calm_transferred: int = 0

    def __add__(self, other: Self) -> Self:
        return type(self)(
            **{f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self)}
        )


def days_of(batch: CallBatch) -> set[date]:
    """The days on which these calls came in, if known."""
    return {began.date() for began in batch.started_at if began is not None}


@dataclass(frozen=True)
class Outcomes:
    """What happened in each call of a batch; turns as numbers, -1 for never."""

    first_action: Counts
    transfer: Counts
    on_request: NDArray[np.bool_]
    unasked_offer: NDArray[np.bool_]
    highest: NDArray[np.int8]
    answered_after: Counts
    caught_after: Counts

    @classmethod
    def of(cls, batch: CallBatch, found: Replay, labels: BatchLabels | None) -> Self:
        """The outcomes of these decisions.

        `answered_after` and `caught_after` count the negative turns up to and including the answer
        (at least 1); they are 1 for calls whose times of distress are unknown.
        """
        action = found.action
        transfer = batch.first_turn(action == _TRANSFER)
        asked = batch.first_turn((action == _TRANSFER) & batch.asks_for_human) >= 0
        highest = np.zeros(len(batch.call_ids), np.int8)
        np.maximum.at(highest, batch.call_of_turn, action)
        return cls(
            first_action=batch.first_turn(action > 0),
            transfer=transfer,
            on_request=asked,
            unasked_offer=batch.first_turn((action >= _OFFER) & ~batch.asks_for_human) >= 0,
            highest=highest,
            answered_after=_after(batch, labels, action > 0, transfer),
            caught_after=_after(batch, labels, action >= _OFFER, transfer),
        )


def _after(
    batch: CallBatch, labels: BatchLabels | None, acted: NDArray[np.bool_], transfer: Counts
) -> Counts:
    """Negative turns up to the first action once there was distress; -1 if there was none.

    It is 1 for a caller who was transferred earlier, and so is with a human already.
    """
    if labels is None:
        return np.full(len(batch.call_ids), -1)
    so_far = _running_count(batch, labels.negative)
    timed = labels.timed[batch.call_of_turn]
    first = batch.first_turn(acted & ((so_far > 0) | ~timed))
    counted = np.full(len(batch.call_ids), -1)
    hit = first >= 0
    counted[hit] = np.maximum(1, so_far[batch.offsets[:-1][hit] + first[hit]])
    onset = batch.first_turn(labels.negative)
    early = (transfer >= 0) & (onset >= 0) & (transfer < onset)
    return np.where(early, 1, counted)


def _running_count(batch: CallBatch, marked: NDArray[np.bool_]) -> Counts:
    """For each turn the number of marked turns in its call up to and including it."""
    total = np.concatenate([[0], np.cumsum(marked)])
    counted: Counts = total[1:] - total[batch.offsets[:-1]][batch.call_of_turn]
    return counted


def tally(batch: CallBatch, found: Replay, labels: BatchLabels | None = None) -> Tally:
    """Count what a policy did in a batch of calls."""
    return count_outcomes(batch, found, Outcomes.of(batch, found, labels), labels)


def count_outcomes(
    batch: CallBatch, found: Replay, outcomes: Outcomes, labels: BatchLabels | None
) -> Tally:
    """Count outcomes that are already known."""
    transfer = outcomes.transfer
    handed_over = (transfer >= 0)[batch.call_of_turn] & (
        batch.turn_in_call > transfer[batch.call_of_turn]
    )
    acted = outcomes.first_action >= 0
    rows = batch.offsets[:-1][acted] + outcomes.first_action[acted]
    return Tally(
        calls=len(batch.call_ids),
        turns=batch.turns,
        unknown_turns=int(np.isnan(batch.log_likelihood_ratio).sum()),
        turns_after_transfer=int(handed_over.sum()),
        calls_by_highest_action=_histogram(outcomes.highest, len(Action)),
        turns_by_action=_histogram(found.action[~handed_over], len(Action)),
        first_action_turn=_histogram(outcomes.first_action[acted], _TURN_BINS),
        first_action_s=_histogram(batch.ended_at_s[rows], _SECOND_BINS),
        transferred=int((transfer >= 0).sum()),
        transferred_on_request=int(outcomes.on_request.sum()),
        callbacks=int(found.callback.sum()),
        calls_by_hour=_hours(batch, np.zeros(len(batch.call_ids))),
        transfers_by_hour=_hours(batch, _moment(batch, transfer), transfer >= 0),
        **(_against(labels, outcomes, batch) if labels is not None else {}),
    )


def _against(labels: BatchLabels, outcomes: Outcomes, batch: CallBatch) -> dict[str, Any]:
    distressed = labels.known & labels.distressed
    calm = labels.known & ~labels.distressed
    answered, caught = outcomes.answered_after, outcomes.caught_after
    needless = calm & (outcomes.transfer >= 0) & ~outcomes.on_request
    negatives = np.bincount(batch.call_of_turn[labels.negative], minlength=len(batch.call_ids))
    waited = np.where(answered >= 0, answered - 1, negatives)
    return {
        "distressed": int(distressed.sum()),
        "answered": int((distressed & (answered >= 0)).sum()),
        "answered_in_time": int((distressed & (answered >= 0) & (answered <= IN_TIME)).sum()),
        "caught": int((distressed & (caught >= 0)).sum()),
        "caught_in_time": int((distressed & (caught >= 0) & (caught <= IN_TIME)).sum()),
        "distressed_transferred": int((distressed & (outcomes.transfer >= 0)).sum()),
        "negative_before_action": _histogram(waited[distressed & labels.timed], _NEGATIVE_BINS),
        "calm": int(calm.sum()),
        "calm_touched": int((calm & (outcomes.first_action >= 0)).sum()),
        "calm_offered": int((calm & outcomes.unasked_offer).sum()),
        "calm_transferred": int(needless.sum()),
    }


def _histogram(values: NDArray[Any], bins: int) -> Counts:
    return np.bincount(np.clip(values.astype(np.int64), 0, bins - 1), minlength=bins)


def _moment(batch: CallBatch, turn: Counts) -> NDArray[np.float64]:
    """When a turn of each call ended, in seconds from the call's start; 0 for turn -1."""
    at_s = np.zeros(len(turn))
    hit = turn >= 0
    at_s[hit] = batch.ended_at_s[batch.offsets[:-1][hit] + turn[hit]]
    return at_s


def _hours(
    batch: CallBatch, at_s: NDArray[np.float64], which: NDArray[np.bool_] | None = None
) -> Counts:
    """Calls by the hour of the day at this moment of the call, if its start is known."""
    known = ~np.isnan(batch.began_s)
    if which is not None:
        known &= which
    return np.bincount(
        ((batch.began_s[known] + at_s[known]) // 3600).astype(np.int64) % 24, minlength=24
    )
