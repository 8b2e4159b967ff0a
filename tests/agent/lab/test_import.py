"""`calls import`, `label select` and `label agreement`: from recordings to turns to figures."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipecat_deescalate.agent.console import UsageError
from pipecat_deescalate.agent.lab.import_calls import run_import
from pipecat_deescalate.agent.lab.label_agreement import run_agreement
from pipecat_deescalate.agent.lab.select_turns import run_selection
from pipecat_deescalate.agent.replay.call import analyze_call
from pipecat_deescalate.models.audio.recording import CallerChannel
from pipecat_deescalate.models.files import OutputError
from pipecat_deescalate.models.lab.annotation.call_table import CallsError, CallTurn
from pipecat_deescalate.models.lab.annotation.selection import Sampling
from pipecat_deescalate.models.lab.annotation.validation import load_calls

from ...audio import CALLS, CALM, ESCALATING, noise, write_audio
from ...commands import deescalate
from ...disk import no_file_over

LEFT = CallerChannel.LEFT


def bring(out: Path, *sources: Path, **changed: Any) -> int:
    options: dict[str, Any] = {
        "caller_channel": LEFT,
        "transcripts": None,
        "recordings": None,
        "language": "en",
        "as_json": True,
    }
    return run_import(sources, out=out, **{**options, **changed})


def turns(path: Path) -> list[CallTurn]:
    with load_calls([path]) as calls:
        return [turn for call in calls.each() for turn in call.turns]


def test_a_stereo_recording_becomes_turns_of_both(tmp_path: Path) -> None:
    """The caller's turns are those of `analyze`; the other channel is the bot's."""
    out = tmp_path / "calls.parquet"
    assert bring(out, CALM) == 0
    found = turns(out)
    record = analyze_call(CALM, caller_channel=LEFT)
    expected = [
        (round(turn.reading.started_at_s, 3), round(turn.reading.ended_at_s, 3))
        for turn in record.turns
    ]
    callers = [turn for turn in found if turn.speaker == "caller"]
    assert [(turn.start_s, turn.end_s) for turn in callers] == expected
    assert {turn.channel for turn in callers} == {"left"}
    assert {turn.channel for turn in found if turn.speaker == "bot"} == {"right"}
    assert [turn.turn for turn in found] == list(range(len(found)))
    assert all(turn.p_negative is not None for turn in callers)
    assert turns(out)[0].audio is not None
    assert (out.parent / str(found[0].audio)).resolve() == CALM.resolve()


def test_a_transcript_gives_words_states_and_requests(tmp_path: Path) -> None:
    """Selection by reprompts and requests for a human lives on these."""
    out = tmp_path / "calls.jsonl"
    assert bring(out, ESCALATING, transcripts=CALLS) == 0
    found = turns(out)
    assert [turn.speaker for turn in found] == ["bot", "caller"] * 5
    assert all(turn.text for turn in found)
    assert all(turn.dialog_state == f"prompt-{turn.turn // 2 + 1}" for turn in found)
    assert [turn.events for turn in found if turn.speaker == "caller"][-1] == ("agent_request",)


def test_a_services_transcript_is_imported_by_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A transcript of other case, form or times gave turns without words, and no warning."""
    words = tmp_path / "words"
    words.mkdir()
    lines = [{"speaker": "A", "start": 4400, "end": 7000, "text": "a human"}]
    lines += [{"speaker": "B", "start": 500, "end": 3000, "text": "hello"}]
    lines += [{"speaker": "A", "start": 900_000, "end": 901_000, "text": "bye"}]
    (words / "Synthetic_Escalating.json").write_text(json.dumps({"utterances": lines}))
    (words / "other.vtt").touch()
    out = tmp_path / "calls.jsonl"
    assert bring(out, ESCALATING, CALM, transcripts=words, caller_speaker="A") == 0
    found = [turn for turn in turns(out) if turn.text]
    assert [(turn.speaker, turn.text) for turn in found] == [
        ("agent", "hello"),
        ("caller", "a human"),
    ]
    said = capsys.readouterr().err
    assert "1 of the caller's 2 lines in the transcript fit no turn" in said
    assert "transcripts that match no call: other.vtt" in said
    assert "calls without a transcript: 1" in said


