"""Agreement: kappa as it is published, its interval as it covers, and who is compared with whom."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from pipecat_deescalate.models.lab.annotation.agreement import (
    against_reference,
    between,
    by_source,
    cohens_kappa,
)
from pipecat_deescalate.models.lab.annotation.call_table import CallsError
from pipecat_deescalate.models.lab.annotation.labels import Emotion, Label, read_labels


def label(turn: int, negative: bool | None, annotator: str = "model", **more: object) -> Label:
    said = None if negative is None else Emotion.NEGATIVE if negative else Emotion.NON_NEGATIVE
    answer = "?" if negative is None else None
    return Label.model_validate(
        {"call_id": "a", "turn": turn, "annotator": annotator, "label": said, "answer": answer}
        | more
    )


def test_kappa_of_a_textbook_table() -> None:
    """20 and 15 agreed of 50, 5 and 10 not: kappa 0.4, by hand from Cohen's formula."""
    one = [1] * 20 + [1] * 5 + [0] * 10 + [0] * 15
    other = [1] * 20 + [0] * 5 + [1] * 10 + [0] * 15
    kappa = cohens_kappa(one, other)
    assert kappa.value == pytest.approx(0.4)
    assert (kappa.interval.low + kappa.interval.high) / 2 == pytest.approx(0.4)


def test_the_interval_of_kappa_holds_the_truth_as_often_as_it_says() -> None:
    """Over 800 samples of 200 turns the 95 % interval misses about one in twenty."""
    rng = np.random.default_rng(0)
    shares = [0.15, 0.1, 0.05, 0.7]
    table = np.array(shares).reshape(2, 2)
    expected = table.sum(axis=1) @ table.sum(axis=0)
    truth = (np.trace(table) - expected) / (1 - expected)
    held = 0
    for _ in range(800):
        drawn = rng.choice(4, size=200, p=shares)
        interval = cohens_kappa(drawn // 2, drawn % 2).interval
        held += interval.low <= truth <= interval.high
    assert 0.92 < held / 800 < 0.98


def test_kappa_at_its_ends() -> None:
    """Perfect agreement, chance, and a single class, where there is no kappa."""
    assert cohens_kappa([1, 0, 1, 0], [1, 0, 1, 0]).value == pytest.approx(1)
    assert cohens_kappa([1, 1, 0, 0], [1, 0, 1, 0]).value == pytest.approx(0)
    assert math.isnan(cohens_kappa([0, 0], [0, 0]).value)
    with pytest.raises(ValueError, match="two equal rows"):
        cohens_kappa([1], [1, 0])


def test_each_strategy_and_context_is_held_against_the_reference() -> None:
    """Labels of different prompts must not be mixed, nor unreadable answers counted."""
    human = by_source(label(n, n < 4, "anna") for n in range(10))
    (reference,) = human.values()
    labels = [
        *(label(n, n < 4, strategy="simple", context=0, score=0.9 - n / 20) for n in range(10)),
        *(label(n, n < 2, strategy="cot_context", context=3) for n in range(8)),
        label(8, None, strategy="cot_context", context=3),
    ]
    contextual, simple = (
        against_reference(reference, source, turns) for source, turns in by_source(labels).items()
    )
    assert simple is not None
    assert contextual is not None
    assert (simple.accuracy, simple.kappa.value, simple.roc_auc) == (1, 1, 1)
    assert contextual.source.strategy == "cot_context"
    assert (contextual.turns, contextual.unlabelled, contextual.negatives) == (8, 2, 4)
    assert (contextual.negative.precision, contextual.negative.recall) == (1, 0.5)
    assert contextual.roc_auc is None


def test_two_annotators_are_compared_on_the_turns_that_both_have() -> None:
    """Who labelled other turns says nothing about agreement."""
    labels = [label(n, n < 2, name) for name in ("x", "y") for n in range(4)]
    labels += [label(9, True, "z")]
    (pair,) = between(by_source(labels))
    assert (pair.one.annotator, pair.other.annotator, pair.turns) == ("x", "y", 4)
    assert pair.agreement == 1


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ('{"call_id": "a", "turn": 0, "annotator": "x", "label": "angry"}', "label: must be "),
        ('{"call_id": "a", "turn": 0, "annotator": "x", "label": null}', "label is needed"),
        ('{"call_id": "a", "turn": 0, "label": "negative"}', "annotator: missing key"),
        ('{"call_id": "a", "turn": -1, "annotator": "x", "label": "negative"}', "turn: "),
        (
            '{"call_id": "a", "turn": 0, "annotator": "x", "label": "negative", "score": 3}',
            "score: ",
        ),
        ('{"call_id": "b", "turn": 0, "annotator": "x", "label": "negative"}', "x labels it twice"),
        ("nonsense", "line 2: label: is not valid JSON: "),
    ],
)
def test_a_label_of_an_unknown_class_is_named_with_its_line(
    tmp_path: Path, line: str, complaint: str
) -> None:
    """A misspelt class must not be read as one of the two."""
    path = tmp_path / "labels.jsonl"
    good = '{"call_id": "b", "turn": 0, "annotator": "x", "label": "negative"}'
    path.write_text(f"{good}\n{line}\n")
    with pytest.raises(CallsError) as caught:
        list(read_labels(path))
    (found,) = caught.value.complaints
    assert found.startswith(f"{path}: line 2: ")
    assert complaint in found
