"""The `assemble` command: labelled calls as telephone recordings, from a manifest of utterances."""

from __future__ import annotations

import csv
import io
import json
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import soundfile

from ...models.audio.recording import read_audio, resample
from ...models.errors import DeescalateError
from ...models.files import whole_file
from ...models.lab.datasets import Clip, read_manifest
from ...models.lab.text_corpora import read_goemotions, read_text_recipe, spoken
from ...models.readings import Samples
from ..console import stages
from .call_plans import PlannedCall, plan_calls, voices

RATE = 8_000
_PAUSE_S = (1.6, 4.0)
"""Between two turns of the caller: the bot speaks."""
_LINE_SNR_DB = (20.0, 40.0)
_FIRST_DAY = datetime.fromisoformat("2026-03-02T08:00:00+00:00")
_DAYS, _OPEN_S = 5, 12 * 3600
_LABEL = ("call_id", "distressed", "start_s", "end_s", "negative")
MANIFEST, LABELS, TRANSCRIPTS = "calls.csv", "labels.csv", "transcripts"


class AssemblyError(DeescalateError):
    """Calls cannot be put together from these utterances; the message says why."""


@dataclass(frozen=True, slots=True)
class AssembledCall:
    """A call as it would be recorded: 8 kHz, and for each turn (start, end, negative)."""

    samples: Samples
    turns: tuple[tuple[float, float, bool], ...]
    started_at: datetime


def assemble(
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

    With `texts` (GoEmotions' folder) each turn also gets a text of the same label, half of them as
    a recogniser would give them, in `transcripts/`. The same arguments give the same calls.

    Raises:
        AssemblyError: the split has no speaker with utterances of both kinds.
        DeescalateError: the manifest or an utterance cannot be read, or the folder not written.
    """
    out.mkdir(parents=True, exist_ok=True)
    plans = planned(manifest, split=split, calls=calls, distressed=distressed, seed=seed)
    phrases = read_phrases(texts) if texts is not None else None
    with ExitStack() as stack, stages() as progress:
        listing = _table(stack, out / MANIFEST, "path", "call_id", "started_at", "corpus")
        labels = _table(stack, out / LABELS, *_LABEL)
        for done, plan in enumerate(plans, 1):
            call_id = f"call-{plan.number:06}"
            call = rendered(plan)
            _write_recording(out / f"{call_id}.wav", call.samples)
            listing([f"{call_id}.wav", call_id, call.started_at.isoformat(), plan.corpus])
            for start_s, end_s, negative in call.turns:
                labels(
                    [call_id, int(plan.distressed), f"{start_s:.3f}", f"{end_s:.3f}", int(negative)]
                )
            if phrases is not None:
                write_transcript(out / TRANSCRIPTS / f"{call_id}.jsonl", plan, call, phrases)
            progress("assembling", done, calls)


def planned(
    manifest: Path, *, split: str, calls: int, distressed: float, seed: int
) -> Iterator[PlannedCall[Clip]]:
    """Plan calls from the utterances of one split of a manifest."""
    clips = [clip for clip in read_manifest(manifest) if clip.split == split]
    found = voices(clips, lambda clip: (clip.corpus, clip.speaker, bool(clip.negative)))
    if not found:
        raise AssemblyError(f"{manifest}: split {split} has no speaker with both kinds of turns")
    return plan_calls(found, calls=calls, distressed=distressed, seed=seed)


def rendered(plan: PlannedCall[Clip]) -> AssembledCall:
    """Let a planned call sound: the utterances at 8 kHz with pauses, over the noise of a line."""
    rng = np.random.default_rng(list(plan.seed.encode()))
    pieces: list[Samples] = []
    turns: list[tuple[float, float, bool]] = []
    at = 0
    for turn in plan.turns:
        pause = np.zeros(int(rng.uniform(*_PAUSE_S) * RATE), np.float32)
        said = resample(read_audio(turn.item.path), 16_000, RATE)
        at += pause.size
        turns.append((at / RATE, (at + said.size) / RATE, turn.negative))
        at += said.size
        pieces += [pause, said]
    call = np.concatenate([*pieces, np.zeros(RATE, np.float32)])
    level = float(np.sqrt(np.mean(np.square(call[call != 0])))) if call.any() else 0.0
    hiss = level * 10 ** (-rng.uniform(*_LINE_SNR_DB) / 20)
    noisy = call + rng.normal(0.0, hiss, call.size).astype(np.float32)
    moment = timedelta(days=int(rng.integers(_DAYS)), seconds=int(rng.integers(_OPEN_S)))
    return AssembledCall(np.clip(noisy, -1, 1), tuple(turns), _FIRST_DAY + moment)


Phrases = dict[bool, list[str]]


def read_phrases(folder: Path) -> Phrases:
    """GoEmotions' test split, negative and not. Raises UnreadableInputError."""
    corpus = read_goemotions(folder, "test", read_text_recipe().negative_labels)
    found: Phrases = {True: [], False: []}
    for text, negative in zip(corpus.texts, corpus.negative, strict=True):
        found[bool(negative)].append(text)
    return found


def write_transcript(
    path: Path, plan: PlannedCall[Clip], call: AssembledCall, phrases: Phrases
) -> None:
    """Write what the caller says in a call. Raises OutputError."""
    rng = random.Random(f"{plan.seed}/words")  # noqa: S311 - a draw of texts, not security
    path.parent.mkdir(exist_ok=True)
    with whole_file(path) as file:
        for start_s, end_s, negative in call.turns:
            text = rng.choice(phrases[negative])
            said = spoken(text, rng) if rng.random() < 0.5 else text
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
