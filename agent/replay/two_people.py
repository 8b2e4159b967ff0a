"""Other people's speech on the caller's channel: found by a transcript's times, and left out."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import takewhile

import numpy as np

from ...models.readings import Samples
from .segments import TurnRules, VoiceActivity
from .speakers import Speaker
from .turn_words import Stretch
from .vad import SAMPLE_RATE, WINDOW

SPOKEN_SHARE = 0.5
"""If this share of somebody's lines is speech in the audio, they are on that channel."""


def people_heard(
    blocks: Iterable[Samples], others: Mapping[Speaker, Sequence[Stretch]]
) -> list[Speaker]:
    """Whose lines are heard in a call; blocks as for `find_turns`."""
    activity = VoiceActivity(TurnRules())
    heard = {speaker: [0, 0] for speaker in others}
    stretches = sorted((start, end, who) for who, spans in others.items() for start, end in spans)
    at = 0
    for number, block in enumerate(blocks):
        middle_s = (number + 0.5) * WINDOW / SAMPLE_RATE
        while at < len(stretches) and stretches[at][1] <= middle_s:
            at += 1
        if at < len(stretches) and stretches[at][0] <= middle_s and len(block) == WINDOW:
            counts = heard[stretches[at][2]]
            counts[0] += activity.update(block)
            counts[1] += 1
    return [who for who, (spoken, of) in heard.items() if of and spoken / of >= SPOKEN_SHARE]


def silenced(blocks: Iterable[Samples], stretches: Sequence[Stretch]) -> Iterator[Samples]:
    """The call with digital silence in these stretches."""
    spans = deque((round(a * SAMPLE_RATE), round(b * SAMPLE_RATE)) for a, b in sorted(stretches))
    at = 0
    for block in blocks:
        kept, end = block, at + len(block)
        while spans and spans[0][1] <= at:
            spans.popleft()
        for start, stop in takewhile(lambda span: span[0] < end, spans):  # noqa: B023 - used at once
            kept = np.array(block) if kept is block else kept
            kept[max(start - at, 0) : max(stop - at, 0)] = 0.0
        at = end
        yield kept
