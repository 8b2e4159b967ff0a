"""What is known to be true of recorded calls, beside what was heard in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..vectorized import CallBatch

Span = tuple[float, float]
"""Start and end in seconds from the start of the call."""


@dataclass(frozen=True, slots=True)
class CallLabel:
    """Whether a caller was distressed in this call and, if that is known, when."""

    distressed: bool
    negative: tuple[Span, ...] = ()


@dataclass(frozen=True)
class BatchLabels:
    """The labels of a batch of calls: per call whether there is one, and what it says.

    `timed` calls also say which turns were negative; those are marked in `negative`.
    """

    known: NDArray[np.bool_]
    distressed: NDArray[np.bool_]
    timed: NDArray[np.bool_]
    negative: NDArray[np.bool_] = field(repr=False)


def label_batch(batch: CallBatch, labels: Mapping[str, CallLabel]) -> BatchLabels:
    """Put the labels beside the calls; a turn is negative that shares its middle with a span."""
    found = [labels.get(call_id) for call_id in batch.call_ids]
    negative = np.zeros(batch.turns, bool)
    for call, label in enumerate(found):
        if label is not None and label.negative:
            rows = slice(batch.offsets[call], batch.offsets[call + 1])
            starts, ends = batch.started_at_s[rows], batch.ended_at_s[rows]
            negative[rows] = _marked(starts, ends, label.negative)
    return BatchLabels(
        known=np.array([label is not None for label in found], bool),
        distressed=np.array([label is not None and label.distressed for label in found], bool),
        timed=np.array([label is not None and bool(label.negative) for label in found], bool),
        negative=negative,
    )


def _marked(
    starts: NDArray[np.float64], ends: NDArray[np.float64], spans: tuple[Span, ...]
) -> NDArray[np.bool_]:
    """Turns whose middle lies in a span, or in which the middle of a span lies."""
    marked = np.zeros(len(starts), bool)
    middles = (starts + ends) / 2
    for start, end in spans:
        middle = (start + end) / 2
        marked |= ((middles >= start) & (middles <= end)) | ((middle >= starts) & (middle <= ends))
    return marked
