"""The pattern language of the language files."""

from __future__ import annotations

import time

import pytest

from pipecat_deescalate.models.text.patterns import PatternError, Patterns, TurnTokens, parse


def spans(pattern: str, words: str) -> list[tuple[int, int]]:
    """Where one pattern matches in words separated by spaces; "um" is a filler."""
    lists = {"human": parse("(agent|real person)", {})}
    turn = TurnTokens([".", *words.split(), "."], frozenset(["um"]))
    return Patterns([parse(pattern, lists)], frozenset()).spans(turn)


@pytest.mark.parametrize(
    ("pattern", "words", "found"),
    [
        ("talk to", "i talk to you", [(2, 4)]),
        ("talk [to|with] you", "talk you", [(1, 3)]),
        ("talk to {human}", "talk to real person", [(1, 5)]),
        ("^ agent $", "agent", [(0, 2)]),
        ("^ agent $", "my agent", []),
        ("annoy*", "so annoying", [(2, 3)]),
        ("get ..2 agent", "get me an agent", [(1, 5)]),
        ("get ..2 agent", "get me a new agent", []),
        ("get ..2 agent", "get . agent", []),
        ("talk to", "talk um um to", [(1, 5)]),
    ],
)
def test_each_part_of_the_syntax(pattern: str, words: str, found: list[tuple[int, int]]) -> None:
    """A construct of the syntax would match something else than the documentation says."""
    assert spans(pattern, words) == found


@pytest.mark.parametrize("pattern", ["", "(a", "a)", "[a]", "a | ", "{nobody}", "[a (b]"])
def test_a_broken_pattern_is_refused(pattern: str) -> None:
    """A slip in a language file would match everything, or nothing, in silence."""
    with pytest.raises(PatternError):
        parse(pattern, {})


def test_nested_choices_do_not_explode() -> None:
    """A pattern full of overlapping options would hold up a call on a long turn."""
    pattern = "[a|a a] " * 12 + "[..9] [..9] b"
    turn = TurnTokens(["."] + ["a"] * 3000 + ["."], frozenset("a"))
    began = time.perf_counter()
    assert Patterns([parse(pattern, {})], frozenset()).spans(turn) == []
    assert time.perf_counter() - began < 1
