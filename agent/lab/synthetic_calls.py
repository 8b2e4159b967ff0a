"""The `calls synthesize` command: labelled telephone calls, joined from a manifest of utterances.

Each call has one speaker, who is calm or becomes distressed. No corpus holds whole calls with real
distress; how a real caller gets there, synthetic calls cannot show.
"""

from __future__ import annotations

import csv
import io
import json
import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
import soundfile

from ...models.audio.recording import read_audio
from ...models.audio.samples import resample
from ...models.errors import DeescalateError
from ...models.files import whole_file
from ...models.lab.datasets import Clip, read_manifest
from ...models.lab.text_corpora import half_spoken, read_goemotions, read_text_recipe
from ...models.readings import SAMPLE_RATE, Samples
from ..console import stages

RATE = 8_000
_PAUSE_S = (1.6, 4.0)
"""Between two turns of the caller: the bot speaks."""
_LINE_SNR_DB = (20.0, 40.0)
_FIRST_DAY = datetime.fromisoformat("2026-03-02T08:00:00+00:00")
_DAYS, _OPEN_S = 5, 12 * 3600
_LABEL = ("call_id", "distressed", "start_s", "end_s", "negative")
MANIFEST, LABELS, TRANSCRIPTS = "calls.csv", "labels.csv", "transcripts"

Item = TypeVar("Item")
Speakers = Mapping[str, Mapping[str, Mapping[bool, Sequence[Item]]]]
"""By corpus and speaker: the items that are negative, and those that are not."""
Phrases = dict[bool, list[str]]


class SyntheticCallsError(DeescalateError):
    """These utterances cannot be joined into calls; the message says why."""


@dataclass(frozen=True, slots=True)
class CallShape:
    """The shortest and the longest call in turns, and how distress goes on.

    Distress starts in the middle third with a negative turn; `share_of_distress` of the turns after
    it are negative.
    """

    turns: tuple[int, int] = (6, 10)
    share_of_distress: float = 0.6


@dataclass(frozen=True, slots=True)
class PlannedTurn(Generic[Item]):
    """What is said in one turn, and whether it is negative."""

    item: Item
    negative: bool


@dataclass(frozen=True, slots=True)
class PlannedCall(Generic[Item]):
    """One call: its speaker and turns. `seed` is its own, for everything else that is drawn."""

    number: int
    corpus: str
    speaker: str
    distressed: bool
    turns: tuple[PlannedTurn[Item], ...]
    seed: str


@dataclass(frozen=True, slots=True)
class SyntheticCall:
    """A call as it would be recorded: 8 kHz, and for each turn (start, end, negative)."""

    samples: Samples
    turns: tuple[tuple[float, float, bool], ...]
    started_at: datetime


def group_by_speaker(
    items: Iterable[Item], key: Callable[[Item], tuple[str, str, bool]]
) -> Speakers[Item]:
    """Group items; `key` returns an item's corpus, speaker and whether it is negative.

    Speakers without items of both classes are left out.
    """
    found: dict[str, dict[str, dict[bool, list[Item]]]] = defaultdict(
        lambda: defaultdict(lambda: {True: [], False: []})
    )
    for item in items:
        corpus, speaker, negative = key(item)
        found[corpus][speaker][negative].append(item)
    both = {
        corpus: {name: classes for name, classes in speakers.items() if all(classes.values())}
        for corpus, speakers in found.items()
    }
    return {corpus: speakers for corpus, speakers in both.items() if speakers}


def plan_calls(
    speakers: Speakers[Item],
    *,
    calls: int,
    distressed: float,
    seed: int,
    shape: CallShape | None = None,
) -> Iterator[PlannedCall[Item]]:
    """Plan calls; `distressed` is the share (rounded, spread evenly), all corpora equally likely.

    Each call has a seed of its own, so it is the same however many others there are.
    """
    shape = shape or CallShape()
    for number in range(calls):
        own = f"{seed}/{number}"
        rng = random.Random(own)  # noqa: S311 - a draw of turns, not security
        corpus = rng.choice(sorted(speakers))
        speaker = rng.choice(sorted(speakers[corpus]))
        bad = int((number + 1) * distressed + 0.5) > int(number * distressed + 0.5)
        items = speakers[corpus][speaker]
        turns = tuple(
            PlannedTurn(rng.choice(items[negative]), negative)
            for negative in _pattern(bad, shape, rng)
        )
        yield PlannedCall(number, corpus, speaker, bad, turns, own)


