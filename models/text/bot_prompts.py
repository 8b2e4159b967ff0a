"""What the bot asked last: a kind of question, told by patterns over its last sentences."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal, TypeAlias

from .patterns import SENTENCE_END, Patterns, TurnTokens

Kind: TypeAlias = Literal["call_back", "fact", "open", "offer", "number", "noun"]
_ANSWERED_BY_A_NOUN = frozenset({"call_back", "fact", "noun"})
_STATE = re.compile("(?<=[a-z])(?=[A-Z])|_")
_SENTENCES = 2
_WHOLE_QUESTION = 6
"""A last sentence of fewer words ("Is that right?") is read with the one before."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The kind of question, "" for an open or unknown one, and its words."""

    kind: str = ""
    words: frozenset[str] = frozenset()

    @property
    def by_noun(self) -> bool:
        """Whether a bare noun ("operator", "sales") would be an answer to it."""
        return self.kind in _ANSWERED_BY_A_NOUN


NOTHING_ASKED = Asked()


def state_as_words(prompt: str) -> str:
    """A prompt as it is; the name of a dialog state ("ask_pin", "AskOccupation") in words."""
    return _STATE.sub(" ", prompt)


@dataclass(frozen=True, slots=True)
class Prompts:
    """Patterns of each kind of question, and of agreement, in one language.

    The first kind in the order of the mapping counts.
    """

    kinds: Mapping[Kind, Patterns]
    agrees: Patterns
    declines: Patterns
    fillers: frozenset[str]

    def asked(self, words: Sequence[str]) -> Asked:
        """What the last sentences of these `words`, with sentence ends among them, ask for."""
        sentences = [list(said) for end, said in groupby(words, SENTENCE_END.__eq__) if not end]
        while len(sentences) > 1 and len(sentences[-1]) < _WHOLE_QUESTION:
            last = sentences.pop()
            sentences[-1] += [SENTENCE_END, *last]
        for sentence in reversed(sentences[-_SENTENCES:]):
            turn = TurnTokens([SENTENCE_END, *sentence, SENTENCE_END], self.fillers)
            for kind, patterns in self.kinds.items():
                if patterns.spans(turn):
                    return Asked("" if kind == "open" else kind, frozenset(sentence))
        return NOTHING_ASKED

    def accepted(self, asked: Asked, turn: TurnTokens) -> list[tuple[int, int]]:
        """Where a turn takes up the bot's offer of a human."""
        if asked.kind != "offer" or self.declines.spans(turn):
            return []
        return self.agrees.spans(turn)
