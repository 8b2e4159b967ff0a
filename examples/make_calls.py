"""Makes the sample calls in `calls/`: synthetic speech to try the commands on.

They contain no real person, and a louder synthetic voice is not an angry one. Needs
`pip install espeakng-loader` (it contains espeak-ng, GPL-3); run `python examples/make_calls.py`.

Each call is stereo at 8 kHz, the caller left and the bot right, with a transcript (JSON lines).
"""

from __future__ import annotations

import ctypes
import json
from dataclasses import dataclass
from pathlib import Path

import espeakng_loader
import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

RATE = 8_000
PAUSE_S = 0.9
CALLS = Path(__file__).parent / "calls"


@dataclass(frozen=True)
class Line:
    """One line of a dialogue; stress is 0 (neutral) to 1 (the most espeak-ng can do)."""

    speaker: str
    text: str
    stress: float = 0.0


CALM = (
    Line("bot", "Hello, this is the card service. What can I do for you?"),
    Line("caller", "Hi, I would like to know the balance on my card, please."),
    Line("bot", "Sure. Can you tell me the last four digits of the card?"),
    Line("caller", "Yes, it is four two seven one."),
    Line("bot", "Thank you. Your balance is two hundred and twelve dollars."),
    Line("caller", "Great. And when is the next payment due?"),
    Line("bot", "It is due on the third of next month."),
    Line("caller", "Perfect, thank you very much. Goodbye."),
)
ESCALATING = (
    Line("bot", "Hello, this is the card service. What can I do for you?"),
    Line("caller", "Hi, I was charged twice for the same purchase."),
    Line("bot", "You want to make a purchase. Which shop is it?"),
    Line("caller", "No, that is not what I said. I was charged twice for the same thing.", 0.5),
    Line("bot", "I am sorry, I did not understand. Do you want to order a new card?"),
    Line("caller", "No! I said I was charged twice for the same purchase. Twice!", 0.8),
    Line("bot", "A new card costs ten dollars. Shall I order it?"),
    Line(
        "caller",
        "This is ridiculous. You are not listening to me. I have said it three times!",
        1.0,
    ),
    Line("bot", "Shall I order the new card?"),
    Line("caller", "No! Stop this stupid machine and let me talk to a real person right now!", 1.0),
)


class Espeak:
    """The espeak-ng library: text in, 16-bit audio out. One per process."""

    _CALLBACK = ctypes.CFUNCTYPE(
        ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p
    )
    _SYNCHRONOUS, _UTF8, _CHARACTERS = 2, 1, 1
    _SPEED, _VOLUME, _PITCH, _RANGE = 1, 2, 3, 4

    def __init__(self) -> None:
        self._library = ctypes.CDLL(espeakng_loader.get_library_path())
        self._pieces: list[bytes] = []
        self._callback = self._CALLBACK(self._collect)
        self.sample_rate: int = self._library.espeak_Initialize(
            self._SYNCHRONOUS, 0, espeakng_loader.get_data_path().encode(), 0
        )
        self._library.espeak_SetSynthCallback(self._callback)

    def say(
        self, text: str, *, voice: str, speed: int, pitch: int, pitch_range: int, volume: int
    ) -> NDArray[np.float32]:
        """Speak a text; returns mono float32 audio at `sample_rate`."""
        self._pieces.clear()
        self._library.espeak_SetVoiceByName(voice.encode())
        for key, value in (
            (self._SPEED, speed),
            (self._PITCH, pitch),
            (self._RANGE, pitch_range),
            (self._VOLUME, volume),
        ):
            self._library.espeak_SetParameter(key, value, 0)
        raw = text.encode()
        self._library.espeak_Synth(
            raw, len(raw) + 1, 0, self._CHARACTERS, 0, self._UTF8, None, None
        )
        pcm = np.frombuffer(b"".join(self._pieces), np.int16)
        return (pcm / 32768.0).astype(np.float32)

    def _collect(self, samples: ctypes.Array[ctypes.c_short], count: int, _events: object) -> int:
        if samples and count > 0:
            self._pieces.append(ctypes.string_at(samples, count * 2))
        return 0


def speak(espeak: Espeak, line: Line) -> NDArray[np.float32]:
    """Synthesize one line at the call's rate; the caller's stress raises pace, pitch and level."""
    if line.speaker == "bot":
        audio = espeak.say(line.text, voice="en-gb", speed=165, pitch=40, pitch_range=50, volume=90)
    else:
        audio = espeak.say(
            line.text,
            voice="en-us",
            speed=round(160 + 40 * line.stress),
            pitch=round(45 + 45 * line.stress),
            pitch_range=round(50 + 49 * line.stress),
            volume=round(70 + 90 * line.stress),
        )
    return soxr.resample(audio, espeak.sample_rate, RATE)


def make_call(espeak: Espeak, name: str, lines: tuple[Line, ...], seed: int) -> None:
    """Write one call and its transcript."""
    generator = np.random.default_rng(seed)
    sides: dict[str, list[NDArray[np.float32]]] = {"caller": [], "bot": []}
    transcript, at = [], 0.0
    for line in lines:
        audio = np.pad(speak(espeak, line), (0, round(PAUSE_S * RATE)))
        silent = np.zeros_like(audio)
        sides["caller"].append(audio if line.speaker == "caller" else silent)
        sides["bot"].append(audio if line.speaker == "bot" else silent)
        end = at + len(audio) / RATE
        transcript.append(
            {
                "start_s": round(at, 2),
                "end_s": round(end - PAUSE_S, 2),
                "speaker": line.speaker,
                "text": line.text,
            }
        )
        at = end
    stereo = np.stack([np.concatenate(sides["caller"]), np.concatenate(sides["bot"])], axis=1)
    stereo += generator.normal(0.0, 0.0005, stereo.shape)
    soundfile.write(CALLS / f"{name}.ogg", np.clip(stereo, -1, 1), RATE, "OPUS", format="OGG")
    lines_out = (json.dumps(row, ensure_ascii=False) + "\n" for row in transcript)
    (CALLS / f"{name}.jsonl").write_text("".join(lines_out), encoding="utf-8")


def main() -> None:
    """Make both calls."""
    espeak = Espeak()
    CALLS.mkdir(exist_ok=True)
    make_call(espeak, "synthetic_calm", CALM, seed=1)
    make_call(espeak, "synthetic_escalating", ESCALATING, seed=2)


if __name__ == "__main__":
    main()
