"""The evidence stage on one machine: as many processes as it has cores, and none of them needed.

A worker that dies (killed, or by a crash in a decoder) takes its pool with it. The calls that were
under way then are heard again, each in a process of its own; a call that kills that one too is
written off, and the others go on.
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
    """Calls to hear: how many, and one after the other."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Task]: ...


Engine = Callable[[Tasks, EvidenceSettings], Iterator[list[Row]]]
"""Hears all calls, and gives the rows as they come, in any order."""

_AHEAD = 2
"""How many handfuls wait for each worker."""
_CALLS_PER_CHUNK = 16
"""How many calls of a worker are lost, to be heard again, when all is killed."""


def chunks(tasks: Tasks, workers: int) -> Iterator[Chunk]:
    """The calls as workers take them: fewer at a time the fewer are left.

    So no worker is busy for long when the others have nothing left (guided self-scheduling,
    Polychronopoulos and Kuck, 1987).
    """
    left, calls = len(tasks), iter(tasks)
    while chunk := tuple(islice(calls, max(1, min(_CALLS_PER_CHUNK, left // (4 * workers))))):
        left -= len(chunk)
        yield chunk


def extract_locally(tasks: Tasks, settings: EvidenceSettings, workers: int) -> Iterator[list[Row]]:
    """Hear calls in this many processes; with one, in this very process."""
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
    """Hear until all is done, or until the pool breaks: then `in_flight` were under way."""
    with _pool(workers, settings) as pool:
        running: dict[Future[list[Row]], Chunk] = {}
        _submit(pool, islice(todo, workers * _AHEAD), settings, running, in_flight)
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
    """The row of a call that ends even a process of its own."""
    return failed_row(task, f"{task.source.place}: ends the process that reads it; leave it out")


def _pool(workers: int, settings: EvidenceSettings) -> ProcessPoolExecutor:
    context = multiprocessing.get_context("spawn")  # a fork would share the sessions' threads
    return ProcessPoolExecutor(workers, context, partial(_start_worker, settings))


def _start_worker(settings: EvidenceSettings) -> None:
    """Load the models; end without a word when interrupted, or when the parent was killed."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    preload(settings)


def _end_with(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)
