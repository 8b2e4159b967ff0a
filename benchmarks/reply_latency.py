"""How long a caller waits for a reply, by bots with and without a guard, at the same time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from pipecat_deescalate.agent.lab.timing import Timing

from .audit import FrameAudit, audit
from .bot import CallNotes, Guard, running_bot
from .caller import PAUSE_S, CallLog, Script, calling
from .telephony import Pcm

CALLERS = 3


@dataclass(frozen=True, slots=True)
class ReplyLatency:
    """From the VAD's end of speech to the first of the bot's audio at the caller."""

    without: Timing
    guarded: Timing

    @property
    def median_difference_ms(self) -> float:
        """How much the guard adds to the median."""
        return self.guarded.median_ms - self.without.median_ms

    @property
    def p95_difference_ms(self) -> float:
        """How much the guard adds to the 95th percentile."""
        return self.guarded.p95_ms - self.without.p95_ms


def reply_latency(speech: Sequence[Pcm], turns: int) -> ReplyLatency:
    """Have as many turns answered by each of the two bots."""
    guards = (Guard.NONE, Guard.BUNDLED)
    per_call = -(-turns // CALLERS)
    done = run_calls(guards, speech, turns=per_call, barging=(False,) * CALLERS)
    times = [[ms for call in done[guard] for ms in _latencies(*call)][:turns] for guard in guards]
    return ReplyLatency(Timing.of(times[0]), Timing.of(times[1]))


def frames(speech: Sequence[Pcm], turns: int) -> dict[str, FrameAudit]:
    """Count frames by bot: one without a guard, and guards whose model works, crashes or hangs.

    Each has two callers, one of whom speaks over every second reply.
    """
    guards = (Guard.NONE, Guard.BUNDLED, Guard.CRASHING, Guard.HANGING)
    done = run_calls(guards, speech, turns=turns, barging=(False, True))
    return {guard.value: audit(done[guard]) for guard in guards}


def run_calls(
    guards: Sequence[Guard], speech: Sequence[Pcm], *, turns: int, barging: Sequence[bool]
) -> dict[Guard, list[tuple[CallLog, CallNotes]]]:
    """Call a bot of each kind, all at the same time, with a caller for each of `barging`."""
    with ExitStack() as stack:
        call = stack.enter_context(calling())
        bots = {guard: stack.enter_context(running_bot(guard)) for guard in guards}
        scripts = [
            Script(
                f"{guard.value}-{number}",
                bot.url,
                turned(speech, number),
                turns=turns,
                starts_after_s=0.3 * number,
                barges_in=over,
            )
            for guard, bot in bots.items()
            for number, over in enumerate(barging)
        ]
        logs = {log.call_id: log for log in call(scripts).result()}
        return {
            guard: [(logs[call_id], notes) for call_id, notes in bot.calls().items()]
            for guard, bot in bots.items()
        }


def turned(speech: Sequence[Pcm], by: int) -> tuple[Pcm, ...]:
    """The same turns, beginning with another one."""
    at = by % len(speech)
    return (*speech[at:], *speech[:at])


def _latencies(log: CallLog, notes: CallNotes) -> Iterator[float]:
    """Milliseconds from the last VAD stop before each reply to its first audio."""
    before = 0.0
    for at in log.arrivals:
        if at - before > PAUSE_S:
            stops = [stop for stop in notes.stops if before < stop < at]
            if stops:
                yield (at - stops[-1]) * 1000
        before = at
