"""A trained classifier of one cue: a linear model over a turn's short word sequences."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, repeat
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..registry import read_arrays
from .bot_prompts import NOTHING_ASKED, Asked
from .patterns import SENTENCE_END

BUCKETS = 1 << 18
NEGATED_WORDS = 6
_FULL_LENGTH = 60
_SHORT_ANSWER = 8
_SAME_KIND = {"fact": "noun"}
_MASK = BUCKETS - 1
_EDGE, _NOT, _CLASS = "^", "!", "<"
_TELLING = 0.2
"""Words with less than this share of the greatest weight are not shown as the cause."""


@dataclass(frozen=True, slots=True)
class Lexicon:
    """What a language's classifier needs to know of it besides its weights.

    Words in `fillers` are skipped. What follows one of `negations` (words, or pairs of words)
    counts as negated, for `NEGATED_WORDS` words, to the end of the sentence or to one of `resumes`.
    `classes` maps interchangeable words to the name of their class.
    """

    fillers: frozenset[str]
    negations: frozenset[str]
    resumes: frozenset[str]
    classes: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Said:
    """The words of a turn that count, `tokens`, and where they stand in it, `at`; edges included.

    Repeated words count once. `classed` has classes in place of words.
    """

    tokens: list[str]
    classed: list[str]
    at: list[int]

    @classmethod
    def of(cls, words: Sequence[str], lexicon: Lexicon) -> Said:
        """What counts of a turn with its sentence ends."""
        counted = _counted(words, lexicon)
        tokens = [_EDGE, *(token for token, _ in counted), _EDGE]
        at = [0, *(place for _, place in counted), len(words) - 1]
        return cls(tokens, [_classed(token, lexicon.classes) for token in tokens], at)

    def features(self, asked: Asked = NOTHING_ASKED) -> set[int]:
        """One to three tokens in a row, and pairs with one between; each in [0, BUCKETS).

        The same again with classes, where there are any; and all of a short answer once more with
        the kind of question that it answers, and whether it only says the question's words.
        """
        variants = [self.tokens] if self.classed == self.tokens else [self.tokens, self.classed]
        found = {hashed for tokens in variants for hashed in _hashed(tokens)}
        said = self.tokens[1:-1]
        if not asked.kind or len(said) > _SHORT_ANSWER:
            return found
        kind = zlib.crc32(_SAME_KIND.get(asked.kind, asked.kind).encode())
        echoed = 2 * sum(token in asked.words for token in said) > len(said)
        found.update(zlib.crc32(mark, kind) & _MASK for mark in (b"", b" echo"[: 5 * echoed]))
        return found.union(*(_hashed(tokens, kind) for tokens in variants))

    def places(self) -> list[tuple[int, int, int]]:
        """The same with the first and the last word of each."""
        threes = list(zip(self.at, self.at[2:], strict=False))
        covered = [*((at, at) for at in self.at[1:-1]), *pairwise(self.at), *threes, *threes]
        both = dict.fromkeys(
            (hashed, *places)
            for tokens in (self.tokens, self.classed)
            for hashed, places in zip(_hashed(tokens), covered, strict=True)
        )
        return list(both)


def _hashed(tokens: Sequence[str], start: int = 0) -> list[int]:
    """Each token but the edges, then pairs, threes, and pairs with one token between.

    `start` tells the hashes of the same tokens after different questions apart.
    """
    plain = [token.encode() for token in tokens]
    spaced = [b" " + token for token in plain]
    ones = list(map(zlib.crc32, plain, repeat(start)))
    twos = list(map(zlib.crc32, spaced[1:], ones))
    threes = map(zlib.crc32, spaced[2:], twos)
    apart = map(zlib.crc32, spaced[2:], map(zlib.crc32, repeat(b" _"), ones[:-2]))
    return [hashed & _MASK for hashed in (*ones[1:-1], *twos, *threes, *apart)]


def _classed(token: str, classes: Mapping[str, str]) -> str:
    word = token.removeprefix(_NOT)
    return token.replace(word, f"{_CLASS}{classes[word]}") if word in classes else token


def _counted(words: Sequence[str], lexicon: Lexicon) -> list[tuple[str, int]]:
    """The words that count, negated ones marked, each with its place in `words`."""
    said: list[tuple[str, int]] = []
    negated, before = 0, ""
    for at, word in enumerate(words):
        if word == SENTENCE_END or word in lexicon.resumes:
            negated = 0
        if word == SENTENCE_END or word in lexicon.fillers:
            continue
        token = f"{_NOT}{word}" if negated else word
        negated = max(negated - 1, 0)
        if word in lexicon.negations or f"{before} {word}" in lexicon.negations:
            negated = NEGATED_WORDS
        before = word
        if not _said_again(said, token):
            said.append((token, at))
    return said


def _said_again(said: list[tuple[str, int]], token: str) -> bool:
    """Whether this word, or the pair that it ends, was said just before; the pair is taken back."""
    if said and said[-1][0] == token:
        return True
    if len(said) > 2 and said[-1][0] == said[-3][0] and token == said[-2][0]:
        said.pop()
        return True
    return False


def unit_length(count: int) -> float:
    """What the sum over `count` sequences is divided by; bounded, so long turns are not diluted."""
    return float(np.sqrt(min(max(count, 1), _FULL_LENGTH)))


@dataclass(frozen=True, slots=True)
class RequestClassifier:
    """Weights of the sequences, (BUCKETS,) int8 in units of `unit`; a score above 0 is the cue."""

    weight: NDArray[np.int8]
    unit: float
    intercept: float

    def score(self, features: set[int]) -> float:
        """How clearly a turn with these features holds the cue; it does above 0."""
        total = int(self.weight[list(features)].sum(dtype=np.int64))
        return total * self.unit / unit_length(len(features)) + self.intercept

    def span(
        self, words: Sequence[str], lexicon: Lexicon, asked: Asked = NOTHING_ASKED
    ) -> tuple[int, int] | None:
        """The words that count most for the cue, as (first, after the last); None without it."""
        said = Said.of(words, lexicon)
        if len(said.tokens) == 2 or self.score(said.features(asked)) <= 0.0:
            return None
        for_cue = [0.0] * len(words)
        for hashed, first, last in said.places():
            share = float(self.weight[hashed]) / (last - first + 1)
            for at in range(first, last + 1):
                for_cue[at] += share
        return _heaviest(for_cue, words)

    @classmethod
    def load(cls, path: Path) -> RequestClassifier:
        """Read weights and check them against the SHA-256 in the card beside them.

        Raises:
            ModelFileError: either file is missing or damaged, or they do not match.
        """
        shapes = {"weight": (BUCKETS,), "unit": (), "intercept": ()}
        return cls(**read_arrays(path, shapes))


def _heaviest(weights: Sequence[float], words: Sequence[str]) -> tuple[int, int]:
    """The run of words with the greatest sum (J. Kadane's algorithm), words of no weight left out.

    It begins and ends with words, not with sentence ends.
    """
    too_little = _TELLING * max(weights)
    best, best_sum = (0, 0), -np.inf
    start, total = 0, 0.0
    for at, weight in enumerate(weights):
        if total <= 0.0:
            start, total = at, 0.0
        total += weight - too_little
        if total > best_sum and words[at] != SENTENCE_END:
            best, best_sum = (start, at + 1), total
    first, after = best
    while first < after - 1 and words[first] == SENTENCE_END:
        first += 1
    return first, after
