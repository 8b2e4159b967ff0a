"""Seeded audio, and files of it in every form: good ones, and ones whose headers lie."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from pipecat_deescalate.models.readings import Samples

CALLS = Path(__file__).parents[1] / "examples" / "calls"
CALM = CALLS / "synthetic_calm.ogg"
ESCALATING = CALLS / "synthetic_escalating.ogg"
PCM, FLOAT = 1, 3
FORMS = {
    "pcm8.wav": ("WAV", "PCM_U8"),
    "pcm16.wav": ("WAV", "PCM_16"),
    "pcm24.wav": ("WAV", "PCM_24"),
    "pcm32.wav": ("WAV", "PCM_32"),
    "float32.wav": ("WAV", "FLOAT"),
    "float64.wav": ("WAV", "DOUBLE"),
    "mulaw.wav": ("WAV", "ULAW"),
    "alaw.wav": ("WAV", "ALAW"),
    "gsm.wav": ("WAV", "GSM610"),
    "ms_adpcm.wav": ("WAV", "MS_ADPCM"),
    "extensible.wav": ("WAVEX", "PCM_16"),
    "long.wav": ("RF64", "PCM_16"),
    "call.flac": ("FLAC", "PCM_16"),
    "call.opus": ("OGG", "OPUS"),
    "call.ogg": ("OGG", "VORBIS"),
    "call.mp3": ("MP3", "MPEG_LAYER_III"),
}
"""File name: container and sample format, as libsndfile names them."""


def tone(seconds: float, rate: int = 16_000, *, hz: float = 440.0, level: float = 0.5) -> Samples:
    """A sine of one pitch."""
    times = np.arange(round(seconds * rate)) / rate
    return (level * np.sin(2 * np.pi * hz * times)).astype(np.float32)


def noise(seconds: float, rate: int = 16_000, *, level: float = 0.1, seed: int = 0) -> Samples:
    """White noise of a standard deviation, within full scale."""
    drawn = np.random.default_rng(seed).standard_normal(round(seconds * rate))
    return np.clip(level * drawn, -1, 1).astype(np.float32)


def speech_like(
    seconds: float, rate: int = 16_000, *, level: float = 0.3, seed: int = 0
) -> Samples:
    """Gliding harmonics below 3.4 kHz in four syllables a second, over faint noise.

    Has the band, the pitch and the pace of speech; no promise that a VAD takes it for speech.
    """
    draw = np.random.default_rng(seed)
    times = np.arange(round(seconds * rate)) / rate
    pitch = 140 + 30 * np.sin(2 * np.pi * 0.7 * times + draw.uniform(0, 6))
    phase = 2 * np.pi * np.cumsum(pitch) / rate
    voice = sum(np.sin(n * phase + draw.uniform(0, 6)) / n for n in range(1, 20))
    syllables = np.clip(np.sin(2 * np.pi * 4 * times + draw.uniform(0, 6)) + 0.4, 0, None)
    sound = voice * syllables
    sound *= level / max(float(np.abs(sound).max(initial=0.0)), 1e-9)
    return (sound + 1e-3 * draw.standard_normal(times.size)).astype(np.float32)


def write_audio(path: Path, samples: NDArray[np.float32], rate: int, form: str) -> Path:
    """Write samples, shape (samples,) or (samples, channels), in one of `FORMS`."""
    container, subtype = FORMS[form]
    channels = 1 if samples.ndim == 1 else samples.shape[1]
    with soundfile.SoundFile(path, "w", rate, channels, subtype, format=container) as file:
        for at in range(0, len(samples), rate):  # libsndfile's Vorbis cannot take much at once
            file.write(samples[at : at + rate])
    return path


def pcm16(samples: Samples) -> bytes:
    """Little-endian 16-bit PCM, as telephone lines deliver it."""
    return (np.clip(samples, -1, 1) * 32_767).astype("<i2").tobytes()


def wav_bytes(
    data: bytes,
    *,
    rate: int = 16_000,
    channels: int = 1,
    bits: int = 16,
    tag: int = PCM,
    data_bytes: int | None = None,
    block_align: int | None = None,
    byte_rate: int | None = None,
    tail: bytes = b"",
    order: str = "<",
) -> bytes:
    """A WAV file whose header says what it is told, true or not."""
    frame = channels * bits // 8
    block_align = frame if block_align is None else block_align
    byte_rate = rate * frame if byte_rate is None else byte_rate
    data_bytes = len(data) if data_bytes is None else data_bytes
    form = struct.pack(order + "HHIIHH", tag, channels, rate, byte_rate, block_align, bits)
    body = b"WAVE" + b"fmt " + struct.pack(order + "I", len(form)) + form
    body += b"data" + struct.pack(order + "I", data_bytes) + data + tail
    name = b"RIFF" if order == "<" else b"RIFX"
    return name + struct.pack(order + "I", min(len(body), 2**32 - 1)) + body


def written(folder: Path, content: bytes) -> Path:
    """A file named as a WAV, whatever is in it."""
    path = folder / "call.wav"
    path.write_bytes(content)
    return path


def write_long_call(path: Path, minutes: int) -> Path:
    """Write a mu-law call at 8 kHz, block by block, as long as one likes."""
    with soundfile.SoundFile(path, "w", 8_000, 1, "ULAW", format="WAV") as file:
        for minute in range(minutes):
            file.write(noise(60, 8_000, seed=minute))
    return path
