"""The demo's ears and voice without keys: espeak-ng, and the spotter in its process."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import soxr

from pipecat_deescalate.agent.demo.dialogue import load_script
from pipecat_deescalate.agent.demo.keyword_spotter_process import RATE
from pipecat_deescalate.agent.demo.keyword_stt import Spotter, SpotterError
from pipecat_deescalate.agent.demo.speech import espeak

from ...audio import noise, pcm16

PHRASES = load_script().phrases


def spoken(text: str) -> bytes:
    """A text in the bot's voice, as the spotter takes it."""
    samples = np.frombuffer(espeak().say(text), "<i2").astype(np.float32) / 32_768
    samples = soxr.resample(samples, espeak().sample_rate, RATE)
    pause = noise(0.3, RATE, level=3e-4)
    return pcm16(np.concatenate((pause, samples, pause)))


def test_the_voice_speaks_from_many_threads() -> None:
    """The library has one state for all: without the lock the process would crash."""
    with ThreadPoolExecutor(8) as pool:
        lengths = list(pool.map(lambda n: len(espeak().say("one " * n)), range(1, 25)))
    assert lengths == sorted(lengths)
    assert lengths[0] > espeak().sample_rate * 2 * 0.1


def test_any_text_can_be_spoken() -> None:
    """What an LLM or a phrase file holds must not stop the bot."""
    for text in ("", "\ud800", "näive ☎ <b>&amp;", "a" * 300):
        assert len(espeak().say(text)) % 2 == 0


HUMAN = {"a human", "human being", "real person", "representative", "supervisor"}
TWICE = {"charged twice", "double charge", "twice"}
SAID = {
    "I want a real person": HUMAN,
    "Give me a human being": HUMAN,
    "Let me talk to a human": HUMAN,
    "I need a representative": HUMAN,
    "There is a thing, I was charged twice": TWICE,
    "I have a double charge": TWICE,
    "I already told you": {"already told you"},
    "This is ridiculous": {"ridiculous", "this is ridiculous"},
}
"""What is said, and what may be found in it: scores differ a little between processors."""


async def test_phrases_are_found_and_noise_is_nothing() -> None:
    """The dialogue and the policy live on what is found here."""
    spotter = await Spotter.start(PHRASES)
    try:
        found = [set((await spotter.hear(spoken(text))).split(". ")) for text in SAID]
        right = [bool(ours & wanted) for ours, wanted in zip(found, SAID.values(), strict=True)]
        assert sum(right) >= len(SAID) / 2, found
        assert await spotter.hear(pcm16(noise(2.0, RATE, level=0.01))) == ""
        assert await spotter.hear(b"") == ""
        assert await spotter.hear(spoken("yes"), "yes_no") in {"yes", "yeah"}
        assert await spotter.hear(spoken("no"), "yes_no") in {"no", "nope"}
        digits = await spotter.hear(spoken("four, two, seven, one"), "digits")
        assert len(digits.split()) in {3, 4}
    finally:
        await spotter.close()


async def test_a_call_that_ends_while_it_is_heard_confuses_no_other() -> None:
    """An answer for a caller who is gone must not be taken for another's words."""
    spotter = await Spotter.start(PHRASES)
    try:
        gone = asyncio.create_task(spotter.hear(spoken("I want a real person")))
        await asyncio.sleep(0.02)  # for the other process to begin
        gone.cancel()
        assert await spotter.hear(pcm16(noise(1.0, RATE, level=0.01))) == ""
    finally:
        await spotter.close()


async def test_a_spotter_that_dies_leaves_the_calls_without_words(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A crash in there must neither end a call nor be told more than once."""
    spotter = await Spotter.start(PHRASES)
    spotter._process.kill()
    await spotter._process.wait()
    for _ in range(3):
        assert await spotter.hear(spoken("I want a real person")) == ""
    await spotter.close()
    assert [record.getMessage() for record in caplog.records].count(
        "spotter failed, no words from now on"
    ) == 1


async def test_a_spotter_that_does_not_start_is_an_error() -> None:
    """Broken phrases must be known when the demo starts, not in the first call."""
    with pytest.raises(SpotterError, match="'qwxyzzy' is not in its dictionary"):
        await Spotter.start({"good qwxyzzy": 1e-10})
