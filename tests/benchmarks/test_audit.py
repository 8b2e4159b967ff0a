"""Counting frames at both ends: every fault between them must be found and named correctly."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from benchmarks.audit import FrameAudit, audit, matched
from benchmarks.bot import CallNotes
from benchmarks.caller import CallLog
from benchmarks.frame_watermark import Stretch

from ..telephony import FrameMark

SENT = [FrameMark(0.02 * n, n) for n in range(200)]
CAME = [FrameMark(0.02 * n + 0.01, n) for n in range(200)]


def of_call(came: list[FrameMark], blocks: list[int], cleared: int = 0) -> FrameAudit:
    received = tuple(Stretch(block, 80) for block in blocks)
    log = CallLog("1", tuple(SENT), (), received, received, (), (0.0,) * cleared)
    return audit([(log, CallNotes(frames=came))])


def test_a_perfect_call_is_clean() -> None:
    """The last half second may still be on its way when the caller hangs up."""
    found = of_call(CAME[:-10], [0, 1, 2])
    assert found.clean
    assert (found.sent, found.came, found.held) == (174, 174, 0)
    assert found.slowest_ms == pytest.approx(10)


@pytest.mark.parametrize(
    ("change", "lost", "displaced"),
    [
        (lambda marks: marks[:50] + marks[53:], 3, 0),
        (lambda marks: [*marks[:50], marks[51], marks[50], *marks[52:]], 1, 1),
        (lambda marks: [*marks[:50], marks[49], *marks[50:]], 0, 1),
        (lambda marks: [*marks[:50], FrameMark(1.0, 9999), *marks[51:]], 1, 1),
        (lambda marks: marks[:100], 74, 0),
    ],
    ids=["lost", "reordered", "doubled", "altered", "broken off"],
)
def test_each_fault_is_found(
    change: Callable[[list[FrameMark]], list[FrameMark]], lost: int, displaced: int
) -> None:
    """An audit that finds nothing wrong with these proves nothing about the pipeline."""
    found = of_call(change(CAME), [])
    assert (found.lost, found.displaced) == (lost, displaced)
    assert not found.clean


def test_frames_that_are_held_are_counted() -> None:
    """All frames may come in order, and still be too late for a conversation."""
    slow = [FrameMark(mark.at_s + (0.15 if mark.crc >= 100 else 0), mark.crc) for mark in CAME]
    found = of_call(slow, [])
    assert (found.lost, found.held) == (0, 74)
    assert found.slowest_ms == pytest.approx(160)


def test_a_barge_in_accounts_for_one_break() -> None:
    """The bot's speech ends at a barge-in; it must not end anywhere else."""
    blocks = [0, 1, 2, 9, 10]
    assert of_call(CAME, blocks).bot_breaks == 1
    assert of_call(CAME, blocks, cleared=1).bot_breaks == 0


def test_equal_frames_are_paired_in_order() -> None:
    """Two frames of the same sound must not be taken for one another's copies."""
    sent = [FrameMark(0.0, 1), FrameMark(0.02, 1), FrameMark(0.04, 2)]
    pairs, lost, displaced = matched(sent, sent)
    assert [a.at_s for a, _ in pairs] == [0.0, 0.02, 0.04]
    assert (lost, displaced) == (0, 0)
