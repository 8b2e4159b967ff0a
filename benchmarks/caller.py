"""Callers of a benchmarked bot, in a process of their own so that the bot does not pay for them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context

from tests.telephony import FakeTwilio, FrameMark, Pcm, Phone

from .affinity import callers_cores, keep_to
from .frame_watermark import Stretch, stretches

FIRST_WORD_S = 1.0
"""How long a caller listens before speaking for the first time."""

PAUSE_S = 0.3
"""The bot's reply is over once it was silent for this long."""

BARGE_AFTER_S = 0.3
NO_REPLY_S = 4.0


@dataclass(frozen=True, slots=True)
class Script:
    """What one caller does: says these turns in order, over and over.

    A caller who barges in speaks over every second reply. Ends after `turns` turns, or at the
    first pause after `duration_s` seconds.
    """

    call_id: str
    url: str
    speech: tuple[Pcm, ...]
    turns: int = 1_000_000
    duration_s: float = float("inf")
    starts_after_s: float = 0.0
    barges_in: bool = False


@dataclass(frozen=True, slots=True)
class CallLog:
    """What one caller sent and received. Times are of the machine's monotonic clock.

    `spoken` has when each turn ended.
    """

    call_id: str
    sent: tuple[FrameMark, ...]
    arrivals: tuple[float, ...]
    received: tuple[Stretch, ...]
    heard: tuple[Stretch, ...]
    spoken: tuple[float, ...]
    cleared: tuple[float, ...]


Calling = Callable[[Sequence[Script]], Future[list[CallLog]]]
"""Starts callers; the logs come once all of them have hung up."""


@contextmanager
def calling() -> Iterator[Calling]:
    """A process of callers, kept off the bot's cores where there are others."""
    with ProcessPoolExecutor(
        1, mp_context=get_context("spawn"), initializer=keep_to, initargs=(callers_cores(),)
    ) as callers:
        yield lambda scripts: callers.submit(_call_now, tuple(scripts))


def _call_now(scripts: tuple[Script, ...]) -> list[CallLog]:
    return asyncio.run(_call_all(scripts))


async def _call_all(scripts: tuple[Script, ...]) -> list[CallLog]:
    return list(await asyncio.gather(*map(_call, scripts)))


async def _listen(phone: Phone, patience_s: float | None) -> None:
    """Hear the reply to its end, or for `patience_s`; give up if there is none."""
    asked_at = time.monotonic()
    before = len(phone.arrivals)
    while phone.closed_at is None:
        await asyncio.sleep(0.02)
        now, reply = time.monotonic(), phone.arrivals[before:]
        if not reply:
            if now - asked_at > NO_REPLY_S:
                return
        elif now - (reply[-1] + PAUSE_S if patience_s is None else reply[0] + patience_s) > 0:
            return


async def _call(script: Script) -> CallLog:
    await asyncio.sleep(script.starts_after_s)
    spoken: list[float] = []
    async with FakeTwilio().dial(script.url, script.call_id, noting=True) as phone:
        ends_at = time.monotonic() + script.duration_s
        await asyncio.sleep(FIRST_WORD_S)
        while len(spoken) < script.turns and time.monotonic() < ends_at and not phone.closed_at:
            await phone.say(script.speech[len(spoken) % len(script.speech)])
            spoken.append(time.monotonic())
            over = script.barges_in and len(spoken) % 2 == 1
            await _listen(phone, BARGE_AFTER_S if over else None)
        await phone.hang_up()
        return CallLog(
            script.call_id,
            tuple(phone.sent),
            tuple(phone.arrivals),
            tuple(stretches(phone.received())),
            tuple(stretches(phone.heard())),
            tuple(spoken),
            tuple(phone.cleared),
        )
