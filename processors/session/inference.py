"""A few threads for every call's inference: bounded, and never blocked for good by a hung model."""

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
from functools import lru_cache
from typing import TypeVar

from ...models.errors import DeescalateError
from ...models.logs import get_logger
from .job import WorkItem

NICENESS = 10  # of a thread that infers, above that of its process

T = TypeVar("T")

log = get_logger("pool")


class InferenceRefusedError(DeescalateError):
    """The pool could not read a turn in time: its queue is full, or the model hangs."""


class InferencePool:
    """Fixed threads with a bounded queue, shared by all calls of a process.

    Work that finds the queue full is refused at once. Work that is not done within
    `time_limit_s` is given up: if it waits it is taken out of the queue, if it runs its thread is
    left to itself and replaced, at most `max_hung` times at once, after which all work is refused
    until a hung one returns. Threads are daemons: none of them keeps a process alive. On Linux they
    let the call's own threads go first, since a late reading harms less than late audio. `counts`
    has `done`, `refused`, `overdue` (taken out of the queue) and `hung`.
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
        self._queue: deque[WorkItem] = deque()
        self._workers: dict[threading.Thread, WorkItem | None] = {}
        self._hung = 0
        self._closed = False

    async def run(self, work: Callable[[], T]) -> T:
        """Do the work on a thread of the pool; cancelling takes it out of the queue.

        Raises:
            InferenceRefusedError: the queue is full, or it took longer than the time limit.
            RuntimeError: the work raised, and this says what.
        """
        job = WorkItem(work)
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

    def _take(self, job: WorkItem) -> None:
        self._leave_hung()
        while len(self._workers) < self._threads and self._hung < self._max_hung:
            worker = threading.Thread(target=self._work, name="deescalate-inference", daemon=True)
            worker.start()
            self._workers[worker] = None
        if self._closed or not self._workers or len(self._queue) >= self._queue_limit:
            self.counts["refused"] += 1
            raise InferenceRefusedError("the queue is full")
        self._queue.append(job)
        self._changed.notify()

    def _give_up(self, job: WorkItem) -> None:
        job.outcome.cancel()
        with self._changed:
            if job in self._queue:
                self._queue.remove(job)
                self.counts["overdue"] += 1
            self._leave_hung()

    def _leave_hung(self) -> None:
        """Leave every thread to itself that has run for longer than the limit, or is gone."""
        now = time.monotonic()
        for worker, job in list(self._workers.items()):
            if not worker.is_alive():  # after a fork, in the child
                del self._workers[worker]
            elif job is not None and now - job.started_at >= self._time_limit_s:
                del self._workers[worker]
                self._hung += 1
                self.counts["hung"] += 1
                if self.counts["hung"] == 1:
                    log.error("model hangs, its thread is replaced", after_s=self._time_limit_s)

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
