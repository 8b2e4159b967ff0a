"""What an annotator is asked: strategies as versioned YAML files, filled in for each turn."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict

from .call_table import CallTurn

PROMPTS = Path(__file__).parent / "prompts"
_NO_WORDS = "(not transcribed)"
_START = "(nothing: this is the start of the call)"


class Strategy(StrEnum):
    """The ways to ask; each is a file in `PROMPTS`."""

    SIMPLE = "simple"
    COT_SIMPLE = "cot_simple"
    COT_CONTEXT = "cot_context"
    COT_DETAILED = "cot_detailed"
    PLAN_AND_SOLVE = "plan_and_solve"
    ROLE_PLAY_DETAILED = "role_play_detailed"


class _Task(BaseModel):
    model_config = ConfigDict(extra="forbid")

    task: str
    history_note: str


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    version: int
    about: str
    context: Literal["none", "words", "detailed"]
    reasoning: bool
    output_tokens: int
    how: str
    user: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """One strategy's prompt. `sha256` is the first 12 digits of the hash of its fixed parts.

    `output_tokens` is the approximate length of an answer, for estimates.
    """

    strategy: Strategy
    version: int
    context: Literal["none", "words", "detailed"]
    reasoning: bool
    output_tokens: int
    system: str
    user: str
    sha256: str

    def exchanges(self, wanted: int) -> int:
        """How many previous exchanges are shown, of those wanted."""
        return 0 if self.context == "none" else wanted

    def ask(self, turns: Sequence[CallTurn], at: int, exchanges: int) -> str:
        """The question about the caller's turn at an index, with the previous exchanges."""
        if self.context == "none":
            return self.user
        detailed = self.context == "detailed"
        before = turns[_first(turns, at, exchanges) : at]
        history = "\n".join(_line(turn, detailed=detailed) for turn in before) or _START
        state = turns[at].dialog_state
        return self.user.format(
            history=history,
            number=turns[at].turn,
            state=f", in dialog state {_plain(state)}" if state else "",
        )


@cache
def load_prompt(strategy: Strategy) -> Prompt:
    """Read a strategy's prompt."""
    task = _Task.model_validate(_yaml("task"))
    file = _File.model_validate(_yaml(strategy.value))
    note = [] if file.context == "none" else [task.history_note]
    system = "\n\n".join([task.task, *note, file.how])
    fixed = [system, file.user, file.context, file.reasoning]
    return Prompt(
        strategy=strategy,
        version=file.version,
        context=file.context,
        reasoning=file.reasoning,
        output_tokens=file.output_tokens,
        system=system,
        user=file.user,
        sha256=hashlib.sha256(json.dumps(fixed).encode()).hexdigest()[:12],
    )


def _yaml(name: str) -> object:
    return yaml.safe_load((PROMPTS / f"{name}.yaml").read_text(encoding="utf-8"))


def _first(turns: Sequence[CallTurn], at: int, exchanges: int) -> int:
    """Where the previous exchanges begin: the prompts just before the turn are always shown.

    An exchange is one turn of the caller with what others said just before it.
    """
    seen = 0
    for index in range(at - 1, -1, -1):
        if turns[index].speaker == "caller":
            seen += 1
            if seen > exchanges:
                return index + 1
    return 0


def _line(turn: CallTurn, *, detailed: bool) -> str:
    said = _plain(turn.text) if turn.text else _NO_WORDS
    if not detailed:
        return f"{turn.speaker}: {said}"
    state = f" [state {_plain(turn.dialog_state)}]" if turn.dialog_state else ""
    events = f" [{', '.join(turn.events)}]" if turn.events else ""
    return f"{turn.turn}. {turn.speaker}{state}{events}: {said}"


def _plain(text: str) -> str:
    """Words on one line, without what could close the list of turns."""
    return " ".join(text.replace("<", "(").replace(">", ")").split())
