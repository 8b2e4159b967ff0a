"""A small pattern language over words: what a language file says, compiled to bounded expressions.

A pattern is words in order, with `(a|b c)` alternatives, `[a|b]` optional words, `{name}` a word
list of the file, `word*` words that begin so, `..3` up to three words of any kind, `^` and `$` the
edges of a sentence. Nothing repeats without a bound, so matching is linear in the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

_LEXEME = re.compile(r"\s+|(\.\.[1-9]|\{\w+\}|[()\[\]|^$]|[^\s()\[\]|{}^$*]+\*?)")
_MAX_FILLERS = 3


class PatternError(ValueError):
    """A pattern cannot be read; the message quotes it."""


@dataclass(frozen=True, slots=True)
class Node:
    """One compiled part: its expression, the words it may start with, whether it may be empty.

    `first` is None when any word may start it.
    """

    expression: str
    first: frozenset[str] | None
    empty: bool = False


class Patterns:
    """Many patterns over one token list, looked up by the word they start with."""

    def __init__(self, nodes: Iterable[Node], fillers: Sequence[str]) -> None:
        by_word: dict[str, list[str]] = {}
        anywhere: list[str] = []
        for node in nodes:
            if node.first is None:
                anywhere.append(node.expression)
            else:
                for word in node.first:
                    by_word.setdefault(word, []).append(node.expression)
        self._by_word = {
            word: [_compiled(expression, fillers) for expression in dict.fromkeys(expressions)]
            for word, expressions in by_word.items()
        }
        self._anywhere = [_compiled(expression, fillers) for expression in anywhere]

    def spans(
        self, tokens: Sequence[str], text: str, starts: Sequence[int]
    ) -> list[tuple[int, int]]:
        """Where a pattern matches, as character offsets into `text` (tokens, each with a space)."""
        found = []
        for token, start in zip(tokens, starts, strict=True):
            for expression in (*self._by_word.get(token, ()), *self._anywhere):
                match = expression.match(text, start)
                if match is not None:
                    found.append((start, match.end()))
        return found


_cache: dict[str, re.Pattern[str]] = {}


def _compiled(expression: str, fillers: Sequence[str]) -> re.Pattern[str]:
    skipped = "|".join(re.escape(filler) for filler in fillers)
    gap = f"(?:(?:{skipped}) ){{0,{_MAX_FILLERS}}}" if fillers else ""
    full = expression.replace("\0", gap)
    if full not in _cache:
        _cache[full] = re.compile(full)
    return _cache[full]


def parse(pattern: str, lists: Mapping[str, Node]) -> Node:
    """Read one pattern.

    Raises:
        PatternError: if it is empty, unbalanced, matches nothing, or names an unknown list.
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
    node, rest = _alternatives(lexemes, lists, pattern)
    if rest:
        raise PatternError(f"{rest[0]!r} has no partner in {pattern!r}")
    if node.empty:
        raise PatternError(f"{pattern!r} matches an empty turn")
    return node


def one_of(nodes: Sequence[Node]) -> Node:
    """Any one of several parts."""
    if len(nodes) == 1:
        return nodes[0]
    firsts = [node.first for node in nodes]
    return Node(
        "(?:" + "|".join(node.expression for node in nodes) + ")",
        None
        if any(first is None for first in firsts)
        else frozenset().union(*(first for first in firsts if first is not None)),
        any(node.empty for node in nodes),
    )


def _alternatives(
    lexemes: list[str], lists: Mapping[str, Node], pattern: str
) -> tuple[Node, list[str]]:
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
    parts = []
    while lexemes and lexemes[0] not in {")", "]", "|"}:
        node, lexemes = _item(lexemes, lists, pattern)
        parts.append(node)
    if not parts:
        raise PatternError(f"an empty part in {pattern!r}")
    first: frozenset[str] | None = frozenset()
    empty = True
    for part in parts:
        if not empty:
            break
        first = None if first is None or part.first is None else first | part.first
        empty = part.empty
    return Node("".join(part.expression for part in parts), first, empty), lexemes


def _item(lexemes: list[str], lists: Mapping[str, Node], pattern: str) -> tuple[Node, list[str]]:
    lexeme, rest = lexemes[0], lexemes[1:]
    if lexeme in {"(", "["}:
        node, rest = _alternatives(rest, lists, pattern)
        if not rest or rest[0] != {"(": ")", "[": "]"}[lexeme]:
            raise PatternError(f"{lexeme!r} is not closed in {pattern!r}")
        rest = rest[1:]
        if lexeme == "[":
            node = Node(f"(?:{node.expression})?", node.first, True)
        else:
            node = Node(f"(?:{node.expression})", node.first, node.empty)
        return node, rest
    return _leaf(lexeme, lists, pattern), rest


def _leaf(lexeme: str, lists: Mapping[str, Node], pattern: str) -> Node:
    if lexeme == "^":
        return Node("\\. \0", frozenset(["."]))
    if lexeme == "$":
        return Node(r"(?=\. )", frozenset(), True)
    if lexeme.startswith(".."):
        return Node(f"(?:[^ .]+ ){{0,{lexeme[2:]}}}", None, True)
    if lexeme.startswith("{"):
        if lexeme[1:-1] not in lists:
            raise PatternError(f"no word list named {lexeme} (in {pattern!r})")
        return lists[lexeme[1:-1]]
    if lexeme.endswith("*"):
        return Node(re.escape(lexeme[:-1]) + "[^ .]* \0", None)
    return Node(re.escape(lexeme) + " \0", frozenset([lexeme]))
