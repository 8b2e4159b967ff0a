"""Speech without keys: espeak-ng, from the library inside the package `espeakng-loader` (GPL-3)."""

from __future__ import annotations

import asyncio
import ctypes
import threading
from collections.abc import AsyncGenerator, AsyncIterator
from functools import lru_cache
from typing import Any

import espeakng_loader
from pipecat.frames.frames import Frame
from pipecat.services.settings import TTSSettings
from pipecat.services.tts_service import TTSService

from ...models.errors import DeescalateError

VOICE = "en-us"
WORDS_PER_MINUTE = 165
_CHUNK_BYTES = 8192

_CALLBACK = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p
)
_AUDIO_OUTPUT_SYNCHRONOUS = 2
_DONT_EXIT = 0x8000  # without it the library ends the process where its data is missing
_CHARS_UTF8 = 1
_POS_CHARACTER = 1
_RATE = 1
_LOADING = threading.Lock()


class SpeechError(DeescalateError):
    """espeak-ng could not be loaded or did not speak: the package `espeakng-loader` is damaged."""


class Espeak:
    """The library, one per process; calls take turns on a lock."""

    def __init__(self) -> None:
        """Load the library and its data.

        Raises:
            SpeechError: they cannot be loaded.
        """
        self._lock = threading.Lock()
        self._pieces: list[bytes] = []
        self._callback = _CALLBACK(self._collect)  # the library keeps no reference of its own
        try:
            self._library: Any = ctypes.CDLL(espeakng_loader.get_library_path())
        except OSError as error:
            raise SpeechError(f"espeak-ng: {error}") from error
        data = espeakng_loader.get_data_path().encode()
        self.sample_rate: int = self._library.espeak_Initialize(
            _AUDIO_OUTPUT_SYNCHRONOUS, 0, data, _DONT_EXIT
        )
        if self.sample_rate <= 0:
            raise SpeechError("espeak-ng: its data could not be read")
        self._library.espeak_SetSynthCallback(self._callback)
        self._library.espeak_Synth.argtypes = [
            ctypes.c_char_p,
            ctypes.c_size_t,
            *(ctypes.c_uint, ctypes.c_int, ctypes.c_uint, ctypes.c_uint),
            *(ctypes.c_void_p, ctypes.c_void_p),
        ]

    def say(self, text: str) -> bytes:
        """Speak a text: mono PCM16 at `sample_rate`. Blocks for about 2 ms a sentence.

        Raises:
            SpeechError: the library refused.
        """
        raw = text.encode(errors="replace")
        with self._lock:
            self._pieces = []
            refused = self._library.espeak_SetVoiceByName(VOICE.encode())
            self._library.espeak_SetParameter(_RATE, WORDS_PER_MINUTE, 0)
            refused = refused or self._library.espeak_Synth(
                raw, len(raw) + 1, 0, _POS_CHARACTER, 0, _CHARS_UTF8, None, None
            )
            if refused:
                raise SpeechError(f"espeak-ng: error {refused}")
            return b"".join(self._pieces)

    def _collect(self, samples: Any, count: int, _events: object) -> int:
        if samples and count > 0:
            self._pieces.append(ctypes.string_at(samples, count * 2))
        return 0


def espeak() -> Espeak:
    """The process's own library; the first call loads it."""
    with _LOADING:
        return _loaded()


@lru_cache(maxsize=1)
def _loaded() -> Espeak:
    return Espeak()


class EspeakTTSService(TTSService):
    """Speaks with espeak-ng."""

    def __init__(self) -> None:
        super().__init__(
            push_start_frame=True,
            push_stop_frames=True,
            settings=TTSSettings(model=None, voice=VOICE, language=None),
        )

    async def run_tts(self, text: str, context_id: str) -> AsyncGenerator[Frame | None, None]:
        """The audio of a text."""
        pcm = await asyncio.to_thread(espeak().say, text)

        async def chunks() -> AsyncIterator[bytes]:
            for at in range(0, len(pcm), _CHUNK_BYTES):
                yield pcm[at : at + _CHUNK_BYTES]

        async for frame in self._stream_audio_frames_from_iterator(
            chunks(), in_sample_rate=espeak().sample_rate, context_id=context_id
        ):
            yield frame
