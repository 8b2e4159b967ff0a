"""What a guard costs a bot of several calls: processor and memory."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from .bot import Guard, RunningBot, Usage, running_bot
from .caller import Script, calling
from .reply_latency import turned
from .telephony import Pcm

BETWEEN_CALLS_S = 0.2


@dataclass(frozen=True, slots=True)
class Cost:
    """One bot's: with one call, then with `calls`.

    `cpu_s_per_call_minute` is processor time, `first_call_mb` the resident memory of the process
    with one call, `further_call_mb` that of each call more.
    """

    calls: int
    cpu_s_per_call_minute: float
    first_call_mb: float
    further_call_mb: float


def costs(speech: Sequence[Pcm], *, calls: int, seconds: float) -> dict[str, Cost]:
    """The cost of a bot without and of one with a guard, measured at the same time."""
    guards = (Guard.NONE, Guard.BUNDLED)
    with ExitStack() as stack:
        call = stack.enter_context(calling())
        bots = [stack.enter_context(running_bot(guard)) for guard in guards]
        whole_s = 2 * seconds + calls * BETWEEN_CALLS_S
        said = [
            one
            for bot in bots
            for one in scripts(bot, speech, calls, second_s=seconds, duration_s=whole_s)
        ]
        talk = call(said)
        time.sleep(seconds)
        first = [bot.usage() for bot in bots]
        time.sleep(calls * BETWEEN_CALLS_S + seconds / 2)
        middle = [bot.usage() for bot in bots]
        time.sleep(seconds / 2)
        last = [bot.usage() for bot in bots]
        talk.result()
    return {
        guard.value: _cost(calls, *usage)
        for guard, usage in zip(guards, zip(first, middle, last, strict=True), strict=True)
    }


def scripts(
    bot: RunningBot,
    speech: Sequence[Pcm],
    calls: int,
    *,
    duration_s: float,
    second_s: float = 0.0,
) -> list[Script]:
    """Callers one after the other; from the second on not before `second_s`; all end together."""
    starts = [0.0 if n == 0 else second_s + n * BETWEEN_CALLS_S for n in range(calls)]
    return [
        Script(
            f"{bot.guard.value}-{number}",
            bot.url,
            turned(speech, number),
            duration_s=duration_s - start,
            starts_after_s=start,
        )
        for number, start in enumerate(starts)
    ]


def _cost(calls: int, first: Usage, middle: Usage, last: Usage) -> Cost:
    minutes = calls * (last.at_s - middle.at_s) / 60
    return Cost(
        calls,
        (last.cpu_s - middle.cpu_s) / minutes,
        first.memory_mb,
        (last.memory_mb - first.memory_mb) / (calls - 1),
    )
