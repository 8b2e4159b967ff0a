"""Sentiment of the caller's words: a small linear model over hashed words, and their cues."""

from __future__ import annotations

import math
import re
import unicodedata
import zlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from .. import registry
from ..readings import WordReading
from .cues import AUTO, call_languages, find_cues, languages_spoken, readable
from .masked import find_masked, unmasked

WEIGHTS = registry.WEIGHTS / "wording.npz"
BUCKETS = 1 << 19
_MAX_TOKENS = 200
_MARK, _NEGATED = ord("<"), ord("~")
_NEGATED_WORDS = 4
_MIX = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(64 - 19)

_TOKEN = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*|\d[\d.,:%]*|[!?]+|\.{2,}|[^\w\s,]")
_STRETCHED = re.compile(r"(.)\1{2,}")
_FILLERS = frozenset(
    ["um", "uh", "uhm", "umm", "er", "erm", "hmm", "hm", "hmmm", "mm", "uhh", "ah", "eh"]
)
# fmt: off
_NUMBERS = frozenset([
    "zero", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
    "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
    "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety", "hundred",
    "thousand",
])
_STUTTERS = frozenset([
    "i", "im", "a", "an", "the", "to", "my", "we", "you", "it", "is", "and", "that", "so", "of",
    "in", "on", "with",
])
_NEGATIONS = frozenset([
    "not", "dont", "didnt", "doesnt", "isnt", "arent", "wasnt", "werent", "wont", "wouldnt", "cant",
    "cannot", "couldnt", "shouldnt", "havent", "hasnt", "hadnt", "aint", "never", "no", "without",
    "nobody", "none", "nor", "neither", "hardly",
])
_RESUMES = frozenset(["but", "because", "so", "just", "only", "then", "though"])
# fmt: on


class TextClassifier(Protocol):
    """Anything that reads one caller turn of text."""

    def classify(
        self, text: str | None, language: str = "en", *, prompt: str | None = None
    ) -> WordReading:
        """Read one turn; never raises for what a caller said.

        `language` is the call's: a code, several with commas, or "auto". `prompt` is what the bot
        said last; a classifier may do without this argument.
        """
        ...


def tokens(text: str) -> list[str]:
    """Words, marks and numbers of a turn as the model knows them.

    Case, apostrophes and fillers are dropped (a turn with words in capitals gets a mark of its
    own), numbers become one token whether written or spoken, stuttered small words count once.
    A masked swear word is a swear word. The four words after a negation are marked as negated, to
    the next mark or to a word such as "but".
    """
    text = unmasked(text)
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text).replace("\u2019", "'")
    lowered = text.lower()
    shouted = 0
    if lowered != text:
        shouted = sum(len(word) > 2 and word.isupper() for word in _TOKEN.findall(text))
    stretched = _STRETCHED.search(lowered) is not None
    out: list[str] = []
    negated, before = 0, ""
    for token in _TOKEN.findall(lowered):
        if token[0].isalpha():
            word = token.replace("'", "")
            if stretched:
                word = _STRETCHED.sub(r"\1\1", word)
            if word in _FILLERS or (word == before and word in _STUTTERS):
                continue
            mark = "<num>" if word in _NUMBERS else word
        else:
            mark = _mark(token)
        if mark == before == "<num>":
            continue
        if mark in _RESUMES or not (mark[0].isalpha() or mark == "<num>"):
            negated = 0
        out.append(f"~{mark}" if negated and mark != "<num>" else mark)
        negated = _NEGATED_WORDS if mark in _NEGATIONS else max(negated - 1, 0)
        before = mark
    if shouted:
        out.append("<caps>" if shouted == 1 else "<CAPS>")
    return out


def _mark(token: str) -> str:
    if token[0].isdigit():
        return "<num>"
    if token[0] in "!?":
        if "!" in token and "?" in token:
            return "<?!>"
        return f"<{token[0] * min(len(token), 2)}>"
    return "<...>" if token[0] == "\u2026" or len(token) > 1 else token