def test_records_of_calls_become_turns(tmp_path: Path) -> None:
    """What live bots write must be there to be chosen from, with its audio where there is some."""
    record = analyze_call(
        ESCALATING, caller_channel=LEFT, transcript=CALLS / "synthetic_escalating.jsonl"
    )
    recorded = record.to_dict()
    live = {**recorded, "call_id": "live-1", "source": "live"}
    source, out = tmp_path / "records.jsonl", tmp_path / "calls.jsonl"
    source.write_text(f"{json.dumps(recorded)}\n{json.dumps(live)}\n")
    assert bring(out, source) == 0
    found = turns(out)
    assert len(found) == 10
    assert {turn.outcome for turn in found} == {"transferred"}
    assert {(turn.call_id, turn.audio is None, turn.channel) for turn in found} == {
        ("synthetic_escalating", False, "left"),
        ("live-1", True, None),
    }
    assert {turn.text for turn in found} == {None}
    (tmp_path / "recordings").mkdir()
    shutil.copy(ESCALATING, tmp_path / "recordings" / "live-1.ogg")
    assert bring(out, source, recordings=tmp_path / "recordings") == 0
    assert {turn.audio for turn in turns(out) if turn.call_id == "live-1"} == {
        "recordings/live-1.ogg"
    }
    for turn in recorded["turns"]:  # as in older records without this field
        for key in ("arousal", "valence", "timeline"):
            del turn["voice"][key]
    source.write_text(json.dumps(recorded))
    assert bring(tmp_path / "older.jsonl", source) == 0
    assert [turn.p_negative for turn in turns(tmp_path / "older.jsonl")] == [
        turn.p_negative for turn in found[:5]
    ]
    del live["turns"][0]["voice"]
    source.write_text(f"{json.dumps(recorded)}\n{json.dumps(live)}\n")
    assert bring(tmp_path / "none.jsonl", source) == 1
    assert not (tmp_path / "none.jsonl").exists()


def test_a_turn_that_is_silent_in_its_recording_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Silence that is labelled as an angry turn spoils whatever is trained on it."""
    record = analyze_call(ESCALATING, caller_channel=LEFT).to_dict()
    live = {**record, "call_id": "live-1", "source": "live", "turns": record["turns"][:2]}
    live["turns"][0].update(started_at_s=0.0, ended_at_s=1.0)
    source, out = tmp_path / "records.jsonl", tmp_path / "calls.jsonl"
    source.write_text(json.dumps(live))
    silence, sound = np.zeros(8_000, np.float32), noise(4.0, 8_000)
    write_audio(tmp_path / "live-1.wav", np.r_[silence, silence, sound], 8_000, "pcm16.wav")
    assert bring(out, source, recordings=tmp_path, caller_channel=None) == 1
    error = capsys.readouterr().err
    assert "live-1.wav" in error
    assert "call live-1" in error
    assert "turn 0" in error
    live["turns"][0].update(started_at_s=2.0, ended_at_s=3.0)
    live["turns"][1].update(started_at_s=3.0, ended_at_s=4.0)
    source.write_text(json.dumps(live))
    assert bring(out, source, recordings=tmp_path, caller_channel=None) == 0


def test_a_table_keeps_its_recordings_when_it_moves(tmp_path: Path) -> None:
    """A converted table in another folder must still name the same files."""
    (tmp_path / "elsewhere").mkdir()
    source = tmp_path / "calls.jsonl"
    row = {"call_id": "a", "turn": 0, "speaker": "caller", "start_s": 0, "end_s": 1}
    source.write_text(json.dumps({**row, "audio": "wavs/a.wav"}))
    out = tmp_path / "elsewhere" / "calls.parquet"
    assert bring(out, source) == 0
    assert turns(out)[0].audio == "../wavs/a.wav"


def test_one_bad_source_costs_no_other(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A silent recording and a missing one are named; the good one is imported."""
    silent = write_audio(
        tmp_path / "silent.wav", np.zeros((16_000, 2), np.float32), 8_000, "pcm16.wav"
    )
    out = tmp_path / "calls.jsonl"
    assert bring(out, silent, CALM, tmp_path / "missing.jsonl") == 2
    errors = capsys.readouterr().err.splitlines()
    assert [line.partition(": ")[2].partition(": ")[0] for line in errors] == [
        str(silent),
        str(tmp_path / "missing.jsonl"),
    ]
    assert {turn.call_id for turn in turns(out)} == {CALM.stem}


def test_a_call_that_is_there_twice_stops_the_import(tmp_path: Path) -> None:
    """Two recordings of one name would become one call with all turns twice."""
    source = tmp_path / "calls.jsonl"
    source.write_text('{"call_id": "a", "turn": 0, "speaker": "caller"}')
    other = tmp_path / "other.jsonl"
    other.write_bytes(source.read_bytes())
    with pytest.raises(CallsError, match="call a is also in"):
        bring(tmp_path / "out.jsonl", source, other)
    assert not (tmp_path / "out.jsonl").exists()


def test_no_source_is_written_over(tmp_path: Path) -> None:
    """The only table of a year's calls must not become its own selection."""
    calls = tmp_path / "calls.jsonl"
    calls.write_text('{"call_id": "a", "turn": 0, "speaker": "caller"}')
    before = calls.read_bytes()
    with pytest.raises(UsageError, match="is one of the sources"):
        bring(calls, calls)
    with pytest.raises(UsageError, match="is one of the tables"):
        run_selection(
            [calls], out=calls, rules=None, sampling=Sampling(), as_json=True, report=None
        )
    assert calls.read_bytes() == before