def _pattern(distressed: bool, shape: CallShape, rng: random.Random) -> list[bool]:
    """For each turn whether it is negative."""
    turns = rng.randint(*shape.turns)
    onset = rng.randint(turns // 3, 2 * turns // 3)
    share = shape.share_of_distress
    return [
        distressed and (turn == onset or (turn > onset and rng.random() < share))
        for turn in range(turns)
    ]


def write_synthetic_calls(
    manifest: Path,
    out: Path,
    *,
    split: str,
    calls: int,
    distressed: float,
    seed: int,
    texts: Path | None = None,
) -> None:
    """Write the recordings (mu-law WAV), `calls.csv` and `labels.csv` into a folder.

    With `texts` (GoEmotions' folder) each turn also gets a text of the same label in
    `transcripts/`, half of them as speech recognition may return them. The same arguments give
    the same calls.

    Raises:
        SyntheticCallsError: the split has no speaker with utterances of both classes.
        DeescalateError: the manifest or an utterance cannot be read, or the folder not written.
    """
    out.mkdir(parents=True, exist_ok=True)
    plans = _plan(manifest, split=split, calls=calls, distressed=distressed, seed=seed)
    phrases = _phrases(texts) if texts is not None else None
    with ExitStack() as stack, stages() as progress:
        listing = _table(stack, out / MANIFEST, "path", "call_id", "started_at", "corpus")
        labels = _table(stack, out / LABELS, *_LABEL)
        for done, plan in enumerate(plans, 1):
            call_id = f"call-{plan.number:06}"
            call = _render(plan)
            _write_recording(out / f"{call_id}.wav", call.samples)
            listing([f"{call_id}.wav", call_id, call.started_at.isoformat(), plan.corpus])
            for start_s, end_s, negative in call.turns:
                labels(
                    [call_id, int(plan.distressed), f"{start_s:.3f}", f"{end_s:.3f}", int(negative)]
                )
            if phrases is not None:
                _write_transcript(out / TRANSCRIPTS / f"{call_id}.jsonl", plan, call, phrases)
            progress("rendering", done, calls)


def _plan(
    manifest: Path, *, split: str, calls: int, distressed: float, seed: int
) -> Iterator[PlannedCall[Clip]]:
    clips = [clip for clip in read_manifest(manifest) if clip.split == split]
    speakers = group_by_speaker(
        clips, lambda clip: (clip.corpus, clip.speaker, bool(clip.negative))
    )
    if not speakers:
        raise SyntheticCallsError(
            f"{manifest}: split {split} has no speaker with turns of both classes"
        )
    return plan_calls(speakers, calls=calls, distressed=distressed, seed=seed)


def _render(plan: PlannedCall[Clip]) -> SyntheticCall:
    """Join the utterances at 8 kHz with pauses, over the noise of a line."""
    rng = np.random.default_rng(list(plan.seed.encode()))
    pieces: list[Samples] = []
    turns: list[tuple[float, float, bool]] = []
    at = 0
    for turn in plan.turns:
        pause = np.zeros(int(rng.uniform(*_PAUSE_S) * RATE), np.float32)
        said = resample(read_audio(turn.item.path), SAMPLE_RATE, RATE)
        at += pause.size
        turns.append((at / RATE, (at + said.size) / RATE, turn.negative))
        at += said.size
        pieces += [pause, said]
    call = np.concatenate([*pieces, np.zeros(RATE, np.float32)])
    level = float(np.sqrt(np.mean(np.square(call[call != 0])))) if call.any() else 0.0
    hiss = level * 10 ** (-rng.uniform(*_LINE_SNR_DB) / 20)
    noisy = call + rng.normal(0.0, hiss, call.size).astype(np.float32)
    moment = timedelta(days=int(rng.integers(_DAYS)), seconds=int(rng.integers(_OPEN_S)))
    return SyntheticCall(np.clip(noisy, -1, 1), tuple(turns), _FIRST_DAY + moment)


def _phrases(folder: Path) -> Phrases:
    """GoEmotions' test split by class. Raises UnreadableInputError."""
    corpus = read_goemotions(folder, "test", read_text_recipe().negative_labels)
    found: Phrases = {True: [], False: []}
    for text, negative in zip(corpus.texts, corpus.negative, strict=True):
        found[bool(negative)].append(text)
    return found


def _write_transcript(
    path: Path, plan: PlannedCall[Clip], call: SyntheticCall, phrases: Phrases
) -> None:
    """Write what the caller says in a call. Raises OutputError."""
    rng = random.Random(f"{plan.seed}/words")  # noqa: S311 - a draw of texts, not security
    path.parent.mkdir(exist_ok=True)
    with whole_file(path) as file:
        for start_s, end_s, negative in call.turns:
            said = half_spoken(rng.choice(phrases[negative]), rng)
            line = {"start_s": start_s, "end_s": end_s, "speaker": "caller", "text": said}
            file.write(f"{json.dumps(line, ensure_ascii=False)}\n".encode())


def _write_recording(path: Path, samples: Samples) -> None:
    with whole_file(path) as file:
        soundfile.write(file, samples, RATE, format="WAV", subtype="ULAW")


def _table(stack: ExitStack, path: Path, *columns: str) -> Callable[[Sequence[object]], object]:
    """A CSV file that takes a row a call."""
    file = stack.enter_context(whole_file(path))
    text = stack.enter_context(io.TextIOWrapper(file, encoding="utf-8", newline=""))
    table = csv.writer(text)
    table.writerow(columns)
    return table.writerow
