"""Prints an analysed call on a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from ...policies.record import CallRecord, TurnRecord
from ...policies.types import Action, Level

LEVEL_STYLE = {Level.CALM: "green", Level.STRAINED: "yellow", Level.DISTRESSED: "red"}
ACTION_STYLE = {
    Action.PROCEED: "dim",
    Action.EMPATHIZE: "yellow",
    Action.OFFER_HUMAN: "magenta",
    Action.TRANSFER: "bold red",
}
_BAR = 10
_WIDE = 100
_STEPS = "▁▂▃▄▅▆▇█"


def print_call(record: CallRecord, console: Console) -> None:
    """Print one call: a heading, warnings, a row per turn and a summary line.

    Wide terminals also show the voice within each turn.
    """
    console.print(_call(record, with_timeline=console.width >= _WIDE))


def _call(record: CallRecord, *, with_timeline: bool) -> RenderableType:
    heading = Text.assemble(
        (record.source, "bold"),
        f"  {clock(record.duration_s)}, {len(record.turns)} caller turns, ",
        f"policy {record.policy.name}",
    )
    parts: list[RenderableType] = [heading]
    parts += [Text(f"  note: {warning}", "yellow") for warning in record.warnings]
    if record.turns:
        parts.append(_table(record, with_timeline=with_timeline))
    parts.append(Text(_summary(record)))
    return Group(*parts, Text())


def _table(record: CallRecord, *, with_timeline: bool) -> Table:
    table = Table(box=None, pad_edge=True, header_style="dim")
    for name in ("time", "length"):
        table.add_column(name, justify="right", no_wrap=True)
    longest = max(len(turn.reading.voice.timeline) for turn in record.turns)
    within = with_timeline and longest > 1
    for name in ("p(negative)", *(["within"] if within else []), "level", "action"):
        table.add_column(name, no_wrap=True)
    table.add_column("why", overflow="fold")
    with_text = any(turn.text for turn in record.turns)
    if with_text:
        table.add_column("the caller said", overflow="fold", style="italic")
    for turn in record.turns:
        row = [*_row(turn)]
        if within:
            row.insert(3, steps(turn.reading.voice.timeline))
        row += [escape(turn.text or "")] if with_text else []
        table.add_row(*row)
    return table


def _row(turn: TurnRecord) -> tuple[RenderableType, ...]:
    reading, decision = turn.reading, turn.decision
    action = decision.action.value.replace("_", " ")
    return (
        clock(reading.started_at_s),
        f"{reading.ended_at_s - reading.started_at_s:.1f} s",
        bar(reading.voice.p_negative),
        Text(decision.level.value, LEVEL_STYLE[decision.level]),
        Text("offer call back" if decision.callback else action, ACTION_STYLE[decision.action]),
        escape(decision.reason),
    )


def bar(p: float | None) -> Text:
    """A probability as a number and a bar; a question mark for None."""
    if p is None:
        return Text("  ?", "dim")
    style = "red" if p >= 0.8 else "yellow" if p >= 0.5 else "green"
    filled = round(p * _BAR)
    return Text.assemble(f"{p:.2f} ", ("█" * filled, style), ("·" * (_BAR - filled), "dim"))


def steps(timeline: Sequence[float]) -> Text:
    """Where in a turn the voice was negative: a block per window; long turns show maxima."""
    stride = -(-len(timeline) // _BAR) or 1
    highest = [max(timeline[at : at + stride]) for at in range(0, len(timeline), stride)]
    return Text("".join(_STEPS[min(int(p * len(_STEPS)), len(_STEPS) - 1)] for p in highest))


def _summary(record: CallRecord) -> str:
    done = [
        f"{count} x {action.value.replace('_', ' ')}"
        for action in Action
        if action is not Action.PROCEED and (count := record.actions[action.value])
    ]
    what = ", ".join(done) if done else "no action needed"
    return f"  highest level: {record.highest_level.value}; {what}"


def clock(seconds: float) -> str:
    """Seconds as m:ss, or h:mm:ss from one hour on."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