def test_records_without_turns_are_no_table(tmp_path: Path) -> None:
    """A table that did not appear must be explained."""
    source = tmp_path / "records.jsonl"
    source.write_text(
        '{"schema": "deescalate.call/1", "call_id": "a", "source": "live", "turns": []}'
    )
    with pytest.raises(CallsError, match="there are no turns in these calls"):
        bring(tmp_path / "out.jsonl", source)


def test_a_selection_is_written_whole_and_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The report and the file must agree."""
    calls, out = tmp_path / "calls.jsonl", tmp_path / "chosen.jsonl"
    rows = [
        {"call_id": "a", "turn": n, "speaker": "caller", "dialog_state": "pay"}
        | {"audio": "a.wav", "start_s": n, "end_s": n + 0.5}
        for n in range(6)
    ]
    calls.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    sampling = Sampling(random=0, negatives=1)
    run_selection([calls], out=out, rules=None, sampling=sampling, as_json=True, report=None)
    report = json.loads(capsys.readouterr().out)
    assert len(out.read_text().splitlines()) == report["chosen"]
    assert (report["targeted"], report["negatives"], report["chosen"]) == (4, 2, 6)
    assert {rule["name"]: rule["found"] for rule in report["rules"]}["reprompts"] == 4
    with pytest.raises(OutputError, match="nowhere"):
        run_selection(
            [calls],
            out=tmp_path / "nowhere" / "chosen.jsonl",
            rules=None,
            sampling=sampling,
            as_json=True,
            report=None,
        )
    run_selection([calls], out=out, rules=None, sampling=sampling, as_json=False, report=None)
    assert "The third and each later answer" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("out", ["out.jsonl", "out.parquet", "chosen.jsonl"])
def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path: Path, out: str) -> None:
    """Half a table would be read for a whole one."""
    source, target = tmp_path / "calls.jsonl", tmp_path / out
    row = {"call_id": "a", "speaker": "caller", "audio": "a.wav"}
    rows = [row | {"turn": n, "start_s": n, "end_s": n + 0.5} for n in range(900)]
    source.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    command = "label select" if out == "chosen.jsonl" else "calls import"
    with no_file_over(3_000):
        full = deescalate(*command.split(), source, "--out", target)
    assert full.returncode == 2
    assert full.stderr.startswith(f"deescalate: {target}: cannot be written: ")
    assert len(full.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == [source]


def test_an_import_that_is_stopped_leaves_nothing(tmp_path: Path) -> None:
    """What a service manager stops must not leave its scraps beside the table each night."""
    sources = [tmp_path / f"{number}.ogg" for number in range(40)]
    for source in sources:
        shutil.copy(CALM, source)
    (tmp_path / "made").mkdir()
    run = subprocess.Popen(  # noqa: S603 - our own command
        [
            *(sys.executable, "-m", "pipecat_deescalate.agent", "calls", "import"),
            *map(str, sources),
            *("--caller-channel", "left", "--out", str(tmp_path / "made" / "a.jsonl")),
        ]
    )
    give_up = time.monotonic() + 60
    while not list((tmp_path / "made").iterdir()):
        assert run.poll() is None, "the run ended before it could be stopped"
        assert time.monotonic() < give_up
        time.sleep(0.01)
    run.send_signal(signal.SIGTERM)
    assert run.wait(30) == 128 + signal.SIGTERM
    assert not list((tmp_path / "made").iterdir())


def label(turn: int, annotator: str, said: str, **more: object) -> str:
    return json.dumps({"call_id": "a", "turn": turn, "annotator": annotator, "label": said} | more)


def test_agreement_is_shown_to_people_and_to_programs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The table for the eye and the JSON hold the same figures; what is undefined is null."""
    human, model = tmp_path / "human.jsonl", tmp_path / "model.jsonl"
    classes = ["negative"] * 3 + ["non_negative"] * 5
    human.write_text("\n".join(label(n, "anna", said) for n, said in enumerate(classes)))
    model.write_text(
        "\n".join(
            [label(n, "m", said, strategy="simple", context=0) for n, said in enumerate(classes)]
            + [label(n, "m", "non_negative", strategy="cot_context", context=3) for n in range(8)]
        )
    )
    run_agreement([model], reference=human, as_json=True, out=None)
    found = json.loads(capsys.readouterr().out)
    figures = {row["source"]["strategy"]: row for row in found["against_reference"]}
    assert figures["simple"]["kappa"]["value"] == 1
    assert figures["cot_context"]["accuracy"] == 5 / 8
    assert figures["cot_context"]["negative"]["precision"] is None
    assert found["between"][0]["kappa"]["value"] == 0
    run_agreement([model], reference=human, as_json=False, out=None)
    assert "cot_context" in capsys.readouterr().out
    with pytest.raises(CallsError, match="the reference must have one source"):
        run_agreement([human], reference=model, as_json=True, out=None)
    with pytest.raises(CallsError, match="no turn was labelled by two"):
        run_agreement([human], reference=None, as_json=True, out=None)
