"""Labels of recorded calls: the ground truth beside the evidence."""

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
    """Whether the caller was distressed in this call and, if known, when."""

    distressed: bool
    negative: tuple[Span, ...] = ()


@dataclass(frozen=True)
class BatchLabels:
    """The labels of a batch: for each call whether it has one (`known`), and what it says.

    For `timed` calls the label also says which turns were negative; `negative` marks those turns.
    """

    known: NDArray[np.bool_]
    distressed: NDArray[np.bool_]
    timed: NDArray[np.bool_]
    negative: NDArray[np.bool_] = field(repr=False)


def label_batch(batch: CallBatch, labels: Mapping[str, CallLabel]) -> BatchLabels:
    """Match labels with calls; turns that match a negative span are marked."""
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
    """Marks turns whose middle lies in a span, and turns that contain the middle of a span."""
    marked = np.zeros(len(starts), bool)
    middles = (starts + ends) / 2
    for start, end in spans:
        middle = (start + end) / 2
        marked |= ((middles >= start) & (middles <= end)) | ((middle >= starts) & (middle <= ends))
    return marked
