"""A process that finds phrases in speech: pocketsphinx holds the GIL while it decodes.

Run as a module. Its input is one JSON line, {"phrases": {phrase: threshold}}, then requests; its
output one JSON line when it is ready, {"error": text or null}, then answers. A request is the
length of the audio in bytes (uint32), the number of a grammar (uint8, `GRAMMARS`) and the audio,
mono PCM16 at `RATE`; an answer is its length (uint32) and the text in UTF-8. It ends when its
input does.
"""

from __future__ import annotations

import json
import os
import struct
import sys
import tempfile
from collections.abc import Mapping

from pocketsphinx import Decoder

RATE = 16_000
REQUEST = struct.Struct("<IB")
ANSWER = struct.Struct("<I")
GRAMMARS: tuple[str | None, ...] = (None, "yes_no", "digits")
_JSGF = {
    "yes_no": "yes | yeah | no | nope",
    "digits": "<d> <d> <d> [<d>]; <d> = zero | one | two | three | four | five | six | seven | "
    "eight | nine",
}
_NICENESS = 5
_SHORTEST_BYTES = RATE // 5
_BACKGROUND = 1e-2
"""How likely other sounds are; with pocketsphinx's own 0.1 half as many phrases are found."""


class PhraseSpotter:
    """The decoder, with a search for the phrases and one for each grammar."""

    def __init__(self, phrases: Mapping[str, float]) -> None:
        with tempfile.NamedTemporaryFile("w", suffix=".list") as file:
            file.writelines(f"{phrase} /{score:.0e}/\n" for phrase, score in phrases.items())
            file.flush()
            self._decoder = Decoder(
                samprate=RATE, kws=file.name, kws_plp=_BACKGROUND, lm=None, loglevel="FATAL"
            )
        for word in {word for phrase in phrases for word in phrase.split()}:
            if self._decoder.lookup_word(word) is None:
                raise ValueError(f"{word!r} is not in its dictionary")
        self._phrases = self._decoder.current_search()
        for name, rule in _JSGF.items():
            self._decoder.add_jsgf_string(name, f"#JSGF V1.0; grammar g; public <a> = {rule};")

    def hear(self, pcm: bytes, grammar: str | None = None) -> str:
        """The phrases in a stretch of speech, as sentences; if none, what the grammar finds."""
        if len(pcm) < _SHORTEST_BYTES:
            return ""
        self._decode(pcm, self._phrases)
        found = [segment.word.strip() for segment in self._decoder.seg() or ()]
        if found or grammar is None:
            return ". ".join(dict.fromkeys(found))
        self._decode(pcm, grammar)
        heard = self._decoder.hyp()
        return heard.hypstr if heard is not None else ""

    def _decode(self, pcm: bytes, search: str) -> None:
        self._decoder.activate_search(search)
        self._decoder.start_utt()
        self._decoder.process_raw(pcm, no_search=False, full_utt=True)
        self._decoder.end_utt()


def serve_phrases() -> None:
    """Answer until the input ends."""
    os.nice(_NICENESS)  # the calls have priority
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    try:
        spotter, error = PhraseSpotter(json.loads(requests.readline())["phrases"]), None
    except ValueError as bad:
        error = str(bad)
    answers.write(json.dumps({"error": error}).encode() + b"\n")
    answers.flush()
    if error is not None:
        return
    while len(header := requests.read(REQUEST.size)) == REQUEST.size:
        size, grammar = REQUEST.unpack(header)
        text = spotter.hear(requests.read(size), GRAMMARS[grammar]).encode()
        answers.write(ANSWER.pack(len(text)) + text)
        answers.flush()


if __name__ == "__main__":
    serve_phrases()