def features(text: str) -> NDArray[np.int64]:
    """The hashed features of a turn: one to three words, three to five letters of a word.

    Negated words have no letters of their own.

    Shape (features,), each in [0, BUCKETS), no duplicates.
    """
    crc = zlib.crc32
    words = tokens(text)[:_MAX_TOKENS]
    encoded = [word.encode() for word in words]
    ones = [crc(word, 1) for word in encoded]
    twos = list(map(crc, encoded[1:], ones))
    whole = np.array([*ones, *twos, *map(crc, encoded[2:], twos)], dtype=np.uint64)
    spelled = {word for word in encoded if word[0] not in {_MARK, _NEGATED} and len(word) > 1}
    letters = b"".join([b"<%b>" % word for word in spelled])
    hashed = np.concatenate([whole * _MIX, *_letter_groups(letters)]) >> _SHIFT
    return np.unique(hashed.astype(np.int64))


def _letter_groups(letters: bytes) -> list[NDArray[np.uint64]]:
    """Hashes of every three to five letters within the words of "<some><words>"."""
    codes = np.frombuffer(letters, np.uint8).astype(np.uint64)
    opens = codes == _MARK
    groups = []
    mixed = codes
    crosses = np.zeros(len(codes), np.bool_)
    for n in range(1, min(5, len(codes))):
        mixed = (mixed[:-1] + np.uint64(n)) * _MIX ^ codes[n:]
        crosses = crosses[:-1] | opens[n:]
        if n >= 2:
            groups.append((mixed[~crosses] ^ mixed[~crosses] >> np.uint64(31)) * _MIX)
    return groups


@dataclass(frozen=True, slots=True)
class Weights:
    """A linear model on 8-bit weights.

    `weight` (BUCKETS,) int8 in units of `weight_unit`; `rarity` (BUCKETS,) uint8, the inverse
    document frequency in units of `rarity_unit`, 0 for what training did not see often enough.
    `least_length` (in the same units) shrinks turns of few informative words towards the intercept.
    The logit of the calibrated probability at even odds is slope * score + offset.
    """

    weight: NDArray[np.int8]
    weight_unit: float
    rarity: NDArray[np.uint8]
    rarity_unit: float
    intercept: float
    least_length: float
    slope: float = 1.0
    offset: float = 0.0

    def score(self, hashed: NDArray[np.int64]) -> float:
        """The raw score of one turn's features, weighted by rarity to at most unit length."""
        rarity = self.rarity[hashed].astype(np.float32)
        length = math.sqrt(float(rarity @ rarity) + self.least_length**2)
        return float(rarity @ self.weight[hashed]) / length * self.weight_unit + self.intercept

    def probability(self, text: str) -> float:
        """P(negative) at even odds, within [0.001, 0.999]."""
        logit = self.slope * self.score(features(text)) + self.offset
        return min(max(1.0 / (1.0 + math.exp(-max(min(logit, 30.0), -30.0))), 0.001), 0.999)

    @classmethod
    def load(cls, path: Path) -> Weights:
        """Read weights and check them against the SHA-256 in the card beside them.

        Raises:
            ModelFileError: if either file is missing, damaged, or does not belong to the other.
        """
        scalars = dict.fromkeys(
            ("weight_unit", "rarity_unit", "intercept", "least_length", "slope", "offset"), ()
        )
        vectors = dict.fromkeys(("weight", "rarity"), (BUCKETS,))
        return cls(**registry.read_arrays(path, {**vectors, **scalars}))


class BundledTextClassifier:
    """The bundled text model and the cues of the language files. Thread-safe, no state."""

    def __init__(self, weights: Weights) -> None:
        self._weights = weights

    def classify(
        self, text: str | None, language: str | None = "en", *, prompt: str | None = None
    ) -> WordReading:
        """Read one turn; without a language it is taken for English.

        What is not text, or holds no letters, digits or masked words, is not read. The model
        is English-only: in any other language `p_negative` is None. A turn of more than 2,000
        characters is read at both ends, 1,000 each.
        """
        turn = readable(text)
        if not any(map(str.isalnum, turn)) and find_masked(turn) is None:
            return WordReading(None)
        language = language or "en"
        english = any(_primary(code) == "en" for code in languages_spoken(turn, language))
        probability = self._weights.probability(turn) if english else None
        return WordReading(probability, find_cues(turn, language, prompt=prompt))


@cache
def load_word_classifier(path: Path = WEIGHTS) -> BundledTextClassifier:
    """The bundled text classifier, one per process.

    Raises:
        ModelFileError: if the weights or a language file are missing or damaged.
    """
    call_languages(AUTO)
    return BundledTextClassifier(Weights.load(path))


def _primary(language: str) -> str:
    return re.split(r"[-_]", language.strip().casefold(), maxsplit=1)[0]
