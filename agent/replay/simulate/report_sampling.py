"""Samples the calls that a report shows: some of each kind, whatever the order of the calls."""

from __future__ import annotations

import hashlib
from bisect import insort
from collections.abc import Sequence
from enum import StrEnum

import numpy as np

from ....policies.types import Action
from .statistics.call_labels import BatchLabels
from .statistics.tally import IN_TIME, Outcomes
from .vectorized import CallBatch


class CallKind(StrEnum):
    """Why a call is worth a look; the first reason that applies counts."""

    MISSED = "distress missed"
    NEEDLESS = "needless transfer"
    DIFFER = "policies differ"
    CAUGHT = "distress caught"
    ACTED = "something was done"
    QUIET = "left alone"


class CallSampler:
    """Sees all batches and keeps at most `limit` calls of each kind, in bounded memory."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._kept: dict[CallKind, list[tuple[str, str]]] = {kind: [] for kind in CallKind}

    def add(
        self, batch: CallBatch, labels: BatchLabels | None, outcomes: Sequence[Outcomes]
    ) -> None:
        """Take a batch with its outcomes under each policy."""
        for call, kind in enumerate(_kinds(batch, labels, outcomes)):
            call_id = batch.call_ids[call]
            kept = self._kept[kind]
            insort(kept, (hashlib.sha256(call_id.encode()).hexdigest(), call_id))
            del kept[self._limit :]

    def sampled(self) -> dict[str, CallKind]:
        """The kinds of the chosen calls by id: one call of each kind in turn, up to the limit."""
        found: dict[str, CallKind] = {}
        for place in range(self._limit):
            for kind, kept in self._kept.items():
                if place < len(kept) and len(found) < self._limit:
                    found[kept[place][1]] = kind
        order = list(CallKind)
        return dict(sorted(found.items(), key=lambda item: (order.index(item[1]), item[0])))


def _kinds(
    batch: CallBatch, labels: BatchLabels | None, outcomes: Sequence[Outcomes]
) -> list[CallKind]:
    first = outcomes[0]
    none = np.zeros(len(batch.call_ids), bool)
    distressed = labels.known & labels.distressed if labels is not None else none
    calm = labels.known & ~labels.distressed if labels is not None else none
    in_time = (first.caught_after >= 0) & (first.caught_after <= IN_TIME)
    needless = np.any([(one.transfer >= 0) & ~one.on_request for one in outcomes], axis=0)
    differ = np.any([one.highest != first.highest for one in outcomes], axis=0)
    rules = (
        (CallKind.MISSED, distressed & ~in_time),
        (CallKind.NEEDLESS, calm & needless),
        (CallKind.DIFFER, differ),
        (CallKind.CAUGHT, distressed),
        (CallKind.ACTED, first.highest > Action.PROCEED.rank),
    )
    return [
        next((kind for kind, holds in rules if holds[call]), CallKind.QUIET)
        for call in range(len(batch.call_ids))
    ]
