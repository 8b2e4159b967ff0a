"""False alarms: what a policy does on real calls whose callers are nearly all calm."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ...models.errors import DeescalateError
from ...models.progress import Progress
from ...models.voice import EmotionClassifier
from ...policies.config import MitigationPolicy
from ...policies.record import CallRecord
from ..console import format_value
from ..replay.call import VoiceCall, classify_call, decide_call
from ..replay.turn_words import TranscriptLike

BINS = tuple(round(edge / 10, 1) for edge in range(11))
ALARM = 0.8


@dataclass(frozen=True, slots=True)
class Transferred:
    """A call that the policy transferred, when, and why."""

    call_id: str
    at_s: float
    reason: str


@dataclass(frozen=True, slots=True)
class FalseAlarmReport:
    """Counts over calls: `histogram` counts the turns by p(negative) between the `BINS`.

    Shares are of the turns with a reading; None without such turns.
    """

    policy: str
    model: str
    calls: int
    failed: tuple[str, ...]
    duration_s: float
    turns: int
    unknown_turns: int
    histogram: tuple[int, ...]
    share_over_half: float | None
    share_over_alarm: float | None
    share_over_alarm_under_1s: float | None
    calls_by_highest_action: dict[str, int]
    transferred: tuple[Transferred, ...]
    cues: dict[str, int]


def classify_calls(
    paths: Sequence[Path],
    classifier: EmotionClassifier,
    progress: Progress = lambda _what, _done, _all: None,
) -> tuple[list[VoiceCall], tuple[str, ...]]:
    """Classify recordings; each that cannot be read gives a line that says why."""
    classified, failed = [], []
    for done, path in enumerate(paths, 1):
        try:
            classified.append(classify_call(path, classifier))
        except DeescalateError as error:
            failed.append(str(error))
        progress("calls", done, len(paths))
    return classified, tuple(failed)


def count_false_alarms(
    calls: Sequence[VoiceCall],
    *,
    policy: MitigationPolicy,
    model: str,
    transcripts: Mapping[str, TranscriptLike] | None = None,
    failed: tuple[str, ...] = (),
) -> FalseAlarmReport:
    """Decide the calls and count what would have happened in them.

    Calls with a transcript under their id (the file name without suffix) use voice and words, the
    others voice alone.
    """
    transcripts = transcripts or {}
    records = [
        decide_call(call, policy, transcript=transcripts.get(call.call_id)) for call in calls
    ]
    readings = [turn.reading for record in records for turn in record.turns]
    known = [r for r in readings if r.voice.p_negative is not None]
    p = np.array([r.voice.p_negative for r in known], dtype=float)
    short = np.array([r.ended_at_s - r.started_at_s < 1.0 for r in known], dtype=bool)
    highest = [_highest_action(record) for record in records]
    return FalseAlarmReport(
        policy=policy.name,
        model=model,
        calls=len(records),
        failed=failed,
        duration_s=sum(record.duration_s for record in records),
        turns=len(readings),
        unknown_turns=len(readings) - len(known),
        histogram=tuple(int(count) for count in np.histogram(p, BINS)[0]),
        share_over_half=_share(p > 0.5),
        share_over_alarm=_share(p > ALARM),
        share_over_alarm_under_1s=_share(p[short] > ALARM),
        calls_by_highest_action={name: highest.count(name) for name in sorted(set(highest))},
        transferred=tuple(
            Transferred(record.call_id, turn.reading.ended_at_s, turn.decision.reason)
            for record in records
            for turn in record.turns
            if turn.decision.action.value == "transfer"
        ),
        cues=dict(Counter(cue.name.lower() for r in readings for cue, _ in r.cues).most_common()),
    )


def _highest_action(record: CallRecord) -> str:
    actions = [turn.decision.action for turn in record.turns]
    return max(actions, key=lambda action: action.rank).value if actions else "proceed"


def _share(over: np.ndarray) -> float | None:
    return float(over.mean()) if over.size else None


def print_false_alarms(report: FalseAlarmReport, console: Console) -> None:
    """Print the counts."""
    table = Table(
        title=escape(f"{report.calls} calls, {report.turns} turns, policy {report.policy}")
    )
    table.add_column("p(negative)")
    table.add_column("turns", justify="right")
    table.add_column("")
    most = max(report.histogram, default=0) or 1
    for low, high, count in zip(BINS, BINS[1:], report.histogram, strict=False):
        table.add_row(f"{low:.1f} to {high:.1f}", str(count), "█" * round(40 * count / most))
    console.print(table)
    console.print(
        f"over {ALARM}: {format_value(report.share_over_alarm, '.1%')} of turns, "
        f"{format_value(report.share_over_alarm_under_1s, '.1%')} of those under 1 s; "
        f"over 0.5: {format_value(report.share_over_half, '.1%')}; "
        f"unknown: {report.unknown_turns} turns"
    )
    console.print("calls by their highest action:", report.calls_by_highest_action)
    for call in report.transferred:
        line = f"  transferred {call.call_id} at {call.at_s:.0f} s: {call.reason}"
        console.print(line, markup=False, soft_wrap=True)
    for line in report.failed:
        console.print(f"  failed: {line}", markup=False, soft_wrap=True)
