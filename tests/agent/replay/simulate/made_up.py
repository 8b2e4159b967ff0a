"""Calls whose evidence is made up: thousands of labelled calls without a second of audio."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipecat_deescalate.agent.replay.simulate.evidence_cache import EvidenceCache
from pipecat_deescalate.agent.replay.simulate.find_calls import find_calls
from pipecat_deescalate.agent.replay.simulate.recording_evidence import EvidenceSettings, tasks_for

TURN_S = 4.0


@dataclass(frozen=True, slots=True)
class MadeUpCall:
    """A call by the log-likelihood ratios of its turns; each label is for the whole call."""

    distressed: bool
    turns: Sequence[float]


def write_calls(folder: Path, calls: Sequence[MadeUpCall]) -> tuple[Path, Path]:
    """Write empty recordings, labels.csv and the evidence; return the labels and the evidence."""
    folder.mkdir()
    labels, evidence = folder / "labels.csv", folder.parent / "evidence"
    by_id = {f"call-{number:05}": call for number, call in enumerate(calls)}
    labels.write_text(
        "call_id,distressed\n"
        + "".join(f"{name},{int(c.distressed)}\n" for name, c in by_id.items())
    )
    for name in by_id:
        (folder / f"{name}.wav").touch()
    tasks = tasks_for(find_calls([str(folder)]), EvidenceSettings())
    EvidenceCache(str(evidence)).add(
        [
            {
                "call_id": task.source.call_id,
                "evidence_key": task.evidence_key,
                "turns_key": task.turns_key,
                "duration_s": TURN_S * len(by_id[task.source.call_id].turns),
                "sample_rate": 8000,
                "model": "made up",
                "warnings": [],
                "envelope": bytes(20),
                "turns": [
                    {
                        "started_at_s": TURN_S * index + 1,
                        "ended_at_s": TURN_S * (index + 1),
                        "voice": 0.5,
                        "log_likelihood_ratio": ratio,
                        "cues": [],
                        "timeline": [0.5] * 4,
                    }
                    for index, ratio in enumerate(by_id[task.source.call_id].turns)
                ],
            }
            for task in tasks
        ]
    )
    return labels, evidence
