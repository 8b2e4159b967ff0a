"""A report to look into: six calls, two policies, and a caller with hostile words."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest

from pipecat_deescalate.agent.replay.simulate.call_detail import ReportContent
from pipecat_deescalate.agent.replay.simulate.command import Options, run_simulation
from pipecat_deescalate.agent.replay.simulate.statistics import caller_model

HOSTILE = "</script><img src=x onerror=document.title='taken'>"


def write_reports(calls: Path, folder: Path) -> None:
    """Write whole.html, with words and audio, and bare.html; one transcript is hostile."""
    transcripts = folder / "transcripts"
    transcripts.mkdir()
    line = {"start_s": 0, "end_s": 60, "speaker": "caller", "text": HOSTILE}
    (transcripts / "call-000000.jsonl").write_text(json.dumps(line) + "\n")
    for words in (False, True):
        options = Options(
            calls=[str(calls / "calls.csv")],
            policies=["balanced", "eager"],
            labels=str(calls / "labels.csv"),
            transcripts=str(transcripts),
            evidence=str(folder / "evidence"),
            workers=1,
            as_json=True,
            report=folder / f"{'whole' if words else 'bare'}.html",
            caller_model="bundled" if words else None,
            shown=ReportContent(words=words, audio=words),
        )
        with pytest.MonkeyPatch.context() as patch:
            # What is drawn is the same for few calls, and thousands take seconds.
            patch.setattr(
                caller_model, "sensitivities", partial(caller_model.sensitivities, calls=30)
            )
            assert run_simulation(options) == 0
