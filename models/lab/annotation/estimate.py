"""What a run would send and cost, before it sends anything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .clips import PAD_S
from .providers import Wire
from .runner import CallTask

_CHARACTERS_A_TOKEN = 4.0
"""For English text, by the rule of thumb of both vendors."""


@dataclass(frozen=True, slots=True)
class Prices:
    """Prices per million tokens, in any one currency; None where unknown."""

    audio: float | None = None
    text: float | None = None
    output: float | None = None


@dataclass(frozen=True, slots=True)
class RunEstimate:
    """Requests, seconds of audio, and about how many tokens; no request is counted twice.

    `price` is None unless all three prices are known.
    """

    calls: int
    turns: int
    requests: int
    audio_s: float
    audio_tokens: int
    text_tokens: int
    output_tokens: int
    price: float | None


def estimate(tasks: Sequence[CallTask], wire: Wire, *, context: int, prices: Prices) -> RunEstimate:
    """Estimate these tasks. Each prompt sends the audio once."""
    requests, audio_s, characters, output_tokens = 0, 0.0, 0, 0
    for task in tasks:
        for turn in task.turns:
            data = task.call.turns[turn.at]
            length_s = (data.end_s or 0.0) - (data.start_s or 0.0) + 2 * PAD_S
            for prompt in turn.prompts:
                question = prompt.ask(task.call.turns, turn.at, context)
                requests += 1
                audio_s += length_s
                characters += len(prompt.system) + len(question)
                output_tokens += prompt.output_tokens
    audio_tokens = round(audio_s * wire.audio_tokens_per_s)
    text_tokens = round(characters / _CHARACTERS_A_TOKEN)
    price = None
    if prices.audio is not None and prices.text is not None and prices.output is not None:
        price = (
            audio_tokens * prices.audio + text_tokens * prices.text + output_tokens * prices.output
        ) / 1e6
    return RunEstimate(
        calls=len(tasks),
        turns=sum(len(task.turns) for task in tasks),
        requests=requests,
        audio_s=round(audio_s, 1),
        audio_tokens=audio_tokens,
        text_tokens=text_tokens,
        output_tokens=output_tokens,
        price=price,
    )
