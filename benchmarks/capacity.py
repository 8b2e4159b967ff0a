"""How many calls a bot holds, without and with a guard: tried up and down, turn about."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from .audit import LATE_S, matched
from .bot import Guard, running_bot
from .caller import calling
from .cpu_memory import BETWEEN_CALLS_S, scripts
from .machine import StolenTime, stolen_moments
from .telephony import Pcm

FIRST = 8
STOLEN_AT_ONCE = 0.1
"""Frames do not count while the machine's host gave more of the processors' time to others within a
tenth of a second, nor while a bot may be catching up on it."""
QUIET_LEAST = 0.5
"""A try is disturbed of which less is left."""
_AGAIN = 2

_SETTLES_S = 2.5
_STAYS_S = 3.0
_BEFORE_S = 0.3
_CATCHES_UP_S = 1.0


@dataclass(frozen=True, slots=True)
class Probe:
    """Some calls at once: frames that came over 100 ms late, turns, and readings not in time.

    `stolen` is the share of the processors' time that the machine's host gave to others meanwhile,
    `quiet` the share of the try in which it did not and frames count.
    """

    calls: int
    frames: int
    late_frames: int
    slowest_ms: float
    turns: int
    late_decisions: int
    stolen: float
    quiet: float

    @property
    def disturbed(self) -> bool:
        """Whether it says more of the machine than of the bot."""
        return self.quiet < QUIET_LEAST


@dataclass(frozen=True, slots=True)
class Measured:
    """The times (monotonic, in seconds) that count: all of a try but what stolen moments touch."""

    begins: float
    ends: float
    stolen: tuple[float, ...]

    def __contains__(self, at_s: float) -> bool:
        return self.begins < at_s < self.ends and not any(
            moment - _BEFORE_S < at_s < moment + _CATCHES_UP_S for moment in self.stolen
        )

    @property
    def quiet(self) -> float:
        """The share of the try that counts."""
        times = np.linspace(self.begins, self.ends, 102)[1:-1]
        return sum(float(at_s) in self for at_s in times) / len(times)


@dataclass(frozen=True, slots=True)
class Capacity:
    """So many calls go without a late frame in half of the tries.

    An estimate, not a whole number: the mean of the counts tried around the edge.
    `reached_limit` says that more calls were not tried. `disturbed` are the tries that were made
    again since the machine's host had other work; they count for nothing.
    """

    calls: float
    reached_limit: bool
    probes: tuple[Probe, ...]
    disturbed: tuple[Probe, ...]


class Search:
    """Which count of calls to try next (Dixon and Mood's up-and-down method, 1948).

    In steps of half as many again to the first count that fails, halfway back, and from there on
    one more after each clean try and one less after each other. The edge is where the outcome
    changes for the first time; from there on `tries` count. A disturbed try is made again, twice
    for every count of calls: some load calls forth the host's, and must not end the one search
    before the other.
    """

    def __init__(self, most: int, tries: int) -> None:
        self.calls = min(FIRST, most)
        self._most = most
        self._tries = tries
        self._climb: list[Probe] = []
        self._by_one: list[Probe] = []
        self._disturbed: list[Probe] = []

    @property
    def done(self) -> bool:
        """Whether the edge was tried often enough, or there is none up to `most`."""
        return len(self._around_edge) >= self._tries or self._all_fit

    def note(self, probe: Probe) -> None:
        """Take the outcome of a try with `calls` calls."""
        made_again = sum(other.calls == probe.calls for other in self._disturbed)
        if probe.disturbed and made_again < _AGAIN:
            self._disturbed.append(probe)
            return
        clean = not probe.late_frames
        if self._climb and self._climb[-1].late_frames:
            self._by_one.append(probe)
            following = self.calls + (1 if clean else -1)
        else:
            following = self.calls + self.calls // 2 if clean else (self._clean + self.calls) // 2
            self._climb.append(probe)
        self.calls = min(self._most, max(1, following))

    def result(self) -> Capacity:
        """The estimate; the count that would be tried next is part of it."""
        edge = fmean([*(probe.calls for probe in self._around_edge), self.calls])
        return Capacity(
            float(self._most) if self._all_fit else edge,
            self._all_fit,
            self._tried,
            tuple(self._disturbed),
        )

    @property
    def _tried(self) -> tuple[Probe, ...]:
        return (*self._climb, *self._by_one)

    @property
    def _all_fit(self) -> bool:
        return any(probe.calls == self._most and not probe.late_frames for probe in self._tried)

    @property
    def _around_edge(self) -> list[Probe]:
        """The tries from the first on that came out otherwise than those before it."""
        tries = self._by_one
        for i, probe in enumerate(tries):
            if probe.calls == 1 or bool(probe.late_frames) is not bool(tries[0].late_frames):
                return tries[i:]
        return []

    @property
    def _clean(self) -> int:
        """The highest count without a late frame on the way up."""
        return max((probe.calls for probe in self._climb if not probe.late_frames), default=0)


def capacities(
    guards: Sequence[Guard],
    speech: Sequence[Pcm],
    *,
    seconds: float,
    most: int,
    tries: int,
    say: Callable[[str], None],
) -> Mapping[str, Capacity]:
    """Search for every guard's capacity; turn about, since a machine has slow minutes."""
    searches = {guard: Search(most, tries) for guard in guards}
    while any(not search.done for search in searches.values()):
        for guard, search in searches.items():
            if not search.done:
                probe = _probe(guard, speech, search.calls, seconds)
                search.note(probe)
                say(
                    f"{guard.value}: {probe.calls} calls, {probe.late_frames} frames late"
                    f"{', disturbed' * probe.disturbed}"
                )
    return {guard.value: search.result() for guard, search in searches.items()}


def _probe(guard: Guard, speech: Sequence[Pcm], calls: int, seconds: float) -> Probe:
    with calling() as call, running_bot(guard) as bot:
        ramp_s = calls * BETWEEN_CALLS_S + _SETTLES_S
        talk = call(scripts(bot, speech, calls, duration_s=ramp_s + seconds + _STAYS_S))
        time.sleep(ramp_s)
        begins, stolen = time.monotonic(), StolenTime()
        moments = stolen_moments(seconds, STOLEN_AT_ONCE)
        measured = Measured(begins, time.monotonic(), tuple(moments))
        stolen_share = stolen.share
        logs, notes = talk.result(), bot.calls()
    delays: list[float] = []
    frames = 0
    for log in logs:
        pairs, _, _ = matched(log.sent, notes[log.call_id].frames)
        frames += sum(mark.at_s in measured for mark in log.sent)
        delays += [b.at_s - a.at_s for a, b in pairs if a.at_s in measured]
    missed = max(0, frames - len(delays))
    late = [notes[log.call_id].faults for log in logs]
    return Probe(
        calls,
        frames,
        missed + sum(delay > LATE_S for delay in delays),
        max(delays, default=0.0) * 1000,
        sum(notes[log.call_id].turns for log in logs),
        sum(faults.get("late", 0) + faults.get("refused", 0) for faults in late),
        stolen_share,
        measured.quiet,
    )
