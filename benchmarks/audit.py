"""Counting the caller's frames at both ends of a bot, and the bot's at the caller's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from .bot import CallNotes
from .caller import CallLog
from .telephony import FrameMark

LATE_S = 0.1
START_S = 1.0
"""A call's first second is its set-up."""

_END_S = 0.5
_SEARCHED = 500


@dataclass(frozen=True, slots=True)
class FrameAudit:
    """What became of frames, over some calls.

    Of the caller's frames that were sent, `came` reached the end of the pipeline unchanged, `lost`
    did not, `displaced` came that were not due (altered, doubled or out of order), and `held` took
    longer than 100 ms, the longest `slowest_ms`. `bot_blocks` counts the 10 ms blocks of the
    bot's speech that the caller got, `bot_breaks` the places where some are missing or displaced
    that no barge-in accounts for.
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
    """Compare what callers sent and got with what the bot saw and said."""
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
    """Frames at both ends, in pairs; how many were lost, and how many came that were not due."""
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
    """How long each frame took, in seconds, without those of the call's first second."""
    return [came.at_s - sent.at_s for sent, came in pairs if sent.at_s - pairs[0][0].at_s > START_S]


def _breaks(log: CallLog) -> int:
    """Steps of other than one block, beyond those that a barge-in makes."""
    steps = [after.block - before.block for before, after in pairwise(log.received)]
    return max(0, sum(step != 1 for step in steps) - len(log.cleared))
