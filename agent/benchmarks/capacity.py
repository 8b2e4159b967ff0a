"""How many calls a bot holds, without and with a guard: tried up and down, turn about."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean

from .audit import LATE_S, matched
from .bot import Guard, running_bot
from .caller import calling
from .load import BETWEEN_CALLS_S, scripts
from .telephony import Pcm

FIRST = 8
_SETTLES_S = 2.5
_STAYS_S = 3.0


@dataclass(frozen=True, slots=True)
class Probe:
    """Some calls at once: frames that came over 100 ms late, turns, and readings not in time."""

    calls: int
    frames: int
    late_frames: int
    slowest_ms: float
    turns: int
    late_decisions: int


@dataclass(frozen=True, slots=True)
class Capacity:
    """So many calls go without a late frame in half of the tries.

    An estimate, not a whole number: the mean of the counts tried around the edge.
    `reached_limit` says that more calls were not tried.
    """

    calls: float
    reached_limit: bool
    probes: tuple[Probe, ...]


@dataclass
class Search:
    """Which count of calls to try next (Dixon and Mood's up-and-down method, 1948).

    In steps of half as many again to the first count that fails, halfway back, and from there on
    one more after each clean try and one less after each other, `tries` times.
    """

    most: int
    tries: int
    probes: list[Probe] = field(default_factory=list)
    _around_edge: list[int] = field(default_factory=list)
    _failed: bool = False

    def __post_init__(self) -> None:
        self.calls = min(FIRST, self.most)
        self._clean = 0

    @property
    def done(self) -> bool:
        """Whether the edge was tried often enough, or there is none up to `most`."""
        return len(self._around_edge) >= self.tries or self._clean == self.most

    def note(self, probe: Probe) -> None:
        """Take the outcome of a try with `calls` calls."""
        self.probes.append(probe)
        clean = not probe.late_frames
        if self._failed:
            self._around_edge.append(self.calls)
            self.calls = min(self.most, max(1, self.calls + (1 if clean else -1)))
        elif clean:
            self._clean = self.calls
            self.calls = min(self.most, self.calls + self.calls // 2)
        else:
            self._failed = True
            self.calls = max(1, (self._clean + self.calls) // 2)

    def result(self) -> Capacity:
        """The estimate; the count that would be tried next is part of it."""
        limit = self._clean == self.most
        calls = float(self.most) if limit else fmean([*self._around_edge, self.calls])
        return Capacity(calls, limit, tuple(self.probes))


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
                say(f"{guard.value}: {probe.calls} calls, {probe.late_frames} frames late")
    return {guard.value: search.result() for guard, search in searches.items()}


def _probe(guard: Guard, speech: Sequence[Pcm], calls: int, seconds: float) -> Probe:
    with calling() as call, running_bot(guard) as bot:
        ramp_s = calls * BETWEEN_CALLS_S + _SETTLES_S
        talk = call(scripts(bot, speech, calls, duration_s=ramp_s + seconds + _STAYS_S))
        time.sleep(ramp_s)
        begins = time.monotonic()
        time.sleep(seconds)
        ends = time.monotonic()
        logs, notes = talk.result(), bot.calls()
    delays: list[float] = []
    frames = 0
    for log in logs:
        pairs, _, _ = matched(log.sent, notes[log.call_id].frames)
        frames += sum(begins < mark.at_s < ends for mark in log.sent)
        delays += [b.at_s - a.at_s for a, b in pairs if begins < a.at_s < ends]
    missed = max(0, frames - len(delays))
    late = [notes[log.call_id].faults for log in logs]
    return Probe(
        calls,
        frames,
        missed + sum(delay > LATE_S for delay in delays),
        max(delays, default=0.0) * 1000,
        sum(notes[log.call_id].turns for log in logs),
        sum(faults.get("late", 0) + faults.get("refused", 0) for faults in late),
    )
