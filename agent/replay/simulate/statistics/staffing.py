"""How many humans it takes to answer the transfers: Erlang C, hour by hour.

A. K. Erlang, 1917: calls come at random (Poisson), handling times are exponential, nobody hangs up.
Real callers do hang up, so that the need is stated a little high.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Service:
    """How transfers are to be answered: `level` of them within `wait_s`, taking `handling_s`."""

    handling_s: float = 360.0
    wait_s: float = 20.0
    level: float = 0.8


@dataclass(frozen=True, slots=True)
class Staffing:
    """The need by the hour of the day: transfers expected an hour, and agents to answer them."""

    transfers_an_hour: tuple[float, ...]
    agents: tuple[int, ...]

    @property
    def busiest(self) -> int:
        """The hour with the most transfers."""
        return max(range(len(self.agents)), key=lambda hour: self.transfers_an_hour[hour])

    @property
    def agent_hours(self) -> int:
        """Hours of work a day, all agents together."""
        return sum(self.agents)


def waiting_probability(agents: int, erlangs: float) -> float:
    """Erlang C: the share of callers who wait at all, for a load in erlangs; 1 if it is too much.

    By the recursion of Erlang B, which stays in range for any number of agents.
    """
    if agents <= erlangs:
        return 1.0
    blocked = 1.0
    for agent in range(1, agents + 1):
        blocked = erlangs * blocked / (agent + erlangs * blocked)
    return blocked / (1 - erlangs / agents * (1 - blocked))


def answered_within(wait_s: float, agents: int, erlangs: float, handling_s: float) -> float:
    """The share of callers who are answered within so many seconds."""
    if agents <= erlangs:
        return 0.0
    still = waiting_probability(agents, erlangs) * math.exp(
        -(agents - erlangs) * wait_s / handling_s
    )
    return 1.0 - still


def agents_needed(transfers_an_hour: float, service: Service) -> int:
    """The fewest agents that keep the service level; 0 where nobody is transferred."""
    erlangs = transfers_an_hour * service.handling_s / 3600
    if erlangs == 0:
        return 0
    agents = math.floor(erlangs) + 1
    while answered_within(service.wait_s, agents, erlangs, service.handling_s) < service.level:
        agents += 1
    return agents


def staffing(transfers_by_hour: NDArray[np.float64], service: Service) -> Staffing:
    """The need of a day from the transfers expected in each of its 24 hours."""
    return Staffing(
        tuple(float(n) for n in transfers_by_hour),
        tuple(agents_needed(float(n), service) for n in transfers_by_hour),
    )


def day_of(
    transfers_by_hour: NDArray[np.int64], calls: int, calls_a_day: float
) -> NDArray[np.float64]:
    """Transfers expected in each hour, for so many calls a day.

    Follows the hours at which transfers came; where none has a known hour, see `even_day`.
    """
    return transfers_by_hour.astype(np.float64) * (calls_a_day / calls)


def even_day(transferred: int, calls: int, calls_a_day: float) -> NDArray[np.float64]:
    """The same transfers in every hour: all that can be said where no call's start is known."""
    return np.full(24, transferred / calls * calls_a_day / 24, np.float64)
