"""What a guard costs a bot with several calls: CPU time and memory."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from tests.telephony import Pcm

from .bot import RunningBot, Usage, Variant, running_bots
from .caller import Script, calling
from .reply_latency import rotated

BETWEEN_CALLS_S = 0.2


@dataclass(frozen=True, slots=True)
class Cost:
    """One bot's: with one call, then with `calls`.

    `cpu_s_per_call_minute` is CPU time with all calls, `first_call_mb` the resident memory of the
    process with one call, `further_call_mb` that of each additional call.
    """

    calls: int
    cpu_s_per_call_minute: float
    first_call_mb: float
    further_call_mb: float


def costs(
    variants: Sequence[Variant], speech: Sequence[Pcm], *, calls: int, seconds: float
) -> dict[str, Cost]:
    """The cost of each bot, measured at the same time: `seconds` with one call, then with all."""
    with calling() as call, running_bots(*variants) as bots:
        scripts = [script for bot in bots for script in _scripts(bot, speech, calls, seconds)]
        talk = call(scripts)
        time.sleep(seconds)
        first = [bot.usage() for bot in bots]
        time.sleep(calls * BETWEEN_CALLS_S + seconds / 2)
        middle = [bot.usage() for bot in bots]
        time.sleep(seconds / 2)
        last = [bot.usage() for bot in bots]
        talk.result()
    usage = zip(first, middle, last, strict=True)
    return {
        variant.name: _cost(calls, *of_bot) for variant, of_bot in zip(variants, usage, strict=True)
    }


def _scripts(bot: RunningBot, speech: Sequence[Pcm], calls: int, seconds: float) -> list[Script]:
    """One caller, the others one by one after `seconds`; all hang up together."""
    starts = [0.0, *(seconds + n * BETWEEN_CALLS_S for n in range(1, calls))]
    ends_s = 2 * seconds + calls * BETWEEN_CALLS_S
    return [
        Script(
            f"{bot.variant.name}-{number}",
            bot.url,
            tuple(rotated(speech, number)),
            duration_s=ends_s - start,
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
