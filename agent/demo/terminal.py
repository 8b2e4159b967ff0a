"""Shows a demo call on the terminal while it goes on."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.text import Text

from ...models.readings import Samples
from ...policies.types import Action, Level
from ..replay.view import ACTION_STYLE, LEVEL_STYLE, bar, clock
from .caller import RATE, Caller, calling
from .serve import serving

_POLL_S = 0.2
_ANSWER_S = 3.0
_SPARE_S = 60.0
_INDENT = 16


async def play_call(path: Path, samples: Samples, *, policy: str, console: Console) -> None:
    """Play a recording to the bot and show the call, until the bot has answered the last turn.

    The recording plays from its first sound on, after the bot's greeting.
    """
    limit_s = len(samples) / RATE + _SPARE_S
    view = CallView(console)
    async with serving(port=0, policy=policy) as (demo, _):
        console.print(
            f"[bold]{escape(str(path))}[/bold] calls the bot, policy {demo.bot.policy.name}"
        )
        async with calling(samples, demo.origin) as caller, asyncio.timeout(limit_s):
            await _follow(caller, view)
        view.close(caller.heard_s)


async def _follow(caller: Caller, view: CallView) -> None:
    while not caller.closed:
        message = await caller.next(_POLL_S)
        if message is not None:
            view.show(message)
        if view.bot_was_heard:
            caller.play()
        if caller.over and view.quiet_s() > _ANSWER_S:
            return


@dataclass
class _Turn:
    """What is known of a caller's turn."""

    p_negative: float | None = None
    decision: dict[str, Any] | None = None
    over: dict[str, Any] | None = None


@dataclass
class CallView:
    """Prints each turn and each sentence of the bot once it is complete."""

    console: Console
    bot_was_heard: bool = False
    _analysis: bool = True
    _speaking: set[str] = field(default_factory=set)
    _quiet_since: float = field(default_factory=time.monotonic)
    _turns: dict[int, _Turn] = field(default_factory=dict)

    def quiet_s(self) -> float:
        """How long nobody has spoken."""
        return 0.0 if self._speaking else time.monotonic() - self._quiet_since

    def show(self, message: dict[str, Any]) -> None:
        """Process one message of the server."""
        kind = message["type"]
        if kind == "demo-call":
            self._analysis = message["analysis"]
        elif kind == "demo-speaking":
            self._spoke(message)
        elif kind in {"caller-emotion", "caller-decision", "demo-turn"}:
            self._turn(message)
        elif kind == "demo-said":
            self._said(message)
        elif kind == "demo-hand-over":
            self._hand_over(message["packet"])
        elif kind == "caller-transfer":
            outcome = f"{message['status']}: {message['detail']}"
            self._line(None, "transfer", outcome, "bold red")
        elif kind == "demo-ended":
            self._line(None, "", message["message"], "dim")

    def close(self, heard_s: float) -> None:
        """Print a summary."""
        turns = [turn.decision for turn in self._turns.values() if turn.decision]
        done = [turn["action"].replace("_", " ") for turn in turns if turn["action"] != "proceed"]
        what = ", ".join(done) if done else "no action needed"
        self.console.print(f"{len(self._turns)} caller turns; {what}; bot heard {heard_s:.1f} s")

    def _spoke(self, message: dict[str, Any]) -> None:
        who = message["who"]
        if message["speaking"]:
            self._speaking.add(who)
        else:
            self._speaking.discard(who)
            self._quiet_since = time.monotonic()
            self.bot_was_heard = self.bot_was_heard or who == "bot"

    def _turn(self, message: dict[str, Any]) -> None:
        turn = self._turns.setdefault(message["turn"], _Turn())
        if message["type"] == "caller-emotion":
            turn.p_negative = message["p_negative"]
            return
        if message["type"] == "demo-turn":
            turn.over = message
        else:
            turn.decision = message
        if turn.over is not None and (turn.decision is not None or not self._analysis):
            self._print_turn(turn, turn.over)

    def _print_turn(self, turn: _Turn, over: dict[str, Any]) -> None:
        heard = f"“{over['text']}”" if over["text"] else "(no words understood)"
        self._line(over["started_at_s"], "caller", heard, "italic" if over["text"] else "dim")
        if turn.decision is None:
            return
        level, action = Level(turn.decision["level"]), Action(turn.decision["action"])
        row = Text.assemble(
            bar(turn.p_negative),
            "  ",
            (level.value, LEVEL_STYLE[level]),
            "  ",
            (action.value.replace("_", " "), ACTION_STYLE[action]),
            "  ",
            (turn.decision["reason"], "dim"),
        )
        self.console.print(Padding(row, (0, 0, 0, _INDENT)))

    def _said(self, message: dict[str, Any]) -> None:
        self._line(message["at_s"], "bot", message["text"])
        if message["instead_of"]:
            self._line(None, "", f"instead of: {message['instead_of']}", "yellow")

    def _hand_over(self, packet: dict[str, Any]) -> None:
        self._line(None, "human", packet["summary"].replace("\n", "; "), "magenta")

    def _line(self, at_s: float | None, who: str, text: str, style: str = "") -> None:
        at = "" if at_s is None else clock(at_s)
        line = Text(text, style)
        self.console.print(Text(f"{at:>5}  {who:9}"), end="")
        self.console.print(line, soft_wrap=True)
