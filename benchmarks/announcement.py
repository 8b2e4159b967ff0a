"""Whether callers hear the announcement of a transfer in full, and are not hung up on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

from tests.telephony import RATE, FakeTwilio, Pcm, Phone

from .bot import Guard, RunningBot, Variant, running_bots
from .frame_watermark import BLOCK, stretches

LIMIT_S = 15.0
AFTERWARDS_S = 1.5
"""How long to watch the line for a hang-up."""


@dataclass(frozen=True, slots=True)
class Announcement:
    """One call that was handed over.

    `said_s` is how long the sentence is, `heard_s` how much of it was played to the caller;
    `transfers` and `hang_ups` count the requests to the vendor's REST API.
    """

    barge_in: bool
    said_s: float
    heard_s: float
    transfers: int
    hang_ups: int


def announcements(speech: Sequence[Pcm]) -> tuple[Announcement, ...]:
    """Hand over a caller who listens, and one who goes on talking."""
    return asyncio.run(_announcements(speech))


async def _announcements(speech: Sequence[Pcm]) -> tuple[Announcement, ...]:
    async with FakeTwilio() as twilio:
        with running_bots(Variant("angry", Guard.ANGRY), twilio=twilio.base_url) as (bot,):
            return (
                await _handed_over(twilio, bot, speech, barge_in=False),
                await _handed_over(twilio, bot, speech, barge_in=True),
            )


async def _handed_over(
    twilio: FakeTwilio, bot: RunningBot, speech: Sequence[Pcm], *, barge_in: bool
) -> Announcement:
    sid = "interrupting" if barge_in else "listening"
    async with twilio.dial(bot.url, sid) as phone:
        await asyncio.sleep(1.0)
        await phone.say(speech[0])
        await _until(phone, arrived=True)
        if barge_in:
            await phone.say(speech[1 % len(speech)])
        await _until(phone, arrived=False)
        heard = stretches(phone.heard())
    await asyncio.sleep(AFTERWARDS_S)
    asked = [form for call, form in twilio.requests if call == sid]
    _, first, last = bot.take_calls()[sid].said[0]
    samples = sum(one.samples for one in heard if first <= one.block < last)
    return Announcement(
        barge_in,
        said_s=(last - first) * BLOCK / RATE,
        heard_s=samples / RATE,
        transfers=sum("Twiml" in form for form in asked),
        hang_ups=sum("Status" in form for form in asked),
    )


async def _until(phone: Phone, *, arrived: bool) -> None:
    """Wait for the bot's first words, or for the end of the stream."""
    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline and phone.closed_at is None:
        if arrived and phone.arrivals:
            return
        await asyncio.sleep(0.02)
