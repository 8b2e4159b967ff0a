"""How long callers wait for a reply, measured on bots that run at the same time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

from pipecat_deescalate.agent.lab.timing import Timing
from tests.telephony import Pcm

from .audit import FrameAudit, audit
from .bot import WITH, WITHOUT, CallNotes, Guard, Variant, running_bots
from .caller import PAUSE_S, CallLog, Script, calling

T = TypeVar("T")

CALLERS = 6
"""Of all bots together."""


def reply_latency(
    variants: Sequence[Variant], speech: Sequence[Pcm], turns: int
) -> dict[str, Timing]:
    """The time from the VAD's end of speech to the bot's first audio at the caller, by bot."""
    callers = CALLERS // len(variants)
    done = run_calls(variants, speech, turns=-(-turns // callers), barging=(False,) * callers)
    return {
        variant.name: Timing.of([ms for call in done[variant] for ms in _latencies(*call)][:turns])
        for variant in variants
    }


def frames(speech: Sequence[Pcm], turns: int) -> dict[str, FrameAudit]:
    """Count frames by bot: one without a guard, and guards whose model works, crashes or hangs.

    Each bot has two callers, one of whom speaks over every second reply.
    """
    broken = [Variant(guard.value, guard) for guard in (Guard.CRASHING, Guard.HANGING)]
    done = run_calls((WITHOUT, WITH, *broken), speech, turns=turns, barging=(False, True))
    return {variant.name: audit(calls) for variant, calls in done.items()}


def run_calls(
    variants: Sequence[Variant], speech: Sequence[Pcm], *, turns: int, barging: Sequence[bool]
) -> dict[Variant, list[tuple[CallLog, CallNotes]]]:
    """Call a bot of each kind, all at the same time, with a caller for each of `barging`."""
    with calling() as call, running_bots(*variants) as bots:
        scripts = [
            Script(
                f"{bot.variant.name}-{number}",
                bot.url,
                tuple(rotated(speech, number)),
                turns=turns,
                starts_after_s=0.3 * number,
                barges_in=over,
            )
            for bot in bots
            for number, over in enumerate(barging)
        ]
        logs = {log.call_id: log for log in call(scripts).result()}
        return {
            bot.variant: [(logs[call_id], notes) for call_id, notes in bot.take_calls().items()]
            for bot in bots
        }


def rotated(items: Sequence[T], by: int) -> list[T]:
    """The same items in the same order, beginning with another one."""
    at = by % len(items)
    return [*items[at:], *items[:at]]


def _latencies(log: CallLog, notes: CallNotes) -> Iterator[float]:
    """Milliseconds from the last VAD stop before each reply to its first audio."""
    before = 0.0
    for at in log.arrivals:
        if at - before > PAUSE_S:
            stops = [stop for stop in notes.stops if before < stop < at]
            if stops:
                yield (at - stops[-1]) * 1000
        before = at
