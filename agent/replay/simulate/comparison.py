"""Replays all policies over all calls, batch by batch, and counts what each one does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date

from ....policies.config import MitigationPolicy
from .decision_export import DecisionWriter
from .statistics.call_labels import BatchLabels
from .statistics.figures import PolicyFigures, figures_of
from .statistics.staffing import Service, Staffing, day_of, even_day, staffing
from .statistics.tally import Outcomes, Tally, count_outcomes, days_of
from .vectorized import CallBatch, replay

Batches = Iterable[tuple[CallBatch, BatchLabels | None]]
Watch = Callable[[CallBatch, BatchLabels | None, Sequence[Outcomes]], None]
"""Takes each batch with its labels and with the outcomes under every policy."""


@dataclass(frozen=True, slots=True)
class Load:
    """The humans needed under one policy; `by_clock` if the calls' hours are known."""

    calls_a_day: float
    by_clock: bool
    staffing: Staffing


@dataclass
class Comparison:
    """The counts of all policies over the calls so far."""

    policies: Sequence[MitigationPolicy]
    tallies: list[Tally] = field(init=False)
    days: set[date] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.tallies = [Tally() for _ in self.policies]

    def add(
        self, batches: Batches, writer: DecisionWriter | None = None, watches: Sequence[Watch] = ()
    ) -> None:
        """Replay all calls under all policies."""
        for batch, labels in batches:
            self.days |= days_of(batch)
            seen = []
            for index, policy in enumerate(self.policies):
                found = replay(batch, policy)
                outcomes = Outcomes.of(batch, found, labels)
                self.tallies[index] += count_outcomes(batch, found, outcomes, labels)
                if writer is not None:
                    writer.add(policy.name, batch, found, outcomes, labels)
                seen.append(outcomes)
            for watch in watches:
                watch(batch, labels, seen)

    def figures(self, base_rate: float) -> list[PolicyFigures]:
        """What each policy did."""
        return [
            figures_of(policy.name, counts, base_rate)
            for policy, counts in zip(self.policies, self.tallies, strict=True)
        ]

    def load(self, index: int, service: Service, calls_a_day: float | None) -> Load | None:
        """The humans that a policy needs; `calls_a_day` defaults to the rate of the calls."""
        counts = self.tallies[index]
        if not counts.calls:
            return None
        a_day = calls_a_day or counts.calls / max(1, len(self.days))
        known = int(counts.calls_by_hour.sum())
        expected = (
            day_of(counts.transfers_by_hour, known, a_day)
            if known
            else even_day(counts.transferred, counts.calls, a_day)
        )
        return Load(a_day, bool(known), staffing(expected, service))
