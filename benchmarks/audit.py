"""Counting the caller's frames at both ends of a bot, and the bot's at the caller's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from tests.telephony import FrameMark

from .bot import CallNotes
from .caller import CallLog

LATE_S = 0.1
START_S = 1.0
"""A call is set up in its first second, which is not measured."""

_END_S = 0.5
_SEARCHED = 500


@dataclass(frozen=True, slots=True)
class FrameAudit:
    """What became of the frames of some calls.

    Of the frames that callers `sent`, `came` reached the end of the pipeline unchanged, and `lost`
    did not; `displaced` came unexpectedly (altered, doubled or out of order); `held` took longer
    than 100 ms, the slowest `slowest_ms`. `bot_blocks` counts the 10 ms blocks of the bot's speech
    that the caller received, `bot_breaks` the places where some are missing or displaced without
    a barge-in.
    """

    sent: int
    came: int
    lost: int
    displaced: int
    held: int
    slowest_ms: float
    bot_blocks: int
    bot_breaks: int

    @property
    def clean(self) -> bool:
        """Whether nothing was lost, altered or reordered in either direction."""
        return not (self.lost or self.displaced or self.bot_breaks)


def audit(calls: Iterable[tuple[CallLog, CallNotes]]) -> FrameAudit:
    """Compare what callers sent and received with what the bot saw and said."""
    sent = came = lost = displaced = held = blocks = breaks = 0
    slowest_s = 0.0
    for log, notes in calls:
        due = [mark for mark in log.sent if mark.at_s < log.sent[-1].at_s - _END_S]
        pairs, missing, strange = matched(due, notes.frames)
        delays = transits(pairs)
        sent, came, lost = sent + len(due), came + len(pairs), lost + missing
        displaced += strange
        held += sum(delay > LATE_S for delay in delays)
        slowest_s = max([slowest_s, *delays])
        blocks += len(log.received)
        breaks += _breaks(log)
    return FrameAudit(sent, came, lost, displaced, held, slowest_s * 1000, blocks, breaks)


def matched(
    sent: Sequence[FrameMark], came: Sequence[FrameMark]
) -> tuple[list[tuple[FrameMark, FrameMark]], int, int]:
    """Pairs of frames at both ends; how many were lost; how many came unexpectedly."""
    pairs: list[tuple[FrameMark, FrameMark]] = []
    lost = displaced = at = 0
    for mark in came:
        if at == len(sent):
            break
        ahead = (i for i in range(at, min(at + _SEARCHED, len(sent))) if sent[i].crc == mark.crc)
        found = next(ahead, None)
        if found is None:
            displaced += 1
            continue
        lost += found - at
        pairs.append((sent[found], mark))
        at = found + 1
    return pairs, lost + len(sent) - at, displaced


def transits(pairs: Sequence[tuple[FrameMark, FrameMark]]) -> list[float]:
    """How long each frame took, in seconds, after the call's first second."""
    return [came.at_s - sent.at_s for sent, came in pairs if sent.at_s - pairs[0][0].at_s > START_S]


def _breaks(log: CallLog) -> int:
    """Steps other than one block, less one for each barge-in."""
    steps = [after.block - before.block for before, after in pairwise(log.received)]
    return max(0, sum(step != 1 for step in steps) - len(log.cleared))
