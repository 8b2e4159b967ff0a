"""The record of a call: to JSON and back, to a table, to a notebook."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipecat_deescalate import CallRecord, DeescalateError, MitigationPolicy, load_policy
from pipecat_deescalate.models.readings import (
    Cue,
    EmotionReading,
    TurnReading,
    UnknownReason,
    WordReading,
)
from pipecat_deescalate.policies import OpeningHours
from pipecat_deescalate.policies.record import TurnRecord
from pipecat_deescalate.policies.types import Action, Decision, Evidence, Level

P = st.floats(0, 1)
CUES = st.lists(st.tuples(st.sampled_from(Cue), st.text(max_size=9)), max_size=2).map(tuple)
READINGS = st.builds(
    EmotionReading,
    p_negative=st.none() | P,
    model=st.just("voice/3"),
    audio_s=st.floats(0, 40),
    inference_ms=st.floats(0, 1e3),
    reason=st.none() | st.sampled_from(UnknownReason),
    arousal=st.none() | st.floats(-1, 1),
    valence=st.none() | st.floats(-1, 1),
    timeline=st.lists(P, max_size=3).map(tuple),
)
TURNS = st.builds(
    TurnRecord,
    st.builds(
        Decision,
        action=st.sampled_from(Action),
        level=st.sampled_from(Level),
        reason=st.text(max_size=9),
        evidence=st.builds(
            Evidence,
            st.builds(
                TurnReading,
                index=st.integers(0, 99),
                started_at_s=st.floats(0, 1e4),
                ended_at_s=st.floats(0, 1e4),
                voice=READINGS,
                words=st.none() | st.builds(WordReading, st.none() | P, CUES),
                log_likelihood_ratio=st.none() | st.floats(-20, 20),
                conversation=CUES,
            ),
            st.none() | st.text(max_size=5),
            st.booleans(),
            st.booleans(),
        ),
        belief=P,
        callback=st.booleans(),
    ),
    st.none() | st.text(max_size=9),
)
POLICY = load_policy("eager").model_copy(
    update={
        "opening_hours": OpeningHours(opens="09:00", closes="17:00", timezone="Europe/Berlin"),
        "dialog_states": {"payment": {"highest_action": "empathize"}},
    }
)
RECORDS = st.builds(
    CallRecord,
    call_id=st.text(max_size=5),
    source=st.text(max_size=5),
    duration_s=st.floats(0, 1e5),
    sample_rate=st.integers(8_000, 48_000),
    model=st.just("voice/3"),
    policy=st.sampled_from([MitigationPolicy(), load_policy("gentle"), POLICY]),
    turns=st.lists(TURNS, max_size=3).map(tuple),
    warnings=st.lists(st.text(max_size=5), max_size=2).map(tuple),
)


def a_turn(**changes: Any) -> TurnRecord:
    voice = EmotionReading(0.9, "voice/3", 2.0, 3.5, timeline=(0.25, 0.75))
    words = WordReading(0.5, ((Cue.PROFANITY, "<b>damn</b>"),))
    reading = TurnReading(0, 1.25, 3.0, voice, words, 2.0, ((Cue.BARGES_IN, "twice"),))
    decision = Decision(Action.OFFER_HUMAN, Level.DISTRESSED, "said <b>", Evidence(reading), 0.5)
    return TurnRecord(replace(decision, **changes))


def a_record(*turns: TurnRecord, **changes: Any) -> CallRecord:
    record = CallRecord("a", "calls/a.wav", 12.0, 8_000, "voice/3", POLICY, turns)
    return replace(record, **changes)


@given(record=RECORDS)
def test_a_record_comes_back_from_json(record: CallRecord) -> None:
    """A record that was stored must be worth as much as one at hand."""
    stored = json.loads(json.dumps(record.to_dict()))
    again = CallRecord.from_dict(stored)
    assert again.to_dict() == stored
    assert again.policy == record.policy
    assert again.actions == record.actions
    assert [turn.reading.cues for turn in again.turns] == [t.reading.cues for t in record.turns]


def test_an_older_record_comes_back_too() -> None:
    """Those without arousal, valence and timeline are of the same schema."""
    stored = a_record(a_turn()).to_dict()
    for key in ("arousal", "valence", "timeline"):
        del stored["turns"][0]["voice"][key]
    assert CallRecord.from_dict(stored).turns[0].reading.voice.timeline == ()


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (lambda d: d.update(schema="deescalate.call/2"), "schema: "),
        (lambda d: d.pop("policy"), "policy: "),
        (lambda d: d.update(extra=1), "extra: unknown key"),
        (lambda d: d["policy"].update(memory=2), "policy.memory: "),
        (lambda d: d["turns"][0].update(belief="0.5"), "turns.0.belief: "),
        (lambda d: d["turns"][0]["voice"].update(p_negative=1.5), "turns.0.voice.p_negative: "),
        (lambda d: d["turns"][0]["voice"].update(audio_s=float("nan")), "turns.0.voice.audio_s: "),
        (lambda d: d["turns"][0].update(action="hang_up"), "turns.0.action: "),
        (lambda d: d["turns"][0]["words"]["cues"][0].update(cue="x"), "turns.0.words.cues.0.cue: "),
        (lambda d: d["turns"].clear(), "summary: contradicts the turns"),
        (lambda d: d["summary"].update(highest_level="calm"), "summary: contradicts the turns"),
    ],
)
def test_what_is_no_record_is_refused(
    spoil: Callable[[dict[str, Any]], Any], complaint: str
) -> None:
    """A record of another schema, or one that was edited, must not be taken at its word."""
    stored = a_record(a_turn()).to_dict()
    spoil(stored)
    with pytest.raises(DeescalateError) as caught:
        CallRecord.from_dict(stored)
    assert str(caught.value).startswith(f"call record: {complaint}")
    assert "\n" not in str(caught.value)


def test_a_data_frame_has_a_row_for_each_turn() -> None:
    """Notebooks count and plot turns; a call without any must have the same columns."""
    pytest.importorskip("pandas")
    frame = a_record(a_turn(), a_turn()).to_dataframe()
    assert len(frame) == 2
    row = frame.iloc[0].to_dict()
    assert (row["call_id"], row["voice.p_negative"], row["belief"]) == ("a", 0.9, 0.5)
    assert (row["words.cues"], row["conversation"]) == (["profanity"], ["barges_in"])
    assert (row["action"], row["voice.timeline"], row["text"]) == (
        "offer_human",
        [0.25, 0.75],
        None,
    )
    leaves = set(a_record(a_turn()).to_dict()["turns"][0]) - {"voice", "words"}
    assert leaves <= set(frame.columns)
    empty = a_record().to_dataframe()
    assert (len(empty), list(empty.columns)) == (0, list(frame.columns))


def test_a_data_frame_without_pandas_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """The core install has no pandas."""
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(DeescalateError, match="pip install pandas"):
        a_record().to_dataframe()


def test_a_notebook_shows_a_table_in_which_all_text_is_escaped() -> None:
    """A caller's words, or a file's name, must not run as HTML; nor be shown if not kept."""
    turn = a_turn()
    html = a_record(turn, source="<script>", warnings=("<i>",))._repr_html_()
    assert html.startswith("<table><caption>&lt;script&gt;, 12 s, policy eager: distressed")
    assert "<td>1.2 s</td><td>1.8 s</td><td>0.90</td><td>distressed</td>" in html
    assert "<td>offer human</td><td>said &lt;b&gt;</td></tr>" in html
    assert "<li>&lt;i&gt;</li>" in html
    assert "the caller said" not in html
    kept = a_record(replace(turn, text="<b>no</b>"))._repr_html_()
    assert "<th>the caller said</th>" in kept
    assert "<td>&lt;b&gt;no&lt;/b&gt;</td></tr>" in kept
