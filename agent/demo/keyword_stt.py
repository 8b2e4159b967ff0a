"""Speech recognition without keys: a spotter in another process finds phrases."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import soxr
from pipecat.frames.frames import Frame, SystemFrame, TranscriptionFrame
from pipecat.services.settings import STTSettings
from pipecat.services.stt_service import SegmentedSTTService
from pipecat.utils.time import time_now_iso8601

from ...models.errors import DeescalateError
from ...models.logs import get_logger
from .dialogue import Grammar
from .keyword_spotter_process import ANSWER, GRAMMARS, RATE, REQUEST

_START_S = 20.0
_ANSWER_S = 5.0
_MAX_AUDIO_S = 20
_DELAY_LIMIT_S = 2.0
"""How long the end of a turn waits for its words; usually they arrive before it."""

log = get_logger("demo")


class SpotterError(DeescalateError):
    """The spotter did not start: the package `pocketsphinx` is missing or damaged."""


class Spotter:
    """The spotter's process, which all calls share, one request at a time.

    If it fails, the calls go on without words; the failure is logged once.
    """

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._turn = asyncio.Lock()
        self._failed = False

    @classmethod
    async def start(cls, phrases: Mapping[str, float]) -> Spotter:
        """Start the process, and wait until it is ready.

        Raises:
            SpotterError: it did not become ready.
        """
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", f"{__package__}.keyword_spotter_process"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,  # Ctrl+C is for the server, which then closes this one
        )
        spotter = cls(process)
        try:
            async with asyncio.timeout(_START_S):
                await spotter._send(json.dumps({"phrases": dict(phrases)}).encode() + b"\n")
                error = json.loads(await spotter._output.readline())["error"]
        except (TimeoutError, OSError, ValueError) as failed:
            error = type(failed).__name__
        if error is not None:
            await spotter.close()
            raise SpotterError(f"the keyword spotter does not start: {error}")
        return spotter

    async def hear(self, pcm: bytes, grammar: Grammar | None = None) -> str:
        """The phrases in mono PCM16 at `RATE`; "" if there are none, or the process failed."""
        # Not cancelled with its call: the next call would take this answer for its own.
        return await asyncio.shield(asyncio.ensure_future(self._exchange(pcm, grammar)))

    async def _exchange(self, pcm: bytes, grammar: Grammar | None) -> str:
        async with self._turn:
            if self._failed:
                return ""
            try:
                async with asyncio.timeout(_ANSWER_S):
                    await self._send(REQUEST.pack(len(pcm), GRAMMARS.index(grammar)) + pcm)
                    (size,) = ANSWER.unpack(await self._output.readexactly(ANSWER.size))
                    return (await self._output.readexactly(size)).decode()
            except (TimeoutError, OSError, asyncio.IncompleteReadError) as error:
                self._fail(error)
            return ""

    async def close(self) -> None:
        """End the process."""
        self._failed = True
        with suppress(ProcessLookupError):
            self._process.kill()
        await self._process.communicate()

    @property
    def _output(self) -> asyncio.StreamReader:
        assert self._process.stdout is not None
        return self._process.stdout

    async def _send(self, data: bytes) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(data)
        await self._process.stdin.drain()

    def _fail(self, error: Exception) -> None:
        if self._failed:  # closed meanwhile
            return
        self._failed = True
        log.error("spotter failed, no words from now on", error=type(error).__name__)


@dataclass
class SpottedFrame(SystemFrame, TranscriptionFrame):
    """A transcription that the end of its turn, a system frame, cannot overtake."""


class SpottingSTTService(SegmentedSTTService):
    """Transcribes what the spotter finds; `expects` says which grammar the dialogue waits for."""

    def __init__(self, spotter: Spotter, expects: Callable[[], Grammar | None]) -> None:
        super().__init__(
            ttfs_p99_latency=_DELAY_LIMIT_S, settings=STTSettings(model=None, language=None)
        )
        self._spotter = spotter
        self._expects = expects

    @property
    def wants_wav_segments(self) -> bool:
        """Raw PCM16 is wanted."""
        return False

    async def run_stt(self, audio: bytes) -> AsyncGenerator[Frame | None, None]:
        """One transcription of a stretch of speech; an empty one if nothing was found."""
        pcm = audio[-_MAX_AUDIO_S * self.sample_rate * 2 :]
        if self.sample_rate != RATE:
            samples = np.frombuffer(pcm, "<i2")
            pcm = soxr.resample(samples, self.sample_rate, RATE).astype("<i2").tobytes()
        text = await self._spotter.hear(pcm, self._expects())
        yield SpottedFrame(text, "caller", time_now_iso8601())
