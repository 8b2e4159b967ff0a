"""Cues in the history of a call: repeated prompts, barge-ins, shorter and louder answers.

Pure functions of the call so far.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise, takewhile

import numpy as np

from .readings import Cue, Samples

_TREND_TURNS = 3
_SHORTER = 0.9
_LOUDER_DB = 1.0

BARGE_IN_S = 0.3
"""By how much a caller must speak over the bot for it to count."""


@dataclass(frozen=True, slots=True)
class TurnStats:
    """How one turn went, apart from its sound and its words.

    `loudness_db` is relative to full scale, None for a turn without audio; `dialog_state` is the
    bot's own name for what it had asked, None if it gives none, or if the caller goes on without
    another prompt; `barge_in` means that the caller began while the bot spoke.
    """

    duration_s: float
    loudness_db: float | None
    dialog_state: str | None = None
    barge_in: bool = False


def loudness_db(samples: Samples) -> float | None:
    """The root mean square of mono audio in dB relative to full scale; None for silence."""
    power = float(np.mean(np.square(samples, dtype=np.float64))) if samples.size else 0.0
    return 10.0 * math.log10(power) if power > 0.0 else None


def conversation_cues(history: Iterable[TurnStats]) -> tuple[tuple[Cue, str], ...]:
    """The cues of the last turn in view of those before it, each with what was seen."""
    turns = list(history)
    if not turns:
        return ()
    cues: list[tuple[Cue, str]] = []
    if again := reprompts(turns):
        times = "once" if again == 1 else f"{again} times"
        cues.append((Cue.REPROMPTED, f"{turns[-1].dialog_state} asked again {times}"))
    if turns[-1].barge_in:
        count = sum(turn.barge_in for turn in turns)
        cues.append((Cue.BARGES_IN, f"{count} of {len(turns)} turns"))
    if _shorter_and_louder(turns[-_TREND_TURNS:]):
        cues.append((Cue.SHORTER_AND_LOUDER, f"over {_TREND_TURNS} turns"))
    return tuple(cues)


def reprompts(turns: Sequence[TurnStats]) -> int:
    """How often in a row the bot has repeated the prompt that the last turn answers.

    Turns without a prompt of their own (no dialog state) neither count nor interrupt.
    """
    state = turns[-1].dialog_state if turns else None
    if state is None:
        return 0
    asked = (turn for turn in reversed(turns) if turn.dialog_state is not None)
    return sum(1 for _ in takewhile(lambda turn: turn.dialog_state == state, asked)) - 1


def _shorter_and_louder(turns: Sequence[TurnStats]) -> bool:
    return len(turns) == _TREND_TURNS and all(
        after.duration_s < _SHORTER * before.duration_s
        and before.loudness_db is not None
        and after.loudness_db is not None
        and after.loudness_db > before.loudness_db + _LOUDER_DB
        for before, after in pairwise(turns)
    )
