"""The number of humans needed to answer the transfers: Erlang C, hour by hour.

A. K. Erlang, 1917: calls arrive at random (Poisson), handling times are exponential, nobody hangs
up. Real callers do hang up, so the need is slightly overestimated.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Service:
    """The service level: a share `level` of transfers within `wait_s`, each taking `handling_s`."""

    handling_s: float = 360.0
    wait_s: float = 20.0
    level: float = 0.8


@dataclass(frozen=True, slots=True)
class Staffing:
    """Transfers expected in each hour of the day, and the agents to answer them."""

    transfers_an_hour: tuple[float, ...]
    agents: tuple[int, ...]


def waiting_probability(agents: int, erlangs: float) -> float:
    """Erlang C: the share of callers who wait, for a load in erlangs; 1 if the load is too high.

    Uses the recursion of Erlang B, which is stable for any number of agents.
    """
    if agents <= erlangs:
        return 1.0
    blocked = 1.0
    for agent in range(1, agents + 1):
        blocked = erlangs * blocked / (agent + erlangs * blocked)
    return blocked / (1 - erlangs / agents * (1 - blocked))


def answered_within(wait_s: float, agents: int, erlangs: float, handling_s: float) -> float:
    """The share of callers who are answered within `wait_s` seconds."""
    if agents <= erlangs:
        return 0.0
    still = waiting_probability(agents, erlangs) * math.exp(
        -(agents - erlangs) * wait_s / handling_s
    )
    return 1.0 - still


def agents_needed(transfers_an_hour: float, service: Service) -> int:
    """The fewest agents that meet the service level; 0 if nobody is transferred."""
    erlangs = transfers_an_hour * service.handling_s / 3600
    if erlangs == 0:
        return 0
    agents = math.floor(erlangs) + 1
    while answered_within(service.wait_s, agents, erlangs, service.handling_s) < service.level:
        agents += 1
    return agents


def staffing(transfers_by_hour: NDArray[np.float64], service: Service) -> Staffing:
    """The agents needed over a day, from the transfers expected in each of its 24 hours."""
    return Staffing(
        tuple(float(n) for n in transfers_by_hour),
        tuple(agents_needed(float(n), service) for n in transfers_by_hour),
    )


def day_of(
    transfers_by_hour: NDArray[np.int64], calls: int, calls_a_day: float
) -> NDArray[np.float64]:
    """Transfers expected in each hour for `calls_a_day` calls, from the hours of past transfers.

    See `even_day` if no call's start is known.
    """
    return transfers_by_hour.astype(np.float64) * (calls_a_day / calls)


def even_day(transferred: int, calls: int, calls_a_day: float) -> NDArray[np.float64]:
    """The same number of transfers in every hour, if no call's start is known."""
    return np.full(24, transferred / calls * calls_a_day / 24, np.float64)
