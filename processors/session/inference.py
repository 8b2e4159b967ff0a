"""Inference for all calls of a process: a few threads, bounded, that survive a hung model."""

from __future__ import annotations

import asyncio
import atexit
import os
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache, partial
from typing import Any, TypeVar

from ...models.errors import DeescalateError
from ...models.logs import get_logger
from ...models.reader import VoiceTurn, classify_voice
from ...models.readings import EmotionReading, TurnAudio, UnknownReason
from ...models.voice import EmotionClassifier
from .faults import Faults

NICENESS = 10  # of a thread that infers, above that of its process

T = TypeVar("T")

log = get_logger("pool")


class InferenceRefusedError(DeescalateError):
    """No result in time: the pool's queue is full, or the model hangs."""


class _WorkItem:
    """Work and its outcome: what it returned or raised. Made on the loop that waits for it."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self.work = work
        self.loop = asyncio.get_running_loop()
        self.outcome: asyncio.Future[tuple[Any, BaseException | None]] = self.loop.create_future()
        self.started_at = 0.0

    def run(self) -> None:
        """Do the work, on any thread."""
        outcome: tuple[Any, BaseException | None]
        try:
            outcome = self.work(), None
        except BaseException as raised:  # noqa: BLE001 - it is handed to whoever waits
            outcome = None, raised
        with suppress(RuntimeError):  # the call's event loop is closed, nobody waits
            self.loop.call_soon_threadsafe(self._resolve, outcome)

    def _resolve(self, outcome: tuple[Any, BaseException | None]) -> None:
        if not self.outcome.done():
            self.outcome.set_result(outcome)


class InferencePool:
    """Fixed threads with a bounded queue, shared by all calls of a process.

    Work that finds the queue full is refused at once. Work that is not done within
    `time_limit_s` is given up: waiting work leaves the queue; a thread that runs it is abandoned
    and replaced, at most `max_hung` at a time; after that, all work is refused until a hung thread
    returns. Threads are daemons, so none keeps a process alive. On Linux they run at a lower
    priority than the calls' own threads: a late reading harms less than late audio. `counts` has
    `done`, `refused`, `overdue` (left the queue) and `hung`.
    """

    def __init__(
        self,
        *,
        threads: int = 1,
        queue_limit: int = 16,
        time_limit_s: float = 2.0,
        max_hung: int = 4,
    ) -> None:
        self.counts: Counter[str] = Counter()
        self._threads = threads
        self._queue_limit = queue_limit
        self._time_limit_s = time_limit_s
        self._max_hung = max_hung
        self._changed = threading.Condition()
        self._queue: deque[_WorkItem] = deque()
        self._workers: dict[threading.Thread, _WorkItem | None] = {}
        self._hung = 0
        self._closed = False

    async def run(self, work: Callable[[], T]) -> T:
        """Do the work on a thread of the pool; cancelling takes it out of the queue.

        Raises:
            InferenceRefusedError: the queue is full, or it took longer than the time limit.
            RuntimeError: the work raised, and this says what.
        """
        job = _WorkItem(work)
        with self._changed:
            self._take(job)
        try:
            await asyncio.wait({job.outcome}, timeout=self._time_limit_s)
        finally:
            if not job.outcome.done():
                self._give_up(job)
        if job.outcome.cancelled():
            raise InferenceRefusedError("no result within the time limit")
        result, error = job.outcome.result()
        if error is not None:
            raise RuntimeError(repr(error)) from error
        done: T = result
        return done

    def close(self, timeout_s: float = 1.0) -> None:
        """Refuse further work and wait for what runs, at most this long."""
        with self._changed:
            self._closed = True
            self._queue.clear()
            self._changed.notify_all()
            workers = list(self._workers)
        deadline = time.monotonic() + timeout_s
        for worker in workers:
            worker.join(max(0.0, deadline - time.monotonic()))

    def _take(self, job: _WorkItem) -> None:
        self._abandon_hung()
        while len(self._workers) < self._threads and self._hung < self._max_hung:
            worker = threading.Thread(target=self._work, name="deescalate-inference", daemon=True)
            worker.start()
            self._workers[worker] = None
        if self._closed or not self._workers or len(self._queue) >= self._queue_limit:
            self.counts["refused"] += 1
            raise InferenceRefusedError("the queue is full")
        self._queue.append(job)
        self._changed.notify()

    def _give_up(self, job: _WorkItem) -> None:
        job.outcome.cancel()
        with self._changed:
            if job in self._queue:
                self._queue.remove(job)
                self.counts["overdue"] += 1
            self._abandon_hung()

    def _abandon_hung(self) -> None:
        """Abandon each thread that has run for longer than the limit, or is gone."""
        now = time.monotonic()
        for worker, job in list(self._workers.items()):
            if not worker.is_alive():  # after a fork, in the child
                del self._workers[worker]
            elif job is not None and now - job.started_at >= self._time_limit_s:
                del self._workers[worker]
                self._hung += 1
                self.counts["hung"] += 1
                if self.counts["hung"] == 1:
                    log.error("model hangs; its thread is replaced", after_s=self._time_limit_s)

    def _work(self) -> None:
        me = threading.current_thread()
        _let_audio_go_first()
        while True:
            with self._changed:
                while not self._queue and not self._closed:
                    self._changed.wait()
                if self._closed:
                    return
                job = self._workers[me] = self._queue.popleft()
                job.started_at = time.monotonic()
            job.run()
            with self._changed:
                self.counts["done"] += 1
                if me not in self._workers:
                    self._hung -= 1
                    return
                self._workers[me] = None


def _let_audio_go_first() -> None:
    """Lower this thread's priority where threads have one of their own."""
    if sys.platform == "linux":
        me = threading.get_native_id()
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, me, os.getpriority(os.PRIO_PROCESS, me) + NICENESS)


