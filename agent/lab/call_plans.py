"""Calls put together from labelled utterances: one speaker, calm, or distressed from a turn on.

No corpus has whole calls with real distress in them. What assembled calls cannot show is how a
real caller gets there.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Item = TypeVar("Item")
Voices = Mapping[str, Mapping[str, Mapping[bool, Sequence[Item]]]]
"""By corpus and speaker: the items that are negative, and those that are not."""


@dataclass(frozen=True, slots=True)
class CallShape:
    """How calls go. `turns` is the shortest and the longest; distress begins in the middle third.

    `share_of_distress` is how many of the turns from then on are negative; the first one is.
    """

    turns: tuple[int, int] = (6, 10)
    share_of_distress: float = 0.6


@dataclass(frozen=True, slots=True)
class PlannedTurn(Generic[Item]):
    """What is said in one turn, and whether it is negative."""

    item: Item
    negative: bool


@dataclass(frozen=True, slots=True)
class PlannedCall(Generic[Item]):
    """One call: who speaks, and its turns. `seed` is the call's own, for all else that is drawn."""

    number: int
    corpus: str
    speaker: str
    distressed: bool
    turns: tuple[PlannedTurn[Item], ...]
    seed: str


def voices(items: Iterable[Item], tell: Callable[[Item], tuple[str, str, bool]]) -> Voices[Item]:
    """Group items; `tell` gives an item's corpus, its speaker and whether it is negative.

    Speakers without items of both kinds are left out.
    """
    found: dict[str, dict[str, dict[bool, list[Item]]]] = defaultdict(
        lambda: defaultdict(lambda: {True: [], False: []})
    )
    for item in items:
        corpus, speaker, negative = tell(item)
        found[corpus][speaker][negative].append(item)
    both = {
        corpus: {name: kinds for name, kinds in speakers.items() if all(kinds.values())}
        for corpus, speakers in found.items()
    }
    return {corpus: speakers for corpus, speakers in both.items() if speakers}


def plan_calls(
    found: Voices[Item],
    *,
    calls: int,
    distressed: float,
    seed: int,
    shape: CallShape | None = None,
) -> Iterator[PlannedCall[Item]]:
    """Plan calls, `distressed` of them (a share, rounded) spread evenly; corpora are as likely.

    Each call is drawn by a seed of its own, so that it is the same in however many others.
    """
    shape = shape or CallShape()
    for number in range(calls):
        own = f"{seed}/{number}"
        rng = random.Random(own)  # noqa: S311 - a draw of turns, not security
        corpus = rng.choice(sorted(found))
        speaker = rng.choice(sorted(found[corpus]))
        bad = int((number + 1) * distressed + 0.5) > int(number * distressed + 0.5)
        items = found[corpus][speaker]
        turns = tuple(
            PlannedTurn(rng.choice(items[negative]), negative)
            for negative in _pattern(bad, shape, rng)
        )
        yield PlannedCall(number, corpus, speaker, bad, turns, own)


def _pattern(distressed: bool, shape: CallShape, rng: random.Random) -> list[bool]:
    """For each turn whether it is negative."""
    turns = rng.randint(*shape.turns)
    onset = rng.randint(turns // 3, 2 * turns // 3)
    share = shape.share_of_distress
    return [
        distressed and (turn == onset or (turn > onset and rng.random() < share))
        for turn in range(turns)
    ]
