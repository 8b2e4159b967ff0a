"""A small pattern language over words for the language files, matched in bounded time.

A pattern is words in order, with `(a|b c)` alternatives, `[a|b]` optional words, `{name}` a word
list of the file, `word*` words with that prefix, `..3` up to three words of any kind, `^` and `$`
the edges of a sentence. A set of places in the turn is one integer with a bit per word, so every
part of a pattern moves all places at once, without backtracking.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, reduce
from operator import or_
from typing import Protocol, TypeAlias

_LEXEME = re.compile(r"\s+|(\.\.[1-9]|\{\w+\}|[()\[\]|^$]|[^\s()\[\]|{}^$*]+\*?)")
_MAX_FILLERS = 3
_MAX_STARTS = 24

Places: TypeAlias = int
"""A set of places between the words of a turn: bit i is the place before word i."""

SENTENCE_END = "."


class PatternError(ValueError):
    """A pattern cannot be read; the message quotes it."""


class TurnTokens:
    """The words of one turn, sentence ends among them, ready to be matched."""

    def __init__(self, words: Sequence[str], fillers: frozenset[str]) -> None:
        self.at: dict[str, Places] = {}
        for i, word in enumerate(words):
            self.at[word] = self.at.get(word, 0) | 1 << i
        self.ends = self.at.get(SENTENCE_END, 0)
        self.everywhere = (1 << len(words)) - 1
        self._inside = ~self.ends & self.everywhere
        self._fillers = self.any_of(fillers)
        self._lists: dict[int, Places] = {}
        self._live: dict[int, list[Node]] = {}

    def any_of(self, words: frozenset[str]) -> Places:
        """Where any of some words stands."""
        if len(words) == 1:
            return self.at.get(next(iter(words)), 0)
        return reduce(or_, (self.at[word] for word in words.intersection(self.at)), 0)

    def listed(self, key: int, words: frozenset[str]) -> Places:
        """`any_of` a word list, remembered for the turn."""
        found = self._lists.get(key)
        if found is None:
            found = self._lists[key] = self.any_of(words)
        return found

    def live(self, key: int, parts: Sequence[Node]) -> list[Node]:
        """Those of some alternatives that can match in this turn, remembered for the turn."""
        found = self._live.get(key)
        if found is None:
            found = self._live[key] = [
                part
                for part in parts
                if part.first is None or part.empty or not part.first.isdisjoint(self.at)
            ]
        return found

    def past(self, places: Places) -> Places:
        """Behind the word at each place, and behind up to three fillers after it."""
        reached = step = places << 1
        if not step & self._fillers:
            return reached
        for _ in range(_MAX_FILLERS):
            step = (step & self._fillers) << 1
            if not step:
                break
            reached |= step
        return reached

    def onward(self, places: Places, words: int) -> Places:
        """Up to `words` words of any kind further on, within the sentence."""
        reached = step = places
        for _ in range(words):
            step = (step & self._inside) << 1
            reached |= step
        return reached


class Node(Protocol):
    """One compiled part of a pattern."""

    @property
    def first(self) -> frozenset[str] | None:
        """The words a match may start with; None for any."""

    @property
    def empty(self) -> bool:
        """Whether it may match nothing."""

    def ends(self, turn: TurnTokens, places: Places) -> Places:
        """Where matches that start at `places` may end."""
        ...


@dataclass(frozen=True, slots=True)
class _Words:
    """One word of a set."""

    first: frozenset[str] | None
    empty: bool = False

    def ends(self, turn: TurnTokens, places: Places) -> Places:
        assert self.first is not None
        places &= turn.listed(id(self), self.first)
        return turn.past(places) if places else 0


@dataclass(frozen=True, slots=True)
class _Prefix:
    """One word with this prefix."""

    prefix: str
    first: frozenset[str] | None = None
    empty: bool = False

    def ends(self, turn: TurnTokens, places: Places) -> Places:
        matching = frozenset(word for word in turn.at if word.startswith(self.prefix))
        return turn.past(places & turn.listed(id(self), matching))


@dataclass(frozen=True, slots=True)
class _Gap:
    """Up to `words` words of any kind."""

    words: int
    first: frozenset[str] | None = None
    empty: bool = True

    def ends(self, turn: TurnTokens, places: Places) -> Places:
        return turn.onward(places, self.words)


@dataclass(frozen=True, slots=True)
class _SentenceEnd:
    """Where a sentence ends; takes no word."""

    first: frozenset[str] | None = frozenset()
    empty: bool = True

    def ends(self, turn: TurnTokens, places: Places) -> Places:
        return places & turn.ends


@dataclass(frozen=True, slots=True)
class _Optional:
    part: Node
    first: frozenset[str] | None
    empty: bool = True

    def ends(self, turn: TurnTokens, places: Places) -> Places:
        return places | self.part.ends(turn, places)


@dataclass(frozen=True, slots=True)
class _Sequence:
    parts: tuple[Node, ...]
    first: frozenset[str] | None
    empty: bool

    def ends(self, turn: TurnTokens, places: Places) -> Places:
        for part in self.parts:
            places = part.ends(turn, places)
            if not places:
                break
        return places


@dataclass(frozen=True, slots=True)
class _Choice:
    parts: tuple[Node, ...]
    first: frozenset[str] | None
    empty: bool

    def ends(self, turn: TurnTokens, places: Places) -> Places:
        reached = 0
        for part in turn.live(id(self), self.parts):
            reached |= part.ends(turn, places)
        return reached


class Patterns:
    """Many patterns; only those are tried whose rarest needed words occur in the turn.

    `common` are words that nearly every turn holds.
    """

    def __init__(self, nodes: Iterable[Node], common: frozenset[str]) -> None:
        self._nodes = tuple(nodes)
        self._by_word: dict[str, list[int]] = {}
        self._always: set[int] = set()
        for i, node in enumerate(self._nodes):
            needed = _needed(node, common | {SENTENCE_END})
            if needed is None:
                self._always.add(i)
            for word in needed or ():
                self._by_word.setdefault(word, []).append(i)

    def may_match(self, words: frozenset[str]) -> bool:
        """Whether a turn of these words may hold one of the patterns."""
        return bool(self._always) or not words.isdisjoint(self._by_word)

    def spans(self, turn: TurnTokens) -> list[tuple[int, int]]:
        """The longest match of each pattern at each place, as (first word, word after the last).

        At most `_MAX_STARTS` places for each pattern.
        """
        candidates = set(self._always)
        for word in turn.at:
            candidates.update(self._by_word.get(word, ()))
        found = []
        for i in candidates:
            node = self._nodes[i]
            starts = turn.everywhere if node.first is None else turn.listed(id(node), node.first)
            if not starts or not node.ends(turn, starts):
                continue
            for _ in range(_MAX_STARTS):
                if not starts:
                    break
                start = starts & -starts
                starts ^= start
                ends = node.ends(turn, start)
                if ends:
                    found.append((start.bit_length() - 1, ends.bit_length() - 1))
        return found


def _needed(node: Node, common: frozenset[str]) -> frozenset[str] | None:
    """A set of words with one in every match, as few common ones as possible; None if unknown."""
    if isinstance(node, _Words):
        return node.first
    if isinstance(node, _Sequence):
        sets = [_needed(part, common) for part in node.parts if not part.empty]
        known = [words for words in sets if words is not None]
        return min(known, key=lambda words: (len(words & common), len(words)), default=None)
    if isinstance(node, _Choice):
        sets = [None if part.empty else _needed(part, common) for part in node.parts]
        known = [words for words in sets if words is not None]
        return frozenset().union(*known) if len(known) == len(sets) else None
    return None


def parse(pattern: str, lists: Mapping[str, Node]) -> Node:
    """Read one pattern.

    Raises:
        PatternError: if it is empty, unbalanced, may match nothing, or names an unknown list.
    """
    lexemes = []
    position = 0
    while position < len(pattern):
        match = _LEXEME.match(pattern, position)
        if match is None:
            raise PatternError(f"cannot read {pattern[position : position + 20]!r} in {pattern!r}")
        if match[1] is not None:
            lexemes.append(match[1])
        position = match.end()
    node, rest = _choice(lexemes, lists, pattern)
    if rest:
        raise PatternError(f"{rest[0]!r} has no partner in {pattern!r}")
    if node.empty:
        raise PatternError(f"{pattern!r} matches an empty turn")
    return node


def one_of(nodes: Sequence[Node]) -> Node:
    """Any one of several parts; single words among them become one set."""
    words = [node.first for node in nodes if isinstance(node, _Words) and node.first is not None]
    parts = [node for node in nodes if not isinstance(node, _Words)]
    if words:
        parts.insert(0, _words(frozenset().union(*words)))
    if len(parts) == 1:
        return parts[0]
    return _Choice(tuple(parts), _union(parts), any(part.empty for part in parts))


def _union(parts: Iterable[Node]) -> frozenset[str] | None:
    first: frozenset[str] = frozenset()
    for part in parts:
        if part.first is None:
            return None
        first |= part.first
    return first


def _choice(lexemes: list[str], lists: Mapping[str, Node], pattern: str) -> tuple[Node, list[str]]:
    options = []
    while True:
        node, lexemes = _sequence(lexemes, lists, pattern)
        options.append(node)
        if not lexemes or lexemes[0] != "|":
            return one_of(options), lexemes
        lexemes = lexemes[1:]


def _sequence(
    lexemes: list[str], lists: Mapping[str, Node], pattern: str
) -> tuple[Node, list[str]]:
    parts: list[Node] = []
    while lexemes and lexemes[0] not in {")", "]", "|"}:
        node, lexemes = _item(lexemes, lists, pattern)
        parts.append(node)
    if not parts:
        raise PatternError(f"an empty part in {pattern!r}")
    if len(parts) == 1:
        return parts[0], lexemes
    leading = next((i for i, part in enumerate(parts) if not part.empty), len(parts))
    first = _union(parts[: leading + 1])
    return _Sequence(tuple(parts), first, leading == len(parts)), lexemes


def _item(lexemes: list[str], lists: Mapping[str, Node], pattern: str) -> tuple[Node, list[str]]:
    lexeme, rest = lexemes[0], lexemes[1:]
    if lexeme not in {"(", "["}:
        return _leaf(lexeme, lists, pattern), rest
    node, rest = _choice(rest, lists, pattern)
    if not rest or rest[0] != {"(": ")", "[": "]"}[lexeme]:
        raise PatternError(f"{lexeme!r} is not closed in {pattern!r}")
    return (node if lexeme == "(" else _Optional(node, node.first)), rest[1:]


def _leaf(lexeme: str, lists: Mapping[str, Node], pattern: str) -> Node:
    if lexeme == "^":
        return _words(frozenset([SENTENCE_END]))
    if lexeme == "$":
        return _SentenceEnd()
    if lexeme.startswith(".."):
        return _Gap(int(lexeme[2:]))
    if lexeme.startswith("{"):
        if lexeme[1:-1] not in lists:
            raise PatternError(f"no word list named {lexeme} (in {pattern!r})")
        return lists[lexeme[1:-1]]
    if lexeme.endswith("*"):
        return _Prefix(lexeme[:-1])
    return _words(frozenset([lexeme]))


@cache
def _words(words: frozenset[str]) -> Node:
    return _Words(words)
