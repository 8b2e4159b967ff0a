"""An annotation run: turns are cut, asked about and logged, many concurrently, each once."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ...errors import AudioError
from ...files import OutputError
from ...progress import Progress
from .call_table import Call
from .client import AnnotationResult, AnnotatorClient, EndpointError, NoAnswerError
from .clips import cut, encoded
from .labels import Label, Source
from .providers import Question
from .results_log import ResultsLog
from .strategies import Prompt


@dataclass(frozen=True, slots=True)
class TurnTask:
    """One turn, by its index in its call, and the prompts still to be asked about it."""

    at: int
    prompts: tuple[Prompt, ...]


@dataclass(frozen=True, slots=True)
class CallTask:
    """The turns of one call to be labelled; each has audio."""

    call: Call
    turns: tuple[TurnTask, ...]


@dataclass(slots=True)
class RunCounts:
    """The counts of a run so far; `failed` counts, by reason, the turns without an answer."""

    labelled: int = 0
    unparsable: int = 0
    asked_again: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    failed: Counter[str] = field(default_factory=Counter)

    @property
    def done(self) -> int:
        """Turns and prompts that are finished, with or without a label."""
        return self.labelled + self.unparsable + self.failed.total()

    def to_dict(self) -> dict[str, int | dict[str, int]]:
        """The counts by name."""
        return {
            "labelled": self.labelled,
            "unparsable": self.unparsable,
            "asked_again": self.asked_again,
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
            "failed": dict(self.failed),
        }


@dataclass(frozen=True, slots=True)
class _Work:
    task: CallTask
    at: int
    prompt: Prompt
    wav: bytes


class AnnotationRun:
    """Asks a client about turns and appends the labels to a log.

    A turn without an answer is counted and left to the next run. `concurrency` bounds the requests
    in flight, and so what a killed run has paid for but not logged.
    """

    def __init__(
        self,
        client: AnnotatorClient,
        log: ResultsLog,
        *,
        annotator: str,
        context: int,
        concurrency: int,
        progress: Progress,
    ) -> None:
        self.counts = RunCounts()
        self._client = client
        self._log = log
        self._annotator = annotator
        self._context = context
        self._concurrency = concurrency
        self._progress = progress
        self._turns = 0
        self._work: asyncio.Queue[_Work | None] = asyncio.Queue(concurrency)
        self._labels: asyncio.Queue[Label | None] = asyncio.Queue(4 * concurrency)
        self._failed_in_a_row = 0
        self._unwritten: OutputError | None = None

    async def run(self, tasks: Sequence[CallTask]) -> None:
        """Label all turns of the tasks.

        Raises:
            EndpointError: the endpoint refuses, or too many turns in a row got no answer.
            OutputError: the log cannot be written. In both cases its content stays.
        """
        self._turns = sum(len(turn.prompts) for task in tasks for turn in task.turns)
        writer = asyncio.create_task(self._write())
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._feed(tasks))
                for _ in range(self._concurrency):
                    group.create_task(self._ask_all())
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None
        finally:  # answers are written, whatever happened
            await self._labels.put(None)
            await writer
        if self._unwritten is not None:
            raise self._unwritten

    async def _feed(self, tasks: Sequence[CallTask]) -> None:
        for task in tasks:
            fed = set[int]()
            clips = _clips(task)
            try:
                while (clip := await asyncio.to_thread(next, clips, None)) is not None:
                    turn, wav = clip
                    fed.add(turn.at)
                    for prompt in turn.prompts:
                        await self._work.put(_Work(task, turn.at, prompt, wav))
            except AudioError as error:
                left = [turn for turn in task.turns if turn.at not in fed]
                self._fail(str(error), sum(len(turn.prompts) for turn in left))
        for _ in range(self._concurrency):
            await self._work.put(None)

    async def _ask_all(self) -> None:
        while (work := await self._work.get()) is not None:
            question = Question(
                system=work.prompt.system,
                user=work.prompt.ask(work.task.call.turns, work.at, self._context),
                wav=work.wav,
                reasoning=work.prompt.reasoning,
            )
            try:
                asked = await self._client.ask(question)
            except NoAnswerError as error:
                self._failed_in_a_row += 1
                self._fail(str(error), 1)
                if self._failed_in_a_row >= max(8, self._concurrency):
                    raise EndpointError(
                        f"{self._failed_in_a_row} turns in a row got no answer ({error}); "
                        "run again later to continue"
                    ) from error
                continue
            self._failed_in_a_row = 0
            await self._labels.put(self._label(work, asked))
            if self._unwritten is not None:
                raise self._unwritten

    async def _write(self) -> None:
        """Write labels in batches: waiting for the disk takes as long for many as for one."""
        more = True
        while more:
            batch = [await self._labels.get()]
            while not self._labels.empty():
                batch.append(self._labels.get_nowait())
            more = batch[-1] is not None
            labels = [label for label in batch if label is not None]
            if self._unwritten is not None:
                continue
            try:
                await asyncio.to_thread(self._log.append, labels)
            except OutputError as error:
                self._unwritten = error
                continue
            for label in labels:
                self._count(label)
            self._progress("turns", self.counts.done, self._turns)

    def _count(self, label: Label) -> None:
        self.counts.labelled += label.label is not None
        self.counts.unparsable += label.label is None
        self.counts.asked_again += label.asked > 1
        self.counts.input_tokens += label.input_tokens
        self.counts.output_tokens += label.output_tokens

    def _fail(self, reason: str, count: int) -> None:
        self.counts.failed[reason] += count
        self._progress("turns", self.counts.done, self._turns)

    def _label(self, work: _Work, asked: AnnotationResult) -> Label:
        turn, answer = work.task.call.turns[work.at], asked.answer
        source = prompt_source(self._annotator, work.prompt, self._context)
        return Label(
            call_id=turn.call_id,
            turn=turn.turn,
            annotator=source.annotator,
            label=answer.label if answer else None,
            score=answer.p_negative if answer else None,
            reasoning=answer.reasoning if answer else None,
            strategy=source.strategy,
            context=source.context,
            prompt_version=work.prompt.version,
            prompt_hash=source.prompt_hash,
            answer=asked.unparsable,
            asked=asked.times,
            input_tokens=asked.input_tokens,
            output_tokens=asked.output_tokens,
        )


def prompt_source(annotator: str, prompt: Prompt, context: int) -> Source:
    """The source of the labels made with a prompt."""
    return Source(annotator, prompt.strategy.value, prompt.exchanges(context), prompt.sha256)


def _clips(task: CallTask) -> Iterator[tuple[TurnTask, bytes]]:
    """The turns of a call with their audio as WAV files, one pass over each recording."""
    by_recording: dict[object, list[TurnTask]] = {}
    for turn in task.turns:
        recording = task.call.recording(task.call.turns[turn.at])
        by_recording.setdefault(recording, []).append(turn)
    for turns in by_recording.values():
        found = task.call.recording(task.call.turns[turns[0].at])
        if found is None:
            raise AudioError(task.call.call_id, "has a turn without audio")
        spans_s = []
        for turn in turns:
            data = task.call.turns[turn.at]
            spans_s.append((data.start_s or 0.0, data.end_s or 0.0))
        for at, samples in cut(*found, spans_s):
            yield turns[at], encoded(samples, "WAV")