@lru_cache(maxsize=1)
def shared_pool() -> InferencePool:
    """The process's own pool; it is closed when the interpreter ends."""
    pool = InferencePool()
    atexit.register(pool.close)  # a thread inside onnxruntime at that point would abort
    return pool


async def classify_turn(
    audio: TurnAudio,
    classifier: EmotionClassifier,
    pool: InferencePool,
    faults: Faults,
    with_attributes: bool,
) -> VoiceTurn | None:
    """Classify a turn on the threads of a pool; a failure is a fault, and nothing raises.

    `with_attributes` measures pitch, level and speaking rate too, for the note to the human.
    None if the pool gave it up: the turn stays unknown.
    """
    if not audio.samples.size:
        return _unknown(audio, classifier.name, UnknownReason.TOO_SHORT)
    work = partial(classify_voice, audio, classifier, with_attributes=with_attributes)
    try:
        return _checked(await pool.run(work))
    except InferenceRefusedError as error:
        faults.report("refused", "reading dropped; the model is too busy or hangs", error)
    except Exception as error:  # noqa: BLE001 - whatever a model does, the call goes on
        faults.report("model", "the model failed; the reading is unknown", error.__cause__ or error)
        return _unknown(audio, classifier.name, UnknownReason.MODEL_FAILED)
    return None


def _unknown(audio: TurnAudio, model: str, reason: UnknownReason) -> VoiceTurn:
    voice = EmotionReading(None, model, len(audio.samples) / audio.sample_rate, 0.0, reason)
    return VoiceTurn(audio.index, audio.started_at_s, audio.ended_at_s, None, voice)


def _checked(found: VoiceTurn) -> VoiceTurn:
    """What a classifier of anyone's making said, if it is a reading.

    Raises:
        TypeError, ValueError: it is not.
    """
    voice: object = found.voice
    if not isinstance(voice, EmotionReading):
        raise TypeError(f"a classifier returns an EmotionReading, not {type(voice).__name__}")
    if voice.p_negative is not None and not 0.0 <= voice.p_negative <= 1.0:
        raise ValueError("p_negative is not a probability")
    if not all(0.0 <= p <= 1.0 for p in voice.timeline):
        raise ValueError("timeline holds something else than probabilities")
    if not all(-1.0 <= value <= 1.0 for value in (voice.arousal or 0.0, voice.valence or 0.0)):
        raise ValueError("arousal or valence is not in [-1, 1]")
    return found
