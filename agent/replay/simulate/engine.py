"""The evidence stage on one machine: a pool of processes, any of which may die.

A worker that dies (killed, or by a crash in a decoder) breaks its pool. The calls in flight are
then retried, each in its own process; a call that kills that one too is poisoned: it is reported
and skipped, and the others go on.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from itertools import islice
from multiprocessing.process import BaseProcess
from typing import Protocol

from .call_source import Task
from .recording_evidence import EvidenceSettings, Row, extract_all, failed_row, preload

Chunk = tuple[Task, ...]


class Tasks(Protocol):
    """Calls without evidence: iterable, with a known number."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Task]: ...


Engine = Callable[[Tasks, EvidenceSettings], Iterator[list[Row]]]
"""Extracts the evidence of all calls; yields rows as they are ready, in any order."""

_CHUNKS_AHEAD = 2
"""The number of chunks queued for each worker."""
_CALLS_PER_CHUNK = 16
"""A killed run repeats at most this many calls per worker."""


def chunks(tasks: Tasks, workers: int) -> Iterator[Chunk]:
    """Split the calls for the workers; chunks shrink as fewer calls are left.

    So no worker is busy for long after the others have finished (guided self-scheduling,
    Polychronopoulos and Kuck, 1987).
    """
    left, calls = len(tasks), iter(tasks)
    while chunk := tuple(islice(calls, max(1, min(_CALLS_PER_CHUNK, left // (4 * workers))))):
        left -= len(chunk)
        yield chunk


def extract_locally(tasks: Tasks, settings: EvidenceSettings, workers: int) -> Iterator[list[Row]]:
    """Extract evidence in this many processes; one means the calling process itself."""
    todo = chunks(tasks, workers)
    if workers == 1:
        for chunk in todo:
            yield extract_all(chunk, settings)
        return
    while True:
        in_flight: list[Task] = []
        yield from _in_a_pool(todo, settings, workers, in_flight)
        if not in_flight:
            return
        for task in in_flight:
            yield [_isolated(task, settings)]


def _in_a_pool(
    todo: Iterator[Chunk], settings: EvidenceSettings, workers: int, in_flight: list[Task]
) -> Iterator[list[Row]]:
    """Work until all is done, or until the pool breaks: then `in_flight` holds what was lost."""
    with _pool(workers, settings) as pool:
        running: dict[Future[list[Row]], Chunk] = {}
        _submit(pool, islice(todo, workers * _CHUNKS_AHEAD), settings, running, in_flight)
        while running and not in_flight:
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                chunk = running.pop(future)
                try:
                    rows = future.result()
                except BrokenProcessPool:
                    in_flight.extend(chunk)
                    continue
                yield rows
                if not in_flight:
                    _submit(pool, islice(todo, 1), settings, running, in_flight)
        in_flight.extend(task for chunk in running.values() for task in chunk)


def _submit(
    pool: ProcessPoolExecutor,
    todo: Iterable[Chunk],
    settings: EvidenceSettings,
    running: dict[Future[list[Row]], Chunk],
    in_flight: list[Task],
) -> None:
    for chunk in todo:
        try:
            running[pool.submit(extract_all, chunk, settings)] = chunk
        except BrokenProcessPool:
            in_flight.extend(chunk)


def _isolated(task: Task, settings: EvidenceSettings) -> Row:
    with _pool(1, settings) as pool:
        try:
            return pool.submit(extract_all, (task,), settings).result()[0]
        except BrokenProcessPool:
            return poisoned(task)


def poisoned(task: Task) -> Row:
    """The row of a call that kills even its own process."""
    return failed_row(task, f"{task.source.place}: ends the process that reads it; leave it out")


def _pool(workers: int, settings: EvidenceSettings) -> ProcessPoolExecutor:
    context = multiprocessing.get_context("spawn")  # a fork would share the sessions' threads
    return ProcessPoolExecutor(workers, context, partial(_start_worker, settings))


def _start_worker(settings: EvidenceSettings) -> None:
    """Load the models; exit silently when interrupted, or when the parent is killed."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    preload(settings)


def _end_with(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)
